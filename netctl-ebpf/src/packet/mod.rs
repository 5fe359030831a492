//! What a hook knows of its packet: loaded once, in at most two calls.

pub(crate) mod header;
pub(crate) mod ip4;
pub(crate) mod ip6;
mod store;

use core::ops::Range;

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::FlowKey,
    packet::{ETH_LEN, proto},
    sctp,
    wire::Be16,
};

use self::header::{Header, Headers, LEAD, SCTP_COMMON, SCTP_LEN, SHORT_LEN, TCP_LEN};
use crate::{family::Family, helpers};

/// A packet with its tuple.
pub(crate) struct Packet<A: Family> {
    pub(crate) skb: *mut __sk_buff,
    pub(crate) headers: Headers<A::Header>,
    /// Protocol of the transport header.
    pub(crate) proto: u8,
    pub(crate) fragment: Fragment,
    /// Ports, or the ICMP echo identifier; 0 where there are none.
    pub(crate) sport: Be16,
    pub(crate) dport: Be16,
    /// Offset of the transport header in the frame.
    pub(crate) l4: u32,
    /// Length of the transport header in bytes.
    pub(crate) l4_len: u32,
    /// TCP header flags, and what SCTP says in their place.
    pub(crate) tcp_flags: u8,
    pub(crate) icmp_type: u8,
    /// The transport header is in this packet (not a later fragment) and is one we know.
    pub(crate) has_l4: bool,
}

/// Protocols whose packets belong to a flow by more than their addresses: by ports, or by an echo's
/// identifier.
#[inline(always)]
pub(crate) fn has_ports<A: Family>(protocol: u8) -> bool {
    matches!(protocol, proto::TCP | proto::UDP | proto::SCTP) || protocol == A::ICMP
}

/// Which part of a datagram this is: all zero for a whole one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fragment {
    /// Identification, as it stands in the packet.
    pub(crate) id: u32,
    /// In units of 8 bytes.
    pub(crate) offset: u16,
    /// Not the last one.
    pub(crate) more: bool,
}

impl<A: Family> Packet<A> {
    /// Length of Ethernet and IP header where nothing stands between them and the transport
    /// header.
    const PLAIN: u32 = ETH_LEN + A::Header::LEN as u32;
    const TRANSPORT: usize = Headers::<A::Header>::TRANSPORT;

    /// Nothing loaded yet.
    // VERIFIER: "invalid size of register fill": a packet is made in place and never returned
    // inside a Result, or the context pointer is copied in halves.
    #[inline(always)]
    pub(crate) fn new(skb: *mut __sk_buff) -> Self {
        Self {
            skb,
            headers: Headers::default(),
            proto: 0,
            fragment: Fragment::default(),
            sport: Be16(0),
            dport: Be16(0),
            l4: Self::PLAIN,
            l4_len: 0,
            tcp_flags: 0,
            icmp_type: 0,
            has_l4: false,
        }
    }

    /// Loads the Ethernet and the fixed IP header. The EtherType, host order: what stands in
    /// [`Self::headers`] is an IP header only if it is the family's.
    #[inline(always)]
    pub(crate) fn load(&mut self) -> Result<u16, DropReason> {
        // Every ARP packet (28 bytes) is longer than an IPv4 header: one load serves both.
        if !helpers::load_directly(self.skb, 0, &mut self.headers, LEAD..Self::TRANSPORT) {
            return Err(DropReason::Malformed);
        }
        Ok(self.headers.ethertype.get())
    }

    #[inline(always)]
    pub(crate) fn src(&self) -> A {
        self.headers.ip.src()
    }

    #[inline(always)]
    pub(crate) fn dst(&self) -> A {
        self.headers.ip.dst()
    }

    /// Checks the IP header and loads the transport header.
    #[inline(always)]
    pub(crate) fn parse(&mut self) -> Result<(), DropReason> {
        A::find_transport(self)?;
        self.load_known()
    }

    /// [`Self::parse`] of what a hook has found to be an ICMP error ([`Self::is_icmp_error`]).
    // VERIFIER: what kernels before 6.12 make of the walk over extension headers is too much here.
    #[inline(always)]
    pub(crate) fn parse_error(&mut self) -> Result<(), DropReason> {
        if A::VERSION == 4 {
            return self.parse();
        }
        self.proto = A::ICMP;
        self.load_known()
    }

    /// Checks the length and loads the transport header that was found.
    #[inline(always)]
    fn load_known(&mut self) -> Result<(), DropReason> {
        // Several segments may be longer than the field can say: it is 0 then (BIG TCP: of IPv6
        // from 5.19 on, of IPv4 from 6.3).
        // SAFETY: the context of the running program.
        let frame = unsafe { (*self.skb).len }.wrapping_sub(ETH_LEN);
        let length = match self.headers.ip.total_length() {
            length if self.is_segmented() && length == A::Header::NO_LENGTH => frame,
            length => length,
        };
        // More than there is, or less than the headers take: what is behind the end is not the
        // packet's. Padding is (Ethernet's shortest frame is 60 bytes).
        if length > frame || length < self.l4 - ETH_LEN + self.transport_length() {
            return Err(DropReason::Malformed);
        }
        if self.is_later_fragment() {
            return Ok(());
        }
        let transport = Self::TRANSPORT;
        if self.proto == proto::TCP {
            self.load_part(transport..transport + TCP_LEN)?;
            let [offset, flags] = self.headers.transport[6].to_ne_bytes();
            (self.tcp_flags, self.l4_len) = (flags, u32::from(offset >> 4) * 4);
        } else if self.proto == proto::SCTP {
            self.load_part(transport..transport + SCTP_LEN)?;
            let [kind, _flags] = self.headers.transport[6].to_ne_bytes();
            (self.tcp_flags, self.l4_len) = (sctp::flags(kind), SCTP_COMMON);
        } else if self.proto == proto::UDP || self.proto == A::ICMP {
            self.load_part(transport..transport + SHORT_LEN)?;
            self.l4_len = SHORT_LEN as u32;
        } else {
            return Ok(());
        }
        let words = &self.headers.transport;
        if self.proto == A::ICMP {
            self.icmp_type = words[0].to_ne_bytes()[0];
            if !self.is_echo() {
                return Ok(());
            }
            (self.sport, self.dport) = (Be16(words[2]), Be16(words[2]));
        } else {
            (self.sport, self.dport) = (Be16(words[0]), Be16(words[1]));
        }
        self.has_l4 = true;
        Ok(())
    }

