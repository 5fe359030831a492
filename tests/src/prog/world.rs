//! The devices and addresses that programs see in a test run.

use std::{
    io::Write,
    net::{Ipv4Addr, Ipv6Addr},
    process::{Command, Stdio},
};

use netctl::kernel::names::{anchor_ifindex, endpoint_ifindex};
use netctl_common::wire::Mac;
use nix::sched::{CloneFlags, unshare};

/// IPv6 address that masqueraded flows take.
pub const UPLINK_ADDR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
/// ifindex of the uplink.
pub const UPLINK: u32 = 10;
/// Address that masqueraded flows take.
pub const UPLINK_ADDR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// MAC of the uplink, `up` in packet lines.
pub const UPLINK_MAC: Mac = Mac([0x02, 0, 0, 0, 0x64, 1]);
/// MAC of the next hop, `lan` in packet lines.
pub const LAN_MAC: Mac = Mac([0x02, 0, 0, 0, 0x64, 2]);
/// Anchor of network 1.
pub const ANCHOR: u32 = anchor_ifindex(1);
/// MAC of network 1's anchor, `gw` in packet lines.
pub const GATEWAY_MAC: Mac = gateway_mac(1);

/// Names of addresses in packet lines: the members of the usual bench, the gateways, the uplink and
/// its next hop, servers outside, a router on the way to them.
pub(super) const ADDRESSES: &[(&str, Ipv4Addr, Ipv6Addr)] = {
    const fn inside(network: u32, last: u8) -> (Ipv4Addr, Ipv6Addr) {
        let v4 = Ipv4Addr::new(172, 17 + network as u8, 0, last);
        (v4, addr6(network, v4))
    }
    const fn outside(last: u8) -> (Ipv4Addr, Ipv6Addr) {
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last as u16);
        (Ipv4Addr::new(203, 0, 113, last), v6)
    }
    const HOP: (Ipv4Addr, Ipv6Addr) = (
        Ipv4Addr::new(198, 51, 100, 2),
        Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2),
    );
    const GW: (Ipv4Addr, Ipv6Addr) = inside(1, 1);
    const WEB: (Ipv4Addr, Ipv6Addr) = inside(1, 2);
    const CLI: (Ipv4Addr, Ipv6Addr) = inside(1, 3);
    const NOBODY: (Ipv4Addr, Ipv6Addr) = inside(1, 77);
    const GW2: (Ipv4Addr, Ipv6Addr) = inside(2, 1);
    const FAR: (Ipv4Addr, Ipv6Addr) = inside(2, 2);
    const WEB2: (Ipv4Addr, Ipv6Addr) = inside(2, 3);
    const OUT: (Ipv4Addr, Ipv6Addr) = outside(9);
    const OUT2: (Ipv4Addr, Ipv6Addr) = outside(10);
    const ROUTER: (Ipv4Addr, Ipv6Addr) = outside(77);
    &[
        ("gw", GW.0, GW.1),
        ("web", WEB.0, WEB.1),
        ("cli", CLI.0, CLI.1),
        ("nobody", NOBODY.0, NOBODY.1),
        ("gw2", GW2.0, GW2.1),
        ("far", FAR.0, FAR.1),
        ("web2", WEB2.0, WEB2.1),
        ("up", UPLINK_ADDR, UPLINK_ADDR6),
        ("hop", HOP.0, HOP.1),
        ("out", OUT.0, OUT.1),
        ("out2", OUT2.0, OUT2.1),
        ("router", ROUTER.0, ROUTER.1),
    ]
};

/// A network of the fixture: 172.(17 + id).0.0/24 and fd00:0:0:ID::/64, gateway .1 and ::1.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub id: u32,
    /// [`netctl_common::network::flags`].
    pub flags: u32,
}

/// An endpoint of the fixture.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    pub id: u32,
    pub network: u32,
    /// Name of its MAC in packet lines.
    pub name: &'static str,
    pub addr: Ipv4Addr,
}

