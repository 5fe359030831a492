//! What differs between the address families: headers, maps, and whose address is whose.
//!
//! Everything else is written once over [`Family`].

mod tables;

use aya_ebpf::bindings::bpf_sock;
use netctl_common::{
    drop_reason::DropReason,
    endpoint::Endpoint,
    host::Uplink,
    jump,
    network::{Network, flags},
    packet::{ethertype, icmp, icmpv6, proto},
    wire::{Address, V4, V6},
};

pub(crate) use self::tables::Tables;
use crate::{
    icmp::quote::{find_quoted4, find_quoted6},
    packet::{Packet, header::Header, ip4::Ipv4, ip6::Ipv6},
};

/// An address family.
pub(crate) trait Family: Tables {
    type Header: Header<Self>;
    /// Program that goes on with a container's packet that has no flow yet, where its keys leave
    /// no room on the stack to do so in place.
    const OPEN_FROM_CONTAINER: Option<u32>;
    /// The hooks' programs, for those that come back to them.
    const FROM_CONTAINER: u32 = own::<Self>(jump::FROM_CONTAINER4, jump::FROM_CONTAINER6);
    const FROM_UPLINK: u32 = own::<Self>(jump::FROM_UPLINK4, jump::FROM_UPLINK6);
    /// Program that keeps the rules of published ports on an uplink, before its hook goes on.
    const SHIELD: u32 = own::<Self>(jump::SHIELD4, jump::SHIELD6);
    /// Program that makes a drafted flow.
    const CREATE: u32 = own::<Self>(jump::CREATE4, jump::CREATE6);
    /// Program that goes on with the search for its source port.
    const SEARCH: u32 = own::<Self>(jump::SEARCH4, jump::SEARCH6);
    /// Program that takes a masqueraded packet to another container's mapping.
    const HAIRPIN: u32 = own::<Self>(jump::HAIRPIN4, jump::HAIRPIN6);
    /// Program that looks at an ICMP error's checksum first.
    const ICMP_CHECK: u32 = own::<Self>(jump::ICMP_CHECK4, jump::ICMP_CHECK6);
    /// Programs that translate ICMP errors, by the hook that they came in by.
    const ICMP_FROM_CONTAINER: u32 =
        own::<Self>(jump::ICMP_FROM_CONTAINER4, jump::ICMP_FROM_CONTAINER6);
    const ICMP_FROM_HOST: u32 = own::<Self>(jump::ICMP_FROM_HOST4, jump::ICMP_FROM_HOST6);
    const ICMP_FROM_UPLINK: u32 = own::<Self>(jump::ICMP_FROM_UPLINK4, jump::ICMP_FROM_UPLINK6);
    /// Program that shows the daemon a dropped packet.
    const SAMPLE: u32 = own::<Self>(jump::SAMPLE4, jump::SAMPLE6);
    /// Program that tells a sender why its packet was dropped.
    const ICMP_REPLY: u32 = own::<Self>(jump::ICMP_REPLY4, jump::ICMP_REPLY6);
    /// Bytes of a packet that an error quotes at most (RFC 1812, section 4.3.2.3: 576 in all; RFC
    /// 4443, section 2.4 c: 1280).
    const QUOTE: u32;
    /// Host order.
    const ETHERTYPE: u16;
    /// AF_INET or AF_INET6.
    const AF: u8;
    /// Flags of networks that are about one family.
    const ROUTED: u32 = own::<Self>(flags::ROUTED4, flags::ROUTED6);
    const OPEN: u32 = own::<Self>(flags::OPEN4, flags::OPEN6);
    /// The family's ICMP, and its echo types.
    const ICMP: u8;
    const ECHO: u8;
    const ECHO_REPLY: u8;