    /// Bytes of the transport header that are looked at, or changed.
    #[inline(always)]
    fn transport_length(&self) -> u32 {
        if self.is_later_fragment() {
            0
        } else if self.proto == proto::TCP {
            TCP_LEN as u32
        } else if self.proto == proto::SCTP {
            SCTP_LEN as u32
        } else if matches!(self.proto, proto::UDP | proto::UDP_LITE | proto::DCCP)
            || self.proto == A::ICMP
        {
            SHORT_LEN as u32
        } else {
            0
        }
    }

    /// Loads a part of the transport header.
    #[inline(always)]
    fn load_part(&mut self, part: Range<usize>) -> Result<(), DropReason> {
        let offset = (part.start - Self::TRANSPORT) as u32;
        // An offset that the compiler knows is one that every verifier follows.
        let loaded = if self.has_options() {
            helpers::load(self.skb, self.l4 + offset, &mut self.headers, part)
        } else {
            helpers::load_directly(self.skb, Self::PLAIN + offset, &mut self.headers, part)
        };
        loaded.then_some(()).ok_or(DropReason::Malformed)
    }

    /// Loads a word of the transport header again, after a helper has changed it.
    #[inline(always)]
    pub(crate) fn load_transport(&mut self, word: usize) -> Result<(), DropReason> {
        self.load_part(Self::TRANSPORT + 2 * word..Headers::<A::Header>::end_of(word))
    }

    /// Whether something stands between the IP header's fixed part and the transport header.
    #[inline(always)]
    pub(crate) fn has_options(&self) -> bool {
        self.l4 != Self::PLAIN
    }

    /// A fragment without the transport header.
    #[inline(always)]
    pub(crate) fn is_later_fragment(&self) -> bool {
        self.fragment.offset != 0
    }

    /// One of several fragments.
    #[inline(always)]
    pub(crate) fn is_fragment(&self) -> bool {
        self.fragment.offset != 0 || self.fragment.more
    }

    /// Of the family's ICMP, an echo or its reply.
    #[inline(always)]
    fn is_echo(&self) -> bool {
        self.icmp_type == A::ECHO || self.icmp_type == A::ECHO_REPLY
    }

    /// An ICMP packet that is no echo: it is about another packet, which it quotes.
    #[inline(always)]
    pub(crate) fn is_icmp_message(&self) -> bool {
        self.proto == A::ICMP && !self.is_later_fragment() && !self.is_echo()
    }

    /// An ICMP error that may be about a translated flow.
    #[inline(always)]
    pub(crate) fn is_icmp_error(&self) -> bool {
        // Nobody puts extension headers before an error.
        let is_plain = A::VERSION == 4 || !self.has_options();
        self.is_icmp_message() && A::is_error(self.icmp_type) && is_plain
    }

    /// Several segments in one, to be parted by the device or not at all (GSO).
    #[inline(always)]
    pub(crate) fn is_segmented(&self) -> bool {
        // SAFETY: the context of the running program.
        unsafe { (*self.skb).gso_size != 0 }
    }

    /// Sum of the pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1). All that the
    /// checksum field holds when the device is to do the rest (CHECKSUM_PARTIAL).
    #[inline(always)]
    pub(crate) fn pseudo_header(&self) -> u32 {
        let length = self.headers.ip.total_length() + ETH_LEN;
        let length = length.wrapping_sub(self.l4) as u16;
        let numbers =
            u32::from(Be16::new(length).0) + u32::from(u16::from_ne_bytes([0, self.proto]));
        checksum::add(checksum::add(self.src().sum(), self.dst().sum()), numbers)
    }

    /// The key of its flow.
    #[inline(always)]
    pub(crate) fn key(&self, side: u8) -> FlowKey<A> {
        FlowKey {
            src: self.src(),
            dst: self.dst(),
            sport: self.sport,
            dport: self.dport,
            proto: self.proto,
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

    /// Bytes of the longest IP packet that it is on the wire; 0 where that cannot be told.
    #[inline(always)]
    pub(crate) fn longest(&self) -> u32 {
        /// GSO_BY_FRAGS (linux/skbuff.h): SCTP's segments are of any size.
        const OF_ANY_SIZE: u32 = 0xffff;
        // SAFETY: the context of the running program.
        let size = unsafe { (*self.skb).gso_size };
        match size {
            0 => self.headers.ip.total_length(),
            OF_ANY_SIZE => 0,
            _ => self.l4 - ETH_LEN + self.l4_len + size,
        }
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