pub(super) const fn gateway(network: u32) -> Ipv4Addr {
    Ipv4Addr::new(172, 17 + network as u8, 0, 1)
}

pub(super) const fn gateway6(network: u32) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, network as u16, 0, 0, 0, 1)
}

/// The IPv6 address of an endpoint that has that IPv4 address: the same last number.
pub const fn addr6(network: u32, addr: Ipv4Addr) -> Ipv6Addr {
    let [.., last] = addr.octets();
    Ipv6Addr::new(0xfd00, 0, 0, network as u16, 0, 0, 0, last as u16)
}

pub(super) const fn gateway_mac(network: u32) -> Mac {
    Mac([0x02, 0x67, 0x77, 0, 0, network as u8])
}

/// MAC inside an endpoint's container.
pub const fn endpoint_mac(id: u32) -> Mac {
    Mac([0x02, 0xec, 0, 0, (id >> 8) as u8, id as u8])
}

/// Moves the calling thread into a new namespace with an uplink that has a default route and a
/// known next hop.
#[track_caller]
pub(super) fn enter() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run as root");
    // IPv6 greets its neighbours by itself: frames that a test would count.
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    ip(&format!(
        "link set lo up\n\
         link add up0 index {UPLINK} address {UPLINK_MAC} type veth peer name lan0 address {LAN_MAC}\n\
         link set lan0 up\n\
         addr add {UPLINK_ADDR}/24 dev up0\n\
         link set up0 up\n\
         neigh add 198.51.100.2 lladdr {LAN_MAC} dev up0 nud permanent\n\
         route add default via 198.51.100.2\n"
    ));
    with_ipv6("up0");
    ip(&format!(
        "addr add {UPLINK_ADDR6}/64 dev up0 nodad\n\
         neigh add 2001:db8:100::2 lladdr {LAN_MAC} dev up0 nud permanent\n\
         route add default via 2001:db8:100::2\n"
    ));
}

/// Gives one interface IPv6, without addresses of its own making.
fn with_ipv6(name: &str) {
    let conf = format!("/proc/sys/net/ipv6/conf/{name}");
    for (key, value) in [
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
        ("disable_ipv6", "0"),
        ("forwarding", "1"),
    ] {
        std::fs::write(format!("{conf}/{key}"), value).unwrap();
    }
}

#[track_caller]
pub(super) fn add_network(network: &Network) {
    let name = format!("nc-br{}", network.id);
    ip(&format!(
        "link add {name} index {} address {} type bridge\n\
         link set {name} arp off\n\
         addr add {}/24 dev {name}\n\
         link set {name} up\n",
        anchor_ifindex(network.id),
        gateway_mac(network.id),
        gateway(network.id),
    ));
    let forwarding = format!("/proc/sys/net/ipv4/conf/{name}/forwarding");
    std::fs::write(forwarding, "1").unwrap();
    with_ipv6(&name);
    ip(&format!(
        "addr add {}/64 dev {name} nodad\n",
        gateway6(network.id)
    ));
}

#[track_caller]
pub(super) fn add_endpoint(endpoint: &Endpoint) {
    let (id, index) = (endpoint.id, endpoint_ifindex(endpoint.id));
    ip(&format!(
        "link add nc-ep{id} index {index} type veth peer name in{id} address {}\n\
         link set nc-ep{id} up\n\
         link set in{id} up\n",
        endpoint_mac(id)
    ));
}

/// Packets that an interface of the calling thread's namespace has received.
#[track_caller]
pub(super) fn received(name: &str) -> u64 {
    // /proc/net would show the process's namespace, not this thread's.
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let fields = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(interface, _)| interface.trim() == name)
        .map(|(_, fields)| fields.split_whitespace().nth(1).unwrap().parse().unwrap());
    fields.unwrap_or_else(|| panic!("no interface {name}"))
}

#[track_caller]
pub(super) fn ip(script: &str) {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "ip -batch:\n{script}");
}
