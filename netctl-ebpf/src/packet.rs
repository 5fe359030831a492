//! What a hook knows of its packet: loaded once, in at most two calls.

use core::{mem::offset_of, ops::Range};

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::FlowKey,
    packet::{ETH_LEN, IPV4_LEN, ethertype, icmp, proto},
    wire::{Be16, Mac, V4},
};

use crate::helpers;

/// Ethernet, IPv4 and the start of the transport header in one piece, as they follow each other
/// in nearly every packet. The lead makes the addresses 4-byte aligned on the stack, which the
/// verifier asks for.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Headers {
    lead: [u8; 2],
    pub(crate) dmac: Mac,
    pub(crate) smac: Mac,
    pub(crate) ethertype: Be16,
    pub(crate) version_ihl: u8,
    pub(crate) tos: u8,
    pub(crate) tot_len: Be16,
    pub(crate) id: Be16,
    pub(crate) frag: Be16,
    pub(crate) ttl: u8,
    pub(crate) proto: u8,
    /// As it stands in the packet.
    pub(crate) check: u16,
    pub(crate) src: V4,
    pub(crate) dst: V4,
    /// TCP without options, or the 8 bytes of the others, as they stand in the packet.
    pub(crate) transport: [u16; 10],
}

const LEAD: usize = 2;
/// Where in [`Headers`] the transport header starts.
const TRANSPORT: usize = LEAD + (ETH_LEN + IPV4_LEN) as usize;
const TCP_LEN: usize = 20;
/// Of UDP, ICMP echo, and what is read of SCTP.
const SHORT_LEN: usize = 8;
const _: () = assert!(
    offset_of!(Headers, transport) == TRANSPORT && size_of::<Headers>() == TRANSPORT + TCP_LEN
);

/// Where fields stand in a frame.
const TTL: usize = offset_of!(Headers, ttl) - LEAD;
const CHECK: usize = offset_of!(Headers, check) - LEAD;
const SRC: usize = offset_of!(Headers, src) - LEAD;
const DST: usize = offset_of!(Headers, dst) - LEAD;

/// Where in [`Headers`] the four bytes end that a word of the transport header is in.
const fn end_of(word: usize) -> usize {
    TRANSPORT + (word / 2 + 1) * 4
}

/// A packet with its tuple.
pub(crate) struct Packet {
    pub(crate) skb: *mut __sk_buff,
    pub(crate) headers: Headers,
    /// Ports, or the ICMP echo identifier; 0 where there are none.
    pub(crate) sport: Be16,
    pub(crate) dport: Be16,
    /// Offset of the transport header in the frame.
    pub(crate) l4: u32,
    /// Length of the transport header in bytes.
    pub(crate) l4_len: u32,
    /// TCP header flags.
    pub(crate) tcp_flags: u8,
    pub(crate) icmp_type: u8,
    /// The transport header is in this packet (not a later fragment) and is one we know.
    pub(crate) has_l4: bool,
}

const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// What the Ethernet header says.
pub(crate) enum Kind {
    Ipv4,
    Arp,
    Other,
}

impl Packet {
    /// Nothing loaded yet.
    // VERIFIER: "invalid size of register fill": a packet is made in place and never returned
    // inside a Result, or the context pointer is copied in halves.
    #[inline(always)]
    pub(crate) fn new(skb: *mut __sk_buff) -> Self {
        Self {
            skb,
            headers: Headers::default(),
            sport: Be16(0),
            dport: Be16(0),
            l4: ETH_LEN + IPV4_LEN,
            l4_len: 0,
            tcp_flags: 0,
            icmp_type: 0,
            has_l4: false,
        }
    }

    /// Loads the Ethernet header and, for IPv4, the fixed IPv4 header.
    #[inline(always)]
    pub(crate) fn load(&mut self) -> Result<Kind, DropReason> {
        // Every ARP packet (28 bytes) is longer than an IPv4 header: one load serves both.
        if !helpers::load_directly(self.skb, 0, &mut self.headers, LEAD..TRANSPORT) {
            return Err(DropReason::Malformed);
        }
        Ok(match self.headers.ethertype.get() {
            ethertype::IPV4 => Kind::Ipv4,
            ethertype::ARP => Kind::Arp,
            _ => Kind::Other,
        })
    }