    /// Checks the IP header and finds the transport header.
    fn find_transport(packet: &mut Packet<Self>) -> Result<(), DropReason>;
    /// Checks the header of a packet that an ICMP error quotes at `at`. Where its transport header
    /// starts in the frame, and its protocol.
    fn find_quoted(
        packet: &Packet<Self>,
        at: u32,
        ip: &Self::Header,
    ) -> Result<(u32, u8), DropReason>;
    /// Whether an ICMP message of that type is an error that quotes a packet and is translated.
    /// Source quench and redirects are not (RFC 5508, REQ-10).
    fn is_error(icmp_type: u8) -> bool;
    /// Type and code of the error that tells a sender of that drop; `None`: it is not told.
    fn error_of(reason: DropReason) -> Option<(u8, u8)>;
    /// What stands behind the checksum of a message of that type.
    fn second_word(kind: u8, mtu: u32) -> [u16; 2];
    /// The address in four words, the rest zero, as `bpf_fib_lookup` takes it.
    fn words(self) -> [u32; 4];
    /// From [`Self::words`].
    fn from_words(words: [u32; 4]) -> Self;
    /// The address that a socket is connected to.
    ///
    /// # Safety
    /// `socket` is one that a lookup helper gave and that was not released yet.
    unsafe fn peer(socket: *mut bpf_sock) -> Self;

    fn of_gateway(network: &Network) -> Self;
    fn of_endpoint(endpoint: &Endpoint) -> Self;
    /// An address that sends nothing over a network, beside those that [`Address`] tells of.
    fn is_martian(self) -> bool;
    /// A broadcast address of the network.
    fn is_broadcast(self, network: &Network) -> bool;
    fn of_uplink(uplink: &Uplink) -> Self;
}

/// The family's own of two programs.
const fn own<A: Address>(v4: u32, v6: u32) -> u32 {
    if A::VERSION == 4 { v4 } else { v6 }
}

impl Family for V4 {
    type Header = Ipv4;
    const OPEN_FROM_CONTAINER: Option<u32> = None;
    const QUOTE: u32 = 576 - 20 - 8;
    const ETHERTYPE: u16 = ethertype::IPV4;
    const AF: u8 = 2;
    const ICMP: u8 = proto::ICMP;
    const ECHO: u8 = icmp::ECHO;
    const ECHO_REPLY: u8 = icmp::ECHO_REPLY;

    #[inline(always)]
    fn find_transport(packet: &mut Packet<Self>) -> Result<(), DropReason> {
        packet.find_transport4()
    }
    #[inline(always)]
    fn find_quoted(
        _packet: &Packet<Self>,
        at: u32,
        ip: &Self::Header,
    ) -> Result<(u32, u8), DropReason> {
        find_quoted4(at, ip)
    }
    #[inline(always)]
    fn is_error(icmp_type: u8) -> bool {
        matches!(
            icmp_type,
            icmp::UNREACHABLE | icmp::TIME_EXCEEDED | icmp::PARAMETER_PROBLEM
        )
    }
    #[inline(always)]
    fn error_of(reason: DropReason) -> Option<(u8, u8)> {
        // RFC 792; code 13, "administratively prohibited", is RFC 1812's and RFC 5508's (REQ-8).
        match reason {
            DropReason::TtlExceeded => Some((icmp::TIME_EXCEEDED, 0)),
            DropReason::TooBig => Some((icmp::UNREACHABLE, 4)),
            DropReason::NoRoute => Some((icmp::UNREACHABLE, 0)),
            DropReason::NatPortsExhausted
            | DropReason::FlowTableFull
            | DropReason::SctpPortTaken
            | DropReason::ProtocolTaken => Some((icmp::UNREACHABLE, 13)),
            _ => None,
        }
    }
    #[inline(always)]
    fn second_word(kind: u8, mtu: u32) -> [u16; 2] {
        // RFC 1191, section 4.
        let is_unreachable = kind == icmp::UNREACHABLE;
        [
            0,
            if is_unreachable {
                (mtu as u16).to_be()
            } else {
                0
            },
        ]
    }
    #[inline(always)]
    fn words(self) -> [u32; 4] {
        [self.0, 0, 0, 0]
    }
    #[inline(always)]
    fn from_words([addr, ..]: [u32; 4]) -> Self {
        Self(addr)
    }
    #[inline(always)]
    unsafe fn peer(socket: *mut bpf_sock) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { (*socket).dst_ip4 })
    }
    #[inline(always)]
    fn of_gateway(network: &Network) -> Self {
        network.gateway4
    }
    #[inline(always)]
    fn of_endpoint(endpoint: &Endpoint) -> Self {
        endpoint.addr4
    }
    #[inline(always)]
    fn is_martian(self) -> bool {
        self == Self::BROADCAST
    }
    #[inline(always)]
    fn is_broadcast(self, network: &Network) -> bool {
        self == network.broadcast4 || self == Self::BROADCAST
    }
    #[inline(always)]
    fn of_uplink(uplink: &Uplink) -> Self {
        uplink.addr4
    }
}

