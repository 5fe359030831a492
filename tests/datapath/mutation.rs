//! Packets that nobody would send: no verdict but the allowed ones, and never a private source
//! on the wire.

use netctl::kernel::names::endpoint_ifindex;
use netctl_tests::{
    packet::{build, show},
    prog::{Bench, Program, UPLINK, Verdict},
};

use crate::{ANY, TCP, UDP, WEB};

const RUNS: u32 = 100_000;

const SEEDS: [(Program, &str); 9] = [
    (
        Program::FromContainer,
        "web>gw tcp 172.18.0.2:4000>203.0.113.9:80 flags=S len=20",
    ),
    (
        Program::FromContainer,
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=20",
    ),
    (
        Program::FromContainer,
        "web>gw icmp 172.18.0.2>203.0.113.9 len=20",
    ),
    (
        Program::FromContainer,
        "web>gw tcp 172.18.0.2:4000>198.51.100.1:8080 flags=S",
    ),
    (
        Program::FromContainer,
        "web>cli udp 172.18.0.2:4000>172.18.0.3:53 len=20",
    ),
    (
        Program::FromContainer,
        "web>all arp request 172.18.0.2/web>172.18.0.1/none",
    ),
    (
        Program::FromUplink,
        "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=S len=9",
    ),
    (
        Program::FromUplink,
        "lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=9",
    ),
    (
        Program::FromHost,
        "gw>none tcp 172.18.0.1:40000>172.18.0.2:80 flags=S",
    ),
];

/// xorshift64: the same packets in every run, so that a failure can be looked at again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        // Half of the changes hit the headers that are looked at first.
        let limit = if random.below(2) == 0 {
            54
        } else {
            bytes.len()
        };
        let at = random.below(limit.min(bytes.len()));
        match random.below(4) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = [0, 0xff, 0x7f, 0x80, 0x45, 6, 17, 1][random.below(8)],
            // A test run refuses less than an IPv4 header by itself.
            _ => bytes.truncate((at + 1).max(34)),
        }
    }
}

/// Whether an IPv4 packet has a container's source and leaves for neither us nor ours.
fn leaks(packet: &[u8]) -> bool {
    let Some(header) = packet.get(14..34) else {
        return false;
    };
    let container = |address: &[u8]| address[0] == 172 && (18..=19).contains(&address[1]);
    let host = [198, 51, 100, 1];
    packet[12..14] == [0x08, 0x00]
        && container(&header[12..16])
        && !container(&header[16..20])
        && header[16..20] != host
        // Layer 2 to a neighbour is not the wire, whatever the header says.
        && packet[..2] != [0x02, 0xec]
}

#[test]
fn no_mutated_packet_escapes() {
    let mut bench = Bench::usual_with_flows(65_536);
    bench.settings(|settings| settings.flood_rate = 10);
    bench.publish(1, TCP, (ANY, 8080, 8080), (1, WEB, 80));
    bench.publish(2, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    let names = bench.names.clone();
    let seeds: Vec<(Program, Vec<u8>)> = SEEDS
        .iter()
        .map(|(program, line)| (*program, build(&names, line)))
        .collect();
    let mut random = Random(0x6e65_7463_746c);
    let mut verdicts = std::collections::HashMap::new();
    for _ in 0..RUNS {
        let (program, seed) = &seeds[random.below(seeds.len())];
        let mut bytes = seed.clone();
        mutate(&mut bytes, &mut random);
        let ifindex = match program {
            Program::FromContainer => endpoint_ifindex(1),
            Program::FromUplink => UPLINK,
            Program::FromHost => netctl_tests::prog::ANCHOR,
        };
        let (code, packet, _) = bench.test_run(*program, ifindex, &bytes, None, 1);
        let verdict = Verdict::from(code);
        let allowed = match program {
            Program::FromContainer => [Verdict::Drop, Verdict::Redirect].contains(&verdict),
            Program::FromUplink | Program::FromHost => !matches!(verdict, Verdict::Other(_)),
        };
        let describe = || {
            format!(
                "{program:?}: {}\n -> {}",
                show(&names, &bytes),
                show(&names, &packet)
            )
        };
        assert!(allowed, "{verdict:?} {}", describe());
        if verdict == Verdict::Redirect && *program == Program::FromContainer {
            assert!(!leaks(&packet), "leaked: {}", describe());
        }
        *verdicts.entry((program.name(), verdict)).or_insert(0) += 1;
    }
    println!("{verdicts:#?}");
    // The mutations must not be so wild that only the first check is ever reached.
    assert!(verdicts[&("from_container", Verdict::Redirect)] > RUNS / 50);
    assert!(verdicts[&("from_uplink", Verdict::Redirect)] > RUNS / 50);
}
