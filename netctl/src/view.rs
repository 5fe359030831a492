//! What is seen of the running machine: filled in by `kernel` and `reconcile`, served as JSON by
//! the API, shown as tables by the CLI, exported by the metrics.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::PortId;

/// The host as netlink shows it: what front ends check input against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// By interface index.
    pub uplinks: BTreeMap<u32, Uplink>,
    /// Every address of the host (loopback included) with its interface index. Not those of
    /// fe80::/10, which mean nothing without an interface.
    pub addresses: BTreeMap<IpAddr, u32>,
    /// Destinations of the host's routes that are not ours, not a default route and not
    /// link-local.
    pub routes: Vec<IpNet>,
    /// Interface index of the IPv4 default route with the lowest metric.
    pub default_uplink: Option<u32>,
    /// The same of IPv6.
    pub default_uplink6: Option<u32>,
    /// Why networks cannot have IPv6 here; none: they can.
    pub no_ipv6: Option<String>,
}

impl Host {
    /// MTU for networks that have none of their own: what passes every uplink in use, which is
    /// one with an address. A tunnel counts when it has a default route: others carry what
    /// fits, and tell who sends more.
    pub fn mtu(&self) -> Option<u32> {
        let defaults = [self.default_uplink, self.default_uplink6];
        let used = self.uplinks.iter().filter(|(index, uplink)| {
            let addressed = uplink.address.is_some() || uplink.address6.is_some();
            addressed && (uplink.mac.is_some() || defaults.contains(&Some(**index)))
        });
        let smallest = used.map(|(_, uplink)| uplink.mtu).min();
        smallest.or_else(|| self.uplinks.values().map(|uplink| uplink.mtu).min())
    }
}

/// An interface towards the outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uplink {
    pub name: String,
    pub mtu: u32,
    /// None where frames have no Ethernet header (tun, WireGuard).
    pub mac: Option<String>,
    /// Address that masqueraded IPv4 flows take.
    pub address: Option<Ipv4Addr>,
    /// Address that masqueraded IPv6 flows take: a global or unique local one.
    pub address6: Option<Ipv6Addr>,
}

/// One tracked connection, seen from the direction that opened it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// tcp, udp, icmp, icmpv6, sctp.
    pub proto: String,
    /// snat, dnat, hairpin, local (a host process through a published port) or routed.
    pub kind: String,
    /// TCP state; for others "unreplied" or "replied".
    pub state: String,
    /// Tuple as the opening side sent it. For ICMP the ports are the echo identifier.
    pub src: SocketAddr,
    pub dst: SocketAddr,
    /// Tuple as the answering side sees it.
    pub translated_src: SocketAddr,
    pub translated_dst: SocketAddr,
    /// Endpoint's interface index (`kernel::names::endpoint_ifindex`).
    pub endpoint: u32,
    /// Published port it came through.
    pub port_id: Option<PortId>,
    /// Seconds since the last packet of either direction (to about a second).
    pub idle_seconds: u64,
    /// Seconds until it is swept if no packet comes.
    pub expires_seconds: u64,
}

/// Dropped packets of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    pub reason: String,
    pub description: String,
    pub packets: u64,
    /// Latest samples, newest first, at most 8.
    pub samples: Vec<DropSample>,
}

/// One dropped packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropSample {
    /// Seconds since 1970.
    pub time: u64,
    pub interface: String,
    pub src_mac: String,
    pub dst_mac: String,
    /// For example `tcp 172.18.0.2:4242 -> 198.51.100.1:80`, or `ethertype 0x86dd`.
    pub packet: String,
}

/// Counters of one published host port that saw traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    pub port_id: PortId,
    pub host_port: u16,
    /// Towards the container.
    pub rx_packets: u64,
    pub rx_bytes: u64,
    /// From the container.
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub connections_opened: u64,
    pub connections_active: u64,
    /// Packets that the port's rules refused, by `netctl_common::shield::refused`.
    pub refused: [u64; 3],
}

/// Health of the daemon: what the last pass of each kind found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// True when the last full pass left nothing to do and nothing failed.
    pub healthy: bool,
    /// The machine's features that were chosen, for example "attach" -> "tcx".
    pub features: BTreeMap<String, String>,
    pub passes: u64,
    /// Seconds since 1970 of the last complete pass.
    pub last_pass: Option<u64>,
    pub last_pass_milliseconds: u64,
    /// Steps that the last passes had to take to heal drift, newest first, at most 32.
    pub healed: Vec<Healed>,
    /// Steps that keep failing, with the error.
    pub failures: Vec<String>,
    pub uplinks: Vec<Uplink>,
    /// How each uplink keeps the rules of published ports, by its name; empty where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shield: BTreeMap<String, String>,
    /// Things that work less well than they could, for a person: e.g. an interface that was
    /// skipped since it has no Ethernet header.
    pub warnings: Vec<String>,
}

/// A container engine whose networks are adopted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    pub socket: PathBuf,
    /// Whether its own bridge networks are served, not only those of the network driver.
    pub adopts: bool,
    /// What is served is what the engine has; else what it had when it was last seen.
    pub connected: bool,
    pub version: Option<String>,
    /// Why there is no connection.
    pub error: Option<String>,
    /// Of those that are adopted: as the engine has them.
    pub networks: usize,
    /// That run.
    pub containers: usize,
    /// What cannot be served, and what to do about it.
    pub problems: Vec<String>,
}

/// Something that was found changed by others and put right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healed {
    /// Seconds since 1970.
    pub time: u64,
    pub step: String,
}

/// Totals for the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub flows4: u64,
    pub flows6: u64,
    pub endpoints: u64,
    pub networks: u64,
    pub published_ports: u64,
    pub reconcile_microseconds_sum: u64,
    pub reconcile_count: u64,
    pub reconcile_failures: u64,
}