    /// Checks the IPv4 header and loads the transport header.
    #[inline(always)]
    pub(crate) fn parse_ipv4(&mut self) -> Result<(), DropReason> {
        let ihl = u32::from(self.headers.version_ihl & 0x0f) * 4;
        if self.headers.version_ihl >> 4 != 4 || ihl < IPV4_LEN {
            return Err(DropReason::Malformed);
        }
        self.l4 = ETH_LEN + ihl;
        // SAFETY: the context of the running program.
        let frame = unsafe { (*self.skb).len }.wrapping_sub(ETH_LEN);
        // Several segments may be longer than the field can say: it is 0 then (BIG TCP, 6.3).
        let length = match u32::from(self.headers.tot_len.get()) {
            0 if self.is_segmented() => frame,
            length => length,
        };
        // More than there is, or less than the headers take: what is behind the end is not the
        // packet's. Padding is (Ethernet's shortest frame is 60 bytes).
        if length > frame || length < ihl + self.transport_length() {
            return Err(DropReason::Malformed);
        }
        if self.is_later_fragment() {
            return Ok(());
        }
        match self.headers.proto {
            proto::TCP => {
                self.load_part(TRANSPORT..TRANSPORT + TCP_LEN)?;
                let [offset, flags] = self.headers.transport[6].to_ne_bytes();
                (self.tcp_flags, self.l4_len) = (flags, u32::from(offset >> 4) * 4);
            }
            proto::UDP | proto::SCTP | proto::ICMP => {
                self.load_part(TRANSPORT..TRANSPORT + SHORT_LEN)?;
                self.l4_len = SHORT_LEN as u32;
            }
            _ => return Ok(()),
        }
        let words = &self.headers.transport;
        if self.headers.proto == proto::ICMP {
            self.icmp_type = words[0].to_ne_bytes()[0];
            if self.icmp_type != icmp::ECHO && self.icmp_type != icmp::ECHO_REPLY {
                return Ok(());
            }
            (self.sport, self.dport) = (Be16(words[2]), Be16(words[2]));
        } else {
            (self.sport, self.dport) = (Be16(words[0]), Be16(words[1]));
        }
        self.has_l4 = true;
        Ok(())
    }

    /// Bytes of the transport header that are looked at.
    #[inline(always)]
    fn transport_length(&self) -> u32 {
        match self.headers.proto {
            _ if self.is_later_fragment() => 0,
            proto::TCP => TCP_LEN as u32,
            proto::UDP | proto::SCTP | proto::ICMP => SHORT_LEN as u32,
            _ => 0,
        }
    }

    /// Loads a part of the transport header.
    #[inline(always)]
    fn load_part(&mut self, part: Range<usize>) -> Result<(), DropReason> {
        let offset = (part.start - TRANSPORT) as u32;
        // An offset that the compiler knows is one that every verifier follows.
        let loaded = if self.has_options() {
            helpers::load(self.skb, self.l4 + offset, &mut self.headers, part)
        } else {
            let offset = ETH_LEN + IPV4_LEN + offset;
            helpers::load_directly(self.skb, offset, &mut self.headers, part)
        };
        loaded.then_some(()).ok_or(DropReason::Malformed)
    }

    /// Loads a word of the transport header again, after a helper has changed it.
    #[inline(always)]
    pub(crate) fn load_transport(&mut self, word: usize) -> Result<(), DropReason> {
        self.load_part(TRANSPORT + 2 * word..end_of(word))
    }

    /// Whether something stands between the IPv4 header's fixed part and the transport header.
    #[inline(always)]
    pub(crate) fn has_options(&self) -> bool {
        self.l4 != ETH_LEN + IPV4_LEN
    }

    /// A fragment without the transport header.
    #[inline(always)]
    pub(crate) fn is_later_fragment(&self) -> bool {
        self.headers.frag.get() & FRAGMENT_OFFSET != 0
    }

    /// One of several fragments.
    #[inline(always)]
    pub(crate) fn is_fragment(&self) -> bool {
        self.headers.frag.get() & (FRAGMENT_OFFSET | MORE_FRAGMENTS) != 0
    }

    /// Several segments in one, to be parted by the device or not at all (GSO).
    #[inline(always)]
    pub(crate) fn is_segmented(&self) -> bool {
        // SAFETY: the context of the running program.
        unsafe { (*self.skb).gso_size != 0 }
    }

    /// An ICMP message that is no echo: it has no identifier, and no flow of its own.
    #[inline(always)]
    pub(crate) fn is_icmp_message(&self) -> bool {
        self.headers.proto == proto::ICMP && !self.has_l4 && !self.is_later_fragment()
    }

    /// The first of several fragments.
    #[inline(always)]
    pub(crate) fn is_first_fragment(&self) -> bool {
        self.headers.frag.get() & (FRAGMENT_OFFSET | MORE_FRAGMENTS) == MORE_FRAGMENTS
    }

