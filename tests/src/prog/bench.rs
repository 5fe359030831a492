//! The bench: a world, the maps filled to match it, and packets put in by line.

use std::{
    collections::BTreeMap,
    io,
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr},
    os::fd::AsFd,
    time::Duration,
};

use aya::{Ebpf, programs::SchedClassifier};
use netctl::kernel::names::{anchor_ifindex, endpoint_ifindex};
use netctl_common::{event::DropEvent, jump, settings::Settings, wire::Mac};

use super::{
    maps, object,
    outcome::{Outcome, Verdict},
    run::{self, Ran, Shot},
    world::{self, Endpoint, LAN_MAC, Network, UPLINK, UPLINK_ADDR, UPLINK_ADDR6, UPLINK_MAC},
};
use crate::{
    need::not_run,
    packet::{self, Family, Names},
};

/// Whether a program is jumped to for ARP and IPv4 as well.
fn is_common(name: &str) -> bool {
    let is_jumped_to = jump::ALL.iter().any(|(_, program)| *program == name);
    is_jumped_to && !name.ends_with('6') && !name.starts_with("from_") && name != "nd"
}

/// A classifier of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    FromContainer,
    FromHost,
    FromUplink,
}

impl Program {
    /// Itself, and where what it jumped to comes back to it.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::FromContainer => &["from_container"],
            Self::FromHost => &["from_host"],
            Self::FromUplink => &["from_uplink", "from_uplink4"],
        }
    }

    /// Its symbol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FromContainer => "from_container",
            Self::FromHost => "from_host",
            Self::FromUplink => "from_uplink",
        }
    }
}

/// See the module. Bound to its thread, whose network namespace is its world.
pub struct Bench {
    pub(super) ebpf: Ebpf,
    /// Names of MACs in packet lines.
    pub names: Names,
    pub(super) settings: Settings,
    pub(super) members: BTreeMap<u32, Vec<u32>>,
    /// Interface that packets on an anchor were received on; 0: the host sent them itself.
    pub forwarded_from: u32,
    _thread: PhantomData<*mut ()>,
}

impl Bench {
    /// An uplink and nothing else.
    #[track_caller]
    pub fn new() -> Self {
        Self::with_flows(object::TEST_FLOWS)
    }

    /// With a flow table of that size, and room for as many mappings.
    #[track_caller]
    pub fn with_flows(flows: u32) -> Self {
        Self::with_tables(flows, flows.max(object::TEST_FLOWS))
    }

    #[track_caller]
    fn with_tables(flows: u32, mappings: u32) -> Self {
        world::enter();
        // Programs are loaded when they are first run: the verifier takes its time.
        let mut ebpf = object::load((flows, mappings), is_common);
        let common = jump::ALL.iter().map(|(_, name)| *name);
        let common: Vec<&str> = common.filter(|name| is_common(name)).collect();
        maps::connect_jumps(&mut ebpf, &common);
        let settings = Settings {
            flags: 0,
            generic_seconds: 600,
            host_cookie: 0,
            nat_port_first: 61000,
            nat_port_last: 65535,
            local_port_first: 32768,
            local_port_last: 60999,
            hz: 250,
            flood_rate: 1000,
            ..Settings::default()
        };
        let mut bench = Self {
            ebpf,
            names: Names::default()
                .with("up", UPLINK_MAC)
                .with("lan", LAN_MAC)
                .with("gw", world::gateway_mac(1))
                .with("gw2", world::gateway_mac(2))
                .with_addresses(world::ADDRESSES),
            settings,
            members: BTreeMap::new(),
            forwarded_from: 0,
            _thread: PhantomData,
        };
        bench.settings(|_| ());
        bench.uplink_address(UPLINK_ADDR, UPLINK_ADDR6);
        bench.default_uplink(UPLINK);
        bench.local(UPLINK_ADDR, UPLINK);
        bench.local(UPLINK_ADDR6, UPLINK);
        bench
    }

    /// The world that most tests want: network 1 with `web` 172.18.0.2 and `cli` 172.18.0.3,
    /// network 2 with `far` 172.19.0.2.
    #[track_caller]
    pub fn usual() -> Self {
        Self::usual_with_flows(object::TEST_FLOWS)
    }

    /// The same for a story of that family: what names in braces stand for.
    #[track_caller]
    pub fn usual_in(family: Family) -> Self {
        let mut bench = Self::usual();
        bench.names.family = family;
        bench
    }

    /// Address of that name in the story's family.
    #[track_caller]
    pub fn addr(&self, name: &str) -> IpAddr {
        self.names.addr(name)
    }

    /// The same with a flow table of that size.
    #[track_caller]
    pub fn usual_with_flows(flows: u32) -> Self {
        Self::with_flows(flows).populate()
    }

    /// The same with that many entries for mappings, of which each takes two.
    #[track_caller]
    pub fn usual_with_mappings(mappings: u32) -> Self {
        Self::with_tables(object::TEST_FLOWS, mappings).populate()
    }

    #[track_caller]
    fn populate(mut self) -> Self {
        use netctl_common::network::flags::{ICC, MASQUERADE};
        let bench = &mut self;
        bench.network(Network {
            id: 1,
            flags: ICC | MASQUERADE,
        });
        bench.network(Network {
            id: 2,
            flags: ICC | MASQUERADE,
        });
        bench.endpoint(Endpoint {
            id: 1,
            network: 1,
            name: "web",
            addr: Ipv4Addr::new(172, 18, 0, 2),
        });
        bench.endpoint(Endpoint {
            id: 2,
            network: 1,
            name: "cli",
            addr: Ipv4Addr::new(172, 18, 0, 3),
        });
        bench.endpoint(Endpoint {
            id: 3,
            network: 2,
            name: "far",
            addr: Ipv4Addr::new(172, 19, 0, 2),
        });
        self
    }

