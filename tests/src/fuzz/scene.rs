//! What the fuzzed programs find: networks of every kind, members, published ports, live flows;
//! and the facts about them that the judge goes by.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use netctl::kernel::names::endpoint_ifindex;
use netctl_common::{
    network::flags::{
        FILTER_BY_ADDRESS, FILTER_NONE, ICC, INTERNAL, MAPPING_BY_DESTINATION, MASQUERADE, OPEN4,
        OPEN6, ROUTED4, ROUTED6,
    },
    settings,
    wire::Mac,
};

use super::{random::Random, seeds};
use crate::{
    eventually::wait_for,
    packet::frame::proto,
    prog::{
        ANCHOR, Bench, Endpoint, Network, Program, UPLINK, UPLINK_ADDR, UPLINK_ADDR6, addr6,
        endpoint_mac,
    },
};

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// Entries of the flow table: few enough that an epoch now and then fills it.
const FLOWS: u32 = 16_384;

/// A network's kind.
#[derive(Clone, Copy)]
pub(super) struct Net {
    pub(super) id: u32,
    pub(super) flags: u32,
    pub(super) mac: [u8; 6],
}

impl Net {
    /// Whether what leaves it takes the uplink's address, unless the outside asked first.
    pub(super) fn is_masqueraded(&self) -> bool {
        self.flags & (MASQUERADE | ROUTED4 | ROUTED6) == MASQUERADE
    }

    /// Whether the outside reaches all its ports by routing.
    pub(super) fn is_open(&self) -> bool {
        self.flags & (OPEN4 | OPEN6) != 0
    }
}

/// A container.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) id: u32,
    pub(super) net: Net,
    pub(super) mac: [u8; 6],
    /// One of each family.
    pub(super) addrs: [IpAddr; 2],
    pub(super) link_local: IpAddr,
}

impl Member {
    /// Whether the address is its own.
    pub(super) fn has(&self, addr: IpAddr) -> bool {
        self.addrs.contains(&addr) || addr == self.link_local
    }
}

/// What the judge knows.
pub(super) struct Facts {
    pub(super) nets: Vec<Net>,
    pub(super) members: Vec<Member>,
    /// (First address, prefix length) of every network.
    pub(super) subnets: Vec<(IpAddr, u32)>,
    /// The host's own addresses.
    pub(super) locals: Vec<IpAddr>,
    /// What masqueraded packets have as their source.
    pub(super) uplinks: Vec<IpAddr>,
}

impl Facts {
    /// Whether the address is in a network's subnet.
    pub(super) fn is_inside(&self, addr: IpAddr) -> bool {
        self.subnets
            .iter()
            .any(|(first, length)| match (addr, first) {
                (IpAddr::V4(addr), IpAddr::V4(first)) => {
                    (addr.to_bits() ^ first.to_bits()) >> (32 - length) == 0
                }
                (IpAddr::V6(addr), IpAddr::V6(first)) => {
                    (addr.to_bits() ^ first.to_bits()) >> (128 - length) == 0
                }
                _ => false,
            })
    }

    /// Whether the host itself has the address.
    pub(super) fn is_local(&self, addr: IpAddr) -> bool {
        self.locals.contains(&addr)
    }

    /// The container with that MAC.
    pub(super) fn member(&self, mac: &[u8]) -> Option<&Member> {
        self.members.iter().find(|member| member.mac == *mac)
    }
}

/// A packet that is all right, and where it comes from.
pub(super) struct Seed {
    pub(super) program: Program,
    /// The endpoint that sends it, for `from_container`.
    pub(super) endpoint: u32,
    pub(super) bytes: Vec<u8>,
}

impl Seed {
    /// Interface that the program runs on.
    pub(super) fn ifindex(&self) -> u32 {
        match self.program {
            Program::FromContainer => endpoint_ifindex(self.endpoint),
            Program::FromUplink => UPLINK,
            Program::FromHost => ANCHOR,
        }
    }
}

/// Values that mean something here, for mutations to put in.
pub(super) struct Dictionary {
    pub(super) macs: Vec<[u8; 6]>,
    pub(super) addrs: Vec<IpAddr>,
    pub(super) ports: Vec<u16>,
    /// (Side is the sender's) tuples of live flows: source, destination, ports, protocol.
    pub(super) tuples: Vec<(IpAddr, IpAddr, u16, u16, u8)>,
}

