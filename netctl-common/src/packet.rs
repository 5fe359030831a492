//! Numbers of the headers that the datapath reads, with where they are defined.

/// Length of an Ethernet header without VLAN tag.
pub const ETH_LEN: u32 = 14;
/// Length of an IPv4 header without options (RFC 791).
pub const IPV4_LEN: u32 = 20;

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
}

/// ICMP types (RFC 792).
pub mod icmp {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Echo request.
    pub const ECHO: u8 = 8;
}

/// ARP operations, host order (RFC 826).
pub mod arp {
    /// Request.
    pub const REQUEST: u16 = 1;
    /// Reply.
    pub const REPLY: u16 = 2;
}
