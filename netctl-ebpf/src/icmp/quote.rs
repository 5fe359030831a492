//! The packet that an ICMP error quotes: its IP header and at least 8 bytes behind it.

use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::{Flow, FlowKey},
    packet::{ETH_LEN, proto},
    wire::{Be16, V4, V6},
};

use crate::{
    family::Family,
    helpers,
    packet::{
        Packet, has_ports,
        header::{Header, SHORT_LEN},
        ip6::{extension_length, is_extension},
    },
};

/// Words of a transport header that hold its checksum, and an echo's identifier.
const TCP_CHECK: u32 = 8;
const UDP_CHECK: usize = 3;
const ICMP_CHECK: usize = 1;
const ICMP_ID: usize = 2;
/// Extension headers that are walked in a quoted packet: a fragment header, usually.
const EXTENSIONS: u32 = 1;

/// A quoted packet. Nothing of its payload is looked at, and its transport checksum is not
/// checked: the quote may be cut (RFC 5508, REQ-3).
pub(super) struct Quote<A: Family> {
    /// Where it starts in the frame.
    at: u32,
    ip: A::Header,
    /// Where its transport header starts in the frame.
    l4: u32,
    /// Where the error ends: what is behind it is padding.
    end: u32,
    proto: u8,
    /// First 8 bytes of the transport header, as they stand in the packet.
    words: [u16; SHORT_LEN / 2],
    /// Ports, or the identifier of an echo.
    sport: Be16,
    dport: Be16,
}

/// Source and destination as they follow each other in both families' headers.
#[repr(C)]
struct Addresses<A>(A, A);

impl<A: Family> Quote<A> {
    /// Nothing read yet.
    // VERIFIER: "invalid read from stack" (5.10): made in place like a packet, and never returned
    // inside an Option, whose copy reads what was not written.
    #[inline(always)]
    pub(super) fn new(packet: &Packet<A>) -> Self {
        Self {
            at: packet.l4 + SHORT_LEN as u32,
            ip: A::Header::default(),
            l4: 0,
            end: ETH_LEN + packet.headers.ip.total_length(),
            proto: 0,
            words: [0; SHORT_LEN / 2],
            sport: Be16(0),
            dport: Be16(0),
        }
    }