pub(super) struct Scene {
    pub(super) bench: Bench,
    pub(super) facts: Facts,
    opening: Vec<Seed>,
    pub(super) seeds: Vec<Seed>,
    pub(super) words: Dictionary,
}

/// Name, network, last number of the address.
const MEMBERS: [(u32, u32, &str); 9] = [
    (1, 1, "web"),
    (2, 1, "cli"),
    (3, 2, "far"),
    (4, 3, "shut"),
    (5, 4, "plain"),
    (6, 5, "open"),
    (7, 6, "strict"),
    (8, 7, "led"),
    (9, 8, "bare"),
];

/// Networks: usual, another usual one without direct traffic, internal, not masqueraded; with
/// mappings that strangers may use, with a port for each destination; reached by routing, by
/// published ports and by all.
const NETS: [(u32, u32); 8] = [
    (1, ICC | MASQUERADE),
    (2, MASQUERADE | FILTER_BY_ADDRESS),
    (3, ICC | MASQUERADE | INTERNAL),
    (4, ICC),
    (5, ICC | MASQUERADE | FILTER_NONE),
    (6, ICC | MASQUERADE | MAPPING_BY_DESTINATION),
    (7, ICC | MASQUERADE | ROUTED4 | ROUTED6),
    (8, ICC | MASQUERADE | OPEN4 | OPEN6),
];

impl Scene {
    /// Devices and maps; in a network namespace of the thread's own from now on.
    #[track_caller]
    pub(super) fn new() -> Self {
        let mut bench = Bench::with_flows(FLOWS);
        let mut facts = Facts {
            nets: Vec::new(),
            members: Vec::new(),
            subnets: Vec::new(),
            locals: vec![UPLINK_ADDR.into(), UPLINK_ADDR6.into()],
            uplinks: vec![UPLINK_ADDR.into(), UPLINK_ADDR6.into()],
        };
        for (id, flags) in NETS {
            bench.network(Network { id, flags });
            let mac = bench.gateway_mac(id);
            facts.nets.push(Net {
                id,
                flags,
                mac: mac.0,
            });
            let address = |last| IpAddr::V4(Ipv4Addr::new(172, 17 + id as u8, 0, last));
            facts.subnets.push((address(0), 24));
            facts.locals.push(address(1));
            let gateway = addr6(id, Ipv4Addr::new(0, 0, 0, 1));
            facts
                .subnets
                .push((addr6(id, Ipv4Addr::UNSPECIFIED).into(), 64));
            facts.locals.push(gateway.into());
            facts.locals.push(link_local(mac).into());
        }
        bench.names = bench
            .names
            .clone()
            .with("gw3", Mac(facts.nets[2].mac))
            .with("gw4", Mac(facts.nets[3].mac))
            .with("gw5", Mac(facts.nets[4].mac))
            .with("gw6", Mac(facts.nets[5].mac))
            .with("gw7", Mac(facts.nets[6].mac))
            .with("gw8", Mac(facts.nets[7].mac));
        for (id, network, name) in MEMBERS {
            let last = if id == 2 { 3 } else { 2 };
            let addr = Ipv4Addr::new(172, 17 + network as u8, 0, last);
            bench.endpoint(Endpoint {
                id,
                network,
                name,
                addr,
            });
            facts.members.push(Member {
                id,
                net: facts.nets[network as usize - 1],
                mac: endpoint_mac(id).0,
                addrs: [addr.into(), addr6(network, addr).into()],
                link_local: link_local(endpoint_mac(id)).into(),
            });
        }
        publish(&mut bench);
        let (opening, seeds) = (seeds::opening(&bench), seeds::all(&bench));
        let words = words(&facts);
        Self {
            bench,
            facts,
            opening,
            seeds,
            words,
        }
    }