impl Family for V6 {
    type Header = Ipv6;
    const OPEN_FROM_CONTAINER: Option<u32> = Some(jump::OPEN_FROM_CONTAINER6);
    const QUOTE: u32 = 1280 - 40 - 8;
    const ETHERTYPE: u16 = ethertype::IPV6;
    const AF: u8 = 10;
    const ICMP: u8 = proto::ICMPV6;
    const ECHO: u8 = icmpv6::ECHO;
    const ECHO_REPLY: u8 = icmpv6::ECHO_REPLY;

    #[inline(always)]
    fn find_transport(packet: &mut Packet<Self>) -> Result<(), DropReason> {
        packet.find_transport6()
    }
    #[inline(always)]
    fn find_quoted(
        packet: &Packet<Self>,
        at: u32,
        ip: &Self::Header,
    ) -> Result<(u32, u8), DropReason> {
        find_quoted6(packet, at, ip)
    }
    #[inline(always)]
    fn is_error(icmp_type: u8) -> bool {
        matches!(
            icmp_type,
            icmpv6::UNREACHABLE
                | icmpv6::TOO_BIG
                | icmpv6::TIME_EXCEEDED
                | icmpv6::PARAMETER_PROBLEM
        )
    }
    #[inline(always)]
    fn error_of(reason: DropReason) -> Option<(u8, u8)> {
        // RFC 4443, section 3.
        match reason {
            DropReason::TtlExceeded => Some((icmpv6::TIME_EXCEEDED, 0)),
            DropReason::TooBig => Some((icmpv6::TOO_BIG, 0)),
            DropReason::NoRoute => Some((icmpv6::UNREACHABLE, 0)),
            DropReason::NatPortsExhausted
            | DropReason::FlowTableFull
            | DropReason::SctpPortTaken
            | DropReason::ProtocolTaken => Some((icmpv6::UNREACHABLE, 1)),
            _ => None,
        }
    }
    #[inline(always)]
    fn second_word(kind: u8, mtu: u32) -> [u16; 2] {
        let mtu = if kind == icmpv6::TOO_BIG { mtu } else { 0 };
        [((mtu >> 16) as u16).to_be(), (mtu as u16).to_be()]
    }
    #[inline(always)]
    fn words(self) -> [u32; 4] {
        self.0
    }
    #[inline(always)]
    fn from_words(words: [u32; 4]) -> Self {
        Self(words)
    }
    #[inline(always)]
    unsafe fn peer(socket: *mut bpf_sock) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { (*socket).dst_ip6 })
    }
    #[inline(always)]
    fn of_gateway(network: &Network) -> Self {
        network.gateway6
    }
    #[inline(always)]
    fn of_endpoint(endpoint: &Endpoint) -> Self {
        endpoint.addr6
    }
    #[inline(always)]
    fn is_martian(self) -> bool {
        self.is_link_local() || self.unmapped().is_some()
    }
    #[inline(always)]
    fn is_broadcast(self, _network: &Network) -> bool {
        false
    }
    #[inline(always)]
    fn of_uplink(uplink: &Uplink) -> Self {
        uplink.addr6
    }
}
