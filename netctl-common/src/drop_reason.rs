//! Why a packet was dropped: one list for the kernel's counters, the CLI, the metrics and docs.

macro_rules! drop_reasons {
    ($($name:ident = $number:literal, $text:literal, $doc:literal;)+) => {
        /// Reason of a drop; the number is the index into the DROPS array.
        #[repr(u32)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum DropReason {
            $(#[doc = $doc] $name = $number,)+
        }

        impl DropReason {
            /// Every reason, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in counters and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// One sentence for a person who asks why.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $doc,)+ }
            }
        }
    };
}

drop_reasons! {
    Malformed = 0, "malformed", "A header was cut short or contradicts itself.";
    NoEndpoint = 1, "no_endpoint", "The interface has no endpoint (yet, or any more).";
    SpoofedMac = 2, "spoofed_mac", "The source MAC is not the container's own.";
    SpoofedSource = 3, "spoofed_source", "The source address is not the sender's own.";
    SpoofedArp = 4, "spoofed_arp", "An ARP packet speaks for somebody else's address.";
    ArpUnanswered = 5, "arp_unanswered", "An ARP request for an address that nobody in the network has, or an announcement.";
    UnknownEtherType = 6, "unknown_ethertype", "Neither IPv4, IPv6 nor ARP, or a frame with a VLAN tag.";
    UnknownUnicast = 7, "unknown_unicast", "No endpoint of the network has the destination MAC.";
    UnknownDestination = 8, "unknown_destination", "No endpoint has the destination address.";
    NetworkIsolated = 9, "network_isolated", "The destination belongs to another network.";
    IccDisabled = 10, "icc_disabled", "Direct traffic inside the network is switched off (--no-icc).";
    InternalNetwork = 11, "internal_network", "The network has no way out (--internal).";
    MartianAddress = 12, "martian_address", "A loopback, multicast or zero address where none may be.";
    NoRoute = 13, "no_route", "The host has no route to the destination.";
    NoSourceAddress = 14, "no_source_address", "The uplink has no address to masquerade with.";
    NatPortsExhausted = 15, "nat_ports_exhausted", "No free source port was found.";
    FlowTableFull = 16, "flow_table_full", "The flow table is full; established flows go on.";
    NoFlow = 17, "no_flow", "A closing packet of a connection that is not known, or an answer that nobody asked for.";
    TtlExceeded = 18, "ttl_exceeded", "The packet's time to live ran out here.";
    TooBig = 19, "too_big", "Larger than the outgoing interface's MTU.";
    Fragment = 20, "fragment", "A fragment that overlaps another one, or whose first one was not seen.";
    UnknownProtocol = 21, "unknown_protocol", "A later fragment of a datagram that belongs to no flow.";
    IcmpUnsupported = 22, "icmp_unsupported", "An ICMP message that cannot be translated: neither an echo nor an error about a known flow.";
    FloodLimit = 23, "flood_limit", "More broadcasts and multicasts a second than an endpoint may send.";
    FromOutside = 24, "from_outside", "An outside packet for a container's own address: only published ports are open.";
    NotFromHost = 25, "not_from_host", "A packet towards a container that the host did not send itself.";
    RewriteFailed = 26, "rewrite_failed", "The kernel refused to change the packet.";
    RedirectFailed = 27, "redirect_failed", "The kernel refused to hand the packet on.";
    Ipv6Disabled = 28, "ipv6_disabled", "An IPv6 packet from an endpoint that has no IPv6 address.";
    SpoofedNd = 29, "spoofed_nd", "A neighbour advertisement speaks for somebody else's address.";
    NdUnanswered = 30, "nd_unanswered", "A neighbour solicitation for an address that nobody in the network has, or an announcement.";
    RouterAdvertisement = 31, "router_advertisement", "A router advertisement or redirect from a container: nobody but the gateway routes.";
    DhcpServer = 32, "dhcp_server", "A DHCP server's answer from a container: addresses come from netctl.";
    Unsolicited = 33, "unsolicited", "An outside packet for a masqueraded port, from somebody that the container did not send to.";
    SctpPortTaken = 34, "sctp_port_taken", "An SCTP packet whose source port another flow, or the host, has towards the same destination: SCTP's checksum covers the ports, so they are not changed.";
    ProtocolTaken = 35, "protocol_taken", "A protocol without ports that another container, or the host, talks with the same destination: answers could not be told apart.";
    FlowTableBusy = 36, "flow_table_busy", "The kernel could not lock the flow table in time; the next packet makes the flow.";
    NotAllowed = 37, "not_allowed", "The published port's allow-list does not name the source.";
    LimitConnections = 38, "limit_connections", "More new connections from one source than the published port's limit.";
    LimitPackets = 39, "limit_packets", "More packets from one source than the published port's limit.";
}

/// Entries of the DROPS array.
pub const DROP_REASONS: u32 = 40;

const _: () = assert!(DropReason::ALL.len() == DROP_REASONS as usize);