    /// Brings everything to where an epoch of that stream begins: settings, and flows.
    #[track_caller]
    pub(super) fn begin(&mut self, epoch: u64) {
        let mut random = Random::new(epoch, 0x5e77);
        self.bench.settings(|settings| {
            settings.nat_port_first = if random.once_in(8) { 65_500 } else { 61_000 };
            settings.flood_rate = 4;
            let peer = settings::flags::REDIRECT_PEER;
            settings.flags &= !peer;
            if random.once_in(2) {
                settings.flags |= peer;
            }
        });
        self.bench.forget_flows();
        for seed in &self.opening {
            let (program, ifindex) = (seed.program, seed.ifindex());
            // A range that the last epoch has filled is not searched again for a tenth of a second.
            wait_for("a flow that is opened", Duration::from_secs(5), || {
                let outcome = self.bench.run_bytes(program, ifindex, &seed.bytes, None);
                outcome.drops.is_empty()
            });
        }
        let (flows, flows6) = (self.bench.flows(), self.bench.flows6());
        let entries = flows.len() + flows6.len();
        assert_eq!(entries, 2 * self.opening.len(), "{flows:#?} {flows6:#?}");
        self.words.tuples.clear();
        self.words.tuples.extend(flows.iter().map(|(key, _)| {
            let ends = (
                Ipv4Addr::from(key.src).into(),
                Ipv4Addr::from(key.dst).into(),
            );
            (ends.0, ends.1, key.sport.get(), key.dport.get(), key.proto)
        }));
        self.words.tuples.extend(flows6.iter().map(|(key, _)| {
            let ends = (
                Ipv6Addr::from(key.src).into(),
                Ipv6Addr::from(key.dst).into(),
            );
            (ends.0, ends.1, key.sport.get(), key.dport.get(), key.proto)
        }));
        // The table has no order of its own that would be the same in every run.
        self.words.tuples.sort_unstable();
    }
}

/// A MAC's link-local address (RFC 4291, appendix A).
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let [x, y, z, w] = [word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f)];
    Ipv6Addr::new(0xfe80, 0, 0, 0, x, y, z, w)
}

fn publish(bench: &mut Bench) {
    let (web, far) = (Ipv4Addr::new(172, 18, 0, 2), Ipv4Addr::new(172, 19, 0, 2));
    bench.publish(1, proto::TCP, (ANY, 8080, 8080), (1, web, 80));
    bench.publish(2, proto::UDP, (ANY, 5353, 5353), (1, web, 53));
    bench.publish(3, proto::TCP, (ANY, 10_000, 10_099), (3, far, 20_000));
    let range = (UPLINK_ADDR, 10_000, 10_099);
    bench.publish(4, proto::UDP, range, (3, far, 20_000));
    bench.publish(5, proto::SCTP, (ANY, 9_999, 9_999), (1, web, 9_999));
    let (web, far) = (addr6(1, web), addr6(2, far));
    let any = Ipv6Addr::UNSPECIFIED;
    bench.publish(6, proto::TCP, (any, 8080, 8080), (1, web, 80));
    bench.publish(7, proto::UDP, (any, 5353, 5353), (1, web, 53));
    bench.publish(
        8,
        proto::UDP,
        (UPLINK_ADDR6, 10_000, 10_099),
        (3, far, 20_000),
    );
    let led = Ipv4Addr::new(172, 24, 0, 2);
    bench.publish(9, proto::TCP, (led, 80, 80), (8, led, 80));
    let led = addr6(7, led);
    bench.publish(10, proto::TCP, (led, 80, 80), (8, led, 80));
}

fn words(facts: &Facts) -> Dictionary {
    let mut macs = vec![
        [0xff; 6],
        [0; 6],
        [0x01, 0, 0x5e, 0, 0, 1],
        crate::prog::UPLINK_MAC.0,
        crate::prog::LAN_MAC.0,
    ];
    macs.extend(facts.nets.iter().map(|net| net.mac));
    macs.extend(facts.members.iter().map(|member| member.mac));
    let text = [
        "0.0.0.0",
        "127.0.0.1",
        "127.9.9.9",
        "224.0.0.1",
        "255.255.255.255",
        "172.18.0.0",
        "172.18.0.9",
        "172.18.0.255",
        "203.0.113.9",
        "198.51.100.2",
        "240.0.0.1",
        "::",
        "::1",
        "ff02::1",
        "ff02::1:ff00:1",
        "fe80::1",
        "fd00:0:0:1::9",
        "2001:db8::9",
        "2001:db8:100::2",
        "::ffff:127.0.0.1",
    ];
    let mut addrs: Vec<IpAddr> = text.iter().filter_map(|addr| addr.parse().ok()).collect();
    addrs.extend(&facts.locals);
    addrs.extend(facts.members.iter().flat_map(|member| member.addrs));
    addrs.extend(facts.members.iter().map(|member| member.link_local));
    Dictionary {
        macs,
        addrs,
        ports: vec![
            0, 1, 22, 53, 80, 4000, 5000, 5353, 8080, 9999, 10_000, 10_050, 10_099, 10_100, 20_000,
            32_768, 40_000, 60_999, 61_000, 65_535,
        ],
        tuples: Vec::new(),
    }
}