    /// Writes the Ethernet and IPv4 header back, as [`Self::headers`] has them now.
    #[inline(always)]
    pub(crate) fn store_headers(&self) -> Result<(), DropReason> {
        if let Some(packet) = helpers::in_place(self.skb, TRANSPORT - LEAD) {
            self.write_headers(packet);
            return Ok(());
        }
        helpers::store_part(self.skb, 0, &self.headers, LEAD..TRANSPORT)
    }

    /// The same with the transport header up to a word, and the ports as [`Self::sport`] and
    /// [`Self::dport`] are now.
    #[inline(always)]
    pub(crate) fn store_with_transport(&mut self, word: usize) -> Result<(), DropReason> {
        if !self.has_options()
            && let Some(packet) = helpers::in_place(self.skb, end_of(word) - LEAD)
        {
            self.write_headers(packet);
            // SAFETY: as far as `in_place` has looked.
            unsafe {
                let ports = packet.add(TRANSPORT - LEAD).cast::<u16>();
                ports.write(self.sport.0);
                ports.add(1).write(self.dport.0);
                ports.add(word).write(self.headers.transport[word]);
            }
            return Ok(());
        }
        let words = &mut self.headers.transport;
        (words[0], words[1]) = (self.sport.0, self.dport.0);
        if self.has_options() {
            let part = TRANSPORT..end_of(word);
            helpers::store_part(self.skb, self.l4, &self.headers, part)?;
            return self.store_headers();
        }
        helpers::store_part(self.skb, 0, &self.headers, LEAD..end_of(word))
    }

    /// What a rewrite changes of the Ethernet and IPv4 header, field by field.
    #[inline(always)]
    fn write_headers(&self, packet: *mut u8) {
        let headers = &self.headers;
        // SAFETY: the caller has found the Ethernet and IPv4 header at `packet`.
        unsafe {
            let macs = packet.cast::<Mac>();
            macs.write(headers.dmac);
            macs.add(1).write(headers.smac);
            packet.add(TTL).write(headers.ttl);
            packet.add(CHECK).cast::<u16>().write(headers.check);
            packet.add(SRC).cast::<u32>().write(headers.src.0);
            packet.add(DST).cast::<u32>().write(headers.dst.0);
        }
    }

    /// Sum of the pseudo header (RFC 9293, section 3.1) of TCP or UDP. All that the checksum
    /// field holds when the device is to do the rest (CHECKSUM_PARTIAL).
    #[inline(always)]
    pub(crate) fn pseudo_header(&self) -> u32 {
        let headers = &self.headers;
        let length = headers
            .tot_len
            .get()
            .wrapping_sub((self.l4 - ETH_LEN) as u16);
        let numbers =
            u32::from(Be16::new(length).0) + u32::from(u16::from_ne_bytes([0, headers.proto]));
        checksum::add(checksum::add(headers.src.0, headers.dst.0), numbers)
    }

    /// The key of its flow.
    #[inline(always)]
    pub(crate) fn key(&self, side: u8) -> FlowKey<V4> {
        FlowKey {
            src: self.headers.src,
            dst: self.headers.dst,
            sport: self.sport,
            dport: self.dport,
            proto: self.headers.proto,
            side,
            zone: 0,
        }
    }

    /// Interface that the program runs on.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: the context of the running program.
        unsafe { (*self.skb).ifindex }
    }

    /// How many packets it is on the wire (segmentation offload), at least 1.
    #[inline(always)]
    pub(crate) fn segments(&self) -> u64 {
        // SAFETY: the context of the running program.
        let (segments, size) = unsafe { ((*self.skb).gso_segs, (*self.skb).gso_size) };
        if segments != 0 {
            return u64::from(segments);
        }
        if size == 0 {
            return 1;
        }
        // Some drivers (virtio-net) give the size of a segment and not their number.
        // SAFETY: as above.
        let payload = unsafe { (*self.skb).len }.wrapping_sub(self.l4 + self.l4_len);
        u64::from(payload.wrapping_add(size - 1) / size).max(1)
    }

    /// Bytes of the IP layer on the wire: every segment has its own headers.
    #[inline(always)]
    pub(crate) fn wire_bytes(&self, segments: u64) -> u64 {
        // SAFETY: the context of the running program.
        let length = u64::from(unsafe { (*self.skb).len }.wrapping_sub(ETH_LEN));
        let headers = u64::from(self.l4 - ETH_LEN + self.l4_len);
        length + segments.wrapping_sub(1) * headers
    }
}