    /// Reads what an ICMP error quotes.
    #[inline(always)]
    pub(super) fn load(&mut self, packet: &Packet<A>) -> Result<(), DropReason> {
        let whole = 0..A::Header::LEN;
        if !helpers::load(packet.skb, self.at, &mut self.ip, whole) {
            return Err(DropReason::Malformed);
        }
        (self.l4, self.proto) = A::find_quoted(packet, self.at, &self.ip)?;
        let cut = self.l4 + SHORT_LEN as u32 > self.end;
        if cut || !helpers::load(packet.skb, self.l4, &mut self.words, 0..SHORT_LEN) {
            return Err(DropReason::Malformed);
        }
        let words = &self.words;
        if has_ports::<A>(self.proto) {
            (self.sport, self.dport) = (Be16(words[0]), Be16(words[1]));
        }
        if self.proto == A::ICMP {
            let [kind, _code] = words[0].to_ne_bytes();
            if kind != A::ECHO && kind != A::ECHO_REPLY {
                // Nobody sends an error about an error (RFC 1122, section 3.2.2).
                return Err(DropReason::IcmpUnsupported);
            }
            (self.sport, self.dport) = (Be16(words[ICMP_ID]), Be16(words[ICMP_ID]));
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn src(&self) -> A {
        self.ip.src()
    }

    #[inline(always)]
    pub(super) fn dst(&self) -> A {
        self.ip.dst()
    }

    /// Key of the flow's packets that go the way that the error goes.
    #[inline(always)]
    pub(super) fn answer_key(&self, side: u8) -> FlowKey<A> {
        FlowKey {
            src: self.ip.dst(),
            dst: self.ip.src(),
            sport: self.dport,
            dport: self.sport,
            proto: self.proto,
            side,
            zone: 0,
        }
    }

    /// Writes the quote as the receiver of the error sent it, by the flow of [`Self::answer_key`].
    /// What the sum of the quoted bytes changes by.
    #[inline(always)]
    pub(super) fn restore(
        &mut self,
        packet: &Packet<A>,
        flow: &Flow<A>,
    ) -> Result<u32, DropReason> {
        let (src, dst) = (flow.dst, flow.src);
        let addresses = checksum::add(
            checksum::difference(self.ip.src().sum(), src.sum()),
            checksum::difference(self.ip.dst().sum(), dst.sum()),
        );
        let mut all = addresses;
        let at = self.at + A::Header::SRC as u32;
        helpers::store(packet.skb, at, &Addresses(src, dst))?;
        if let Some((at, check)) = self.ip.checksum_field() {
            let new = checksum::update(check, addresses);
            all = replaced(all, check, new);
            helpers::store(packet.skb, self.at + at, &new)?;
        }
        let change = self.restore_transport(packet, flow, addresses)?;
        Ok(checksum::add(all, change))
    }

    /// Ports or identifier, and the checksum as far as it is quoted.
    #[inline(always)]
    fn restore_transport(
        &self,
        packet: &Packet<A>,
        flow: &Flow<A>,
        addresses: u32,
    ) -> Result<u32, DropReason> {
        let (skb, l4) = (packet.skb, self.l4);
        if self.proto == A::ICMP {
            let id = self.words[ICMP_ID];
            let new_id = flow.dport.0;
            let mut change = replaced(0, id, new_id);
            helpers::store(skb, l4 + 2 * ICMP_ID as u32, &new_id)?;
            let check = self.words[ICMP_CHECK];
            let covered = if A::Header::HAS_CHECKSUM {
                change
            } else {
                checksum::add(change, addresses)
            };
            let new = checksum::update(check, covered);
            change = replaced(change, check, new);
            helpers::store(skb, l4 + 2 * ICMP_CHECK as u32, &new)?;
            return Ok(change);
        }
        if self.proto != proto::TCP && self.proto != proto::UDP {
            return Ok(0);
        }
        let ports = [flow.dport.0, flow.sport.0];
        let mut change = replaced(0, self.sport.0, ports[0]);
        change = replaced(change, self.dport.0, ports[1]);
        helpers::store(skb, l4, &ports)?;
        let covered = checksum::add(change, addresses);
        if self.proto == proto::UDP {
            let check = self.words[UDP_CHECK];
            if check != 0 {
                let new = match checksum::update(check, covered) {
                    0 => u16::MAX,
                    new => new,
                };
                change = replaced(change, check, new);
                helpers::store(skb, l4 + 2 * UDP_CHECK as u32, &new)?;
            }
            return Ok(change);
        }
        let mut check = 0_u16;
        // Many quotes of TCP end before it.
        let at = l4 + 2 * TCP_CHECK;
        if at + 2 <= self.end && helpers::load(skb, at, &mut check, 0..2) {
            let new = checksum::update(check, covered);
            change = replaced(change, check, new);
            helpers::store(skb, at, &new)?;
        }
        Ok(change)
    }
}

/// `sum` after a word that it covers became `new`.
#[inline(always)]
fn replaced(sum: u32, old: u16, new: u16) -> u32 {
    checksum::add(sum, checksum::difference(u32::from(old), u32::from(new)))
}

/// Where the transport header of a quoted IPv4 packet starts, and its protocol.
#[inline(always)]
pub(crate) fn find_quoted4(at: u32, ip: &<V4 as Family>::Header) -> Result<(u32, u8), DropReason> {
    let ihl = u32::from(ip.version_ihl & 0x0f) * 4;
    if ip.version_ihl >> 4 != 4 || ihl < V4_LEN {
        return Err(DropReason::Malformed);
    }
    // Without options the sum is a matter of five words (RFC 5508, REQ-3a); with them a wrong
    // one stays wrong, since it is only brought up to date.
    if ihl == V4_LEN && !ip.is_intact() {
        return Err(DropReason::Malformed);
    }
    if ip.frag.get() & FRAGMENT_OFFSET != 0 {
        // Its ports stood in another fragment.
        return Err(DropReason::IcmpUnsupported);
    }
    Ok((at + ihl, ip.proto))
}

const V4_LEN: u32 = netctl_common::packet::IPV4_LEN;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// As [`find_quoted4`], of IPv6.
#[inline(always)]
pub(crate) fn find_quoted6(
    packet: &Packet<V6>,
    at: u32,
    ip: &<V6 as Family>::Header,
) -> Result<(u32, u8), DropReason> {
    if ip.version[0] >> 4 != 6 {
        return Err(DropReason::Malformed);
    }
    let (mut l4, mut next) = (at + netctl_common::packet::IPV6_LEN, ip.next);
    for _ in 0..EXTENSIONS {
        if !is_extension(next) {
            break;
        }
        let mut extension = [0_u8; 4];
        if !helpers::load(packet.skb, l4, &mut extension, 0..4) {
            return Err(DropReason::Malformed);
        }
        let [after, length, a, b] = extension;
        if next == proto::FRAGMENT && u16::from_be_bytes([a, b]) >> 3 != 0 {
            return Err(DropReason::IcmpUnsupported);
        }
        l4 += extension_length(next, length);
        next = after;
    }
    if is_extension(next) {
        return Err(DropReason::IcmpUnsupported);
    }
    Ok((l4, next))
}