    /// Puts a packet line into a program that runs on the interface of that index.
    #[track_caller]
    pub fn run(&mut self, program: Program, ifindex: u32, line: &str) -> Outcome {
        let bytes = packet::build(&self.names, line);
        self.run_bytes(program, ifindex, &bytes, None)
    }

    /// From the container of that endpoint.
    #[track_caller]
    pub fn from_container(&mut self, endpoint: u32, line: &str) -> Outcome {
        self.run(Program::FromContainer, endpoint_ifindex(endpoint), line)
    }

    /// From the wire.
    #[track_caller]
    pub fn from_uplink(&mut self, line: &str) -> Outcome {
        self.run(Program::FromUplink, UPLINK, line)
    }

    /// From the host's stack, out of network 1's anchor.
    #[track_caller]
    pub fn from_host(&mut self, line: &str) -> Outcome {
        self.run(Program::FromHost, anchor_ifindex(1), line)
    }

    /// Any bytes; `gso` is (segments, size of each).
    #[track_caller]
    pub fn run_bytes(
        &mut self,
        program: Program,
        ifindex: u32,
        bytes: &[u8],
        gso: Option<(u16, u16)>,
    ) -> Outcome {
        let before = maps::drops(&self.ebpf);
        let (verdict, packet, _) = self.test_run(program, ifindex, bytes, gso, 1);
        self.outcome(verdict.into(), packet, bytes, before)
    }

    /// What came of the packet `bytes`, when `before` had been dropped.
    #[track_caller]
    pub(super) fn outcome(
        &self,
        verdict: Verdict,
        packet: Vec<u8>,
        bytes: &[u8],
        before: Vec<(&'static str, u64)>,
    ) -> Outcome {
        let moved = maps::drops(&self.ebpf)
            .into_iter()
            .zip(before)
            .filter(|((_, now), (_, then))| now != then)
            .map(|((name, now), (_, then))| (name, now - then))
            .collect();
        Outcome {
            verdict,
            packet,
            drops: moved,
            sent: packet::show(&self.names, bytes),
            names: self.names.clone(),
        }
    }

    /// Loads the programs that others jump to, if that was not done yet.
    #[track_caller]
    pub(super) fn load_ipv6(&mut self) {
        let all: Vec<&str> = jump::ALL.iter().map(|(_, name)| *name).collect();
        let missing = object::missing(&self.ebpf, &all);
        object::load_all(&mut self.ebpf, &missing);
    }

    /// The program, loaded when it is first asked for.
    #[track_caller]
    pub(super) fn classifier(&mut self, program: Program) -> &SchedClassifier {
        // With what comes back to it.
        let missing = object::missing(&self.ebpf, program.names());
        object::load_all(&mut self.ebpf, &missing);
        let loaded = self.ebpf.program(program.name()).unwrap();
        loaded.try_into().unwrap()
    }

    /// The run alone: return code, packet, time for each of `repeat` runs.
    #[track_caller]
    pub fn test_run(
        &mut self,
        program: Program,
        ifindex: u32,
        bytes: &[u8],
        gso: Option<(u16, u16)>,
        repeat: u32,
    ) -> (u32, Vec<u8>, Duration) {
        let mut out = vec![0; bytes.len() + 256];
        // The others do not ask, and old kernels refuse the field.
        let ingress = match program {
            Program::FromHost => self.forwarded_from,
            Program::FromContainer | Program::FromUplink => 0,
        };
        let shot = Shot {
            ifindex,
            ingress,
            bytes,
            gso,
            repeat,
        };
        let ran = self
            .shoot(program, &shot, &mut out)
            .unwrap_or_else(|error| {
                let without = Shot { ingress: 0, ..shot };
                if ingress != 0 && self.shoot(program, &without, &mut out).is_ok() {
                    not_run("this kernel's BPF_PROG_TEST_RUN takes no ingress_ifindex");
                }
                panic!("test run of {}: {error:?}", program.name())
            });
        out.truncate(ran.length);
        (ran.code, out, ran.duration)
    }

    /// The run alone, into a buffer of the caller's.
    pub fn shoot(&mut self, program: Program, shot: &Shot<'_>, out: &mut [u8]) -> io::Result<Ran> {
        if shot.bytes.get(12..14) == Some(&[0x86, 0xdd]) {
            self.load_ipv6();
        }
        let fd = self.classifier(program).fd().unwrap();
        run::run(fd.as_fd(), shot, 0, out)
    }

    /// Packets dropped so far, over all reasons and CPUs.
    #[track_caller]
    pub fn dropped(&self) -> u64 {
        maps::drops(&self.ebpf).iter().map(|(_, count)| count).sum()
    }

    /// Dropped packets that the daemon was shown since the last call, oldest first.
    #[track_caller]
    pub fn samples(&mut self) -> Vec<DropEvent> {
        maps::samples(&mut self.ebpf)
    }

    /// MAC of a network's gateway.
    pub fn gateway_mac(&self, network: u32) -> Mac {
        world::gateway_mac(network)
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}
