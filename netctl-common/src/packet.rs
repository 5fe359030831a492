//! Numbers of the headers that the datapath reads, with where they are defined.

/// Length of an Ethernet header without VLAN tag.
pub const ETH_LEN: u32 = 14;
/// Length of an IPv4 header without options (RFC 791).
pub const IPV4_LEN: u32 = 20;
/// Length of an IPv6 header without extension headers (RFC 8200).
pub const IPV6_LEN: u32 = 40;

/// EtherTypes, host order (IEEE 802 numbers).
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
}

/// IP protocol numbers (IANA).
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// Hop-by-hop options (RFC 8200, section 4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// Routing header.
    pub const ROUTING: u8 = 43;
    /// Fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header, whose length counts in 4-byte units (RFC 4302).
    pub const AUTH: u8 = 51;
    /// No next header.
    pub const NO_NEXT: u8 = 59;
    /// Destination options.
    pub const DESTINATION: u8 = 60;
    /// Mobility header (RFC 6275).
    pub const MOBILITY: u8 = 135;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;

    /// Whether packets of that protocol tell of a connection's beginning and end.
    #[inline(always)]
    pub const fn has_connections(protocol: u8) -> bool {
        protocol == TCP || protocol == SCTP
    }
}

/// ICMP types (RFC 792).
pub mod icmp {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Echo request.
    pub const ECHO: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// ICMPv6 types (RFC 4443, RFC 4861).
pub mod icmpv6 {
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Multicast listener query: the first of the listener types of RFC 2710.
    pub const LISTENER_QUERY: u8 = 130;
    /// Multicast listener done: the last of them.
    pub const LISTENER_DONE: u8 = 132;
    /// Multicast listener report of RFC 3810.
    pub const LISTENER_REPORT_V2: u8 = 143;
    /// Router solicitation: the first of the neighbour discovery types.
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router advertisement.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbour solicitation.
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement.
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Redirect: the last of the neighbour discovery types.
    pub const REDIRECT: u8 = 137;
}

/// Ports of DHCP, host order (RFC 2131, section 4.1; RFC 8415, section 7.2).
pub mod dhcp {
    /// The server's.
    pub const SERVER: u16 = 67;
    /// The client's.
    pub const CLIENT: u16 = 68;
    /// The server's, of DHCPv6.
    pub const SERVER6: u16 = 547;
    /// The client's, of DHCPv6.
    pub const CLIENT6: u16 = 546;
}

/// ARP operations, host order (RFC 826).
pub mod arp {
    /// Request.
    pub const REQUEST: u16 = 1;
    /// Reply.
    pub const REPLY: u16 = 2;
}
