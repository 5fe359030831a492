//! Properties: what is translated on the way there is translated back on the way home. Random
//! packets; the answer is the packet that arrived with its ends swapped, which leaves every
//! checksum as it is.

use netctl_tests::{
    fuzz::Random,
    packet::{
        Family, build,
        frame::{ETH, Ip, proto},
        hex, show,
        sum::ones_sum,
    },
    prog::{Bench, Outcome, Verdict},
};

use crate::{TCP, UDP};

/// Of each family.
const ROUNDS: usize = 200;

/// Who sends, who answers: endpoint number, or 0 for the wire.
#[derive(Clone, Copy)]
enum End {
    Container(u32),
    Wire,
    Process,
}

fn send(bench: &mut Bench, end: End, bytes: &[u8]) -> Outcome {
    use netctl::kernel::names::endpoint_ifindex;
    use netctl_tests::prog::{ANCHOR, Program, UPLINK};
    let (program, ifindex) = match end {
        End::Container(id) => (Program::FromContainer, endpoint_ifindex(id)),
        End::Wire => (Program::FromUplink, UPLINK),
        End::Process => (Program::FromHost, ANCHOR),
    };
    let out = bench.run_bytes(program, ifindex, bytes, None);
    assert_eq!(out.verdict, Verdict::Redirect, "{out:?}");
    assert_eq!(out.packet.len(), bytes.len(), "{out:?}");
    assert!(!out.text().contains("-SUM") || show(&bench.names, bytes).contains("NO-UDP-SUM"));
    out
}

/// The packet that answers this one: ends swapped in all headers, an echo answered.
fn answer(frame: &[u8]) -> Vec<u8> {
    let ip = Ip::of_frame(frame).unwrap();
    let mut bytes = frame.to_vec();
    bytes[..6].copy_from_slice(&frame[6..12]);
    bytes[6..12].copy_from_slice(&frame[..6]);
    let (src, width) = if ip.src.is_ipv4() {
        (ETH + 12, 4)
    } else {
        (ETH + 8, 16)
    };
    bytes[src..src + width].copy_from_slice(&frame[src + width..src + 2 * width]);
    bytes[src + width..src + 2 * width].copy_from_slice(&frame[src..src + width]);
    if ip.is_echo(frame) {
        let (reply, gives) = if ip.src.is_ipv4() {
            (0, [8, 0])
        } else {
            (129, (!0x0100_u16).to_be_bytes())
        };
        bytes[ip.l4] = reply;
        // The checksum takes what the type gives up: 8 to 0, or 128 to 129.
        let sum = u16::from_be_bytes([frame[ip.l4 + 2], frame[ip.l4 + 3]]);
        let sum = ones_sum(&[&sum.to_be_bytes(), &gives]);
        bytes[ip.l4 + 2..ip.l4 + 4].copy_from_slice(&sum.to_be_bytes());
    } else {
        bytes[ip.l4..ip.l4 + 2].copy_from_slice(&frame[ip.l4 + 2..ip.l4 + 4]);
        bytes[ip.l4 + 2..ip.l4 + 4].copy_from_slice(&frame[ip.l4..ip.l4 + 2]);
    }
    bytes
}

/// Everything behind the Ethernet header; TTL, and the header's sum where there is one, set aside.
fn settled(frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame[ETH..].to_vec();
    if bytes[0] >> 4 == 4 {
        bytes[8] = 0;
        bytes[10..12].fill(0);
    } else {
        bytes[7] = 0;
    }
    bytes
}

/// There and back; the answer must look like one to the packet that was sent.
fn there_and_back(bench: &mut Bench, (from, to): (End, End), sent: &[u8]) {
    let arrived = send(bench, from, sent).packet;
    let back = send(bench, to, &answer(&arrived)).packet;
    let (got, expected) = (settled(&back), settled(&answer(sent)));
    let names = bench.names.clone();
    let line = |frame: &[u8]| format!("{} {}", show(&names, frame), hex::encode(frame));
    assert!(
        got == expected,
        "sent:    {}\narrived: {}\nback:    {}",
        line(sent),
        line(&arrived),
        line(&back)
    );
    let hops = |frame: &[u8]| Ip::of_frame(frame).unwrap().ttl;
    assert_eq!(
        hops(sent) - hops(&arrived),
        hops(&answer(&arrived)) - hops(&back)
    );
}

/// A random whole packet between those ends, of a kind that can be answered.
fn packet(
    bench: &Bench,
    random: &mut Random,
    macs: &str,
    (src, dst): (&str, &str),
    ports: &[u16],
) -> Vec<u8> {
    let kinds: &[u8] = if ports.is_empty() {
        &[proto::TCP, proto::UDP, proto::ICMP]
    } else {
        &[proto::TCP, proto::UDP]
    };
    let (sport, any) = (1 + random.below(65_535), 1 + random.below(65_535) as u16);
    let dport = if ports.is_empty() {
        any
    } else {
        *random.pick(ports)
    };
    let mut more = format!(
        "ttl={} tos={} len={}",
        3 + random.below(250),
        random.below(256),
        random.below(1_200),
    );
    let (id, df) = (random.below(65_536), random.below(2));
    let extra: &[&str] = match bench.names.family {
        Family::V4 => {
            more.push_str(&format!(" id={id} df={df}"));
            &["opts=01010100", "opts=94040000", "opts=0101010101010100"]
        }
        Family::V6 => &[
            "ext=0:00010400000000",
            "ext=60:00010400000000",
            "ext=0:00010400000000,43:00000000000000,60:010104000000000001060000000000",
        ],
    };
    if random.once_in(4) {
        more.push_str(&format!(" {}", random.pick(extra)));
    }
    let line = match *random.pick(kinds) {
        proto::TCP => {
            // What opens a connection, and what may be picked up in the middle of one.
            let flags = random.pick(&["S", "SP", "A", "PA", "AU"]);
            let seq = random.word() as u32;
            format!("tcp {src}:{sport}>{dst}:{dport} flags={flags} seq={seq} {more}")
        }
        proto::UDP => {
            // Only IPv4 allows it (RFC 8200, section 8.1).
            let without = bench.names.family == Family::V4 && random.once_in(8);
            let sum = if without { " sum=none" } else { "" };
            format!("udp {src}:{sport}>{dst}:{dport} {more}{sum}")
        }
        _ => format!(
            "{{icmp}} {src}>{dst} type={{request}} ident={} seq={} {more}",
            random.below(65_536),
            random.below(65_536)
        ),
    };
    build(&bench.names, &format!("{macs} {line}"))
}

/// `ROUNDS` random packets on one way, in each family.
fn always(macs: &str, ends: (&str, &str), ways: (End, End), ports: &[u16]) {
    for family in Family::BOTH {
        let mut bench = Bench::usual_in(family);
        let [any, web, far] = ["any", "web", "far"].map(|name| bench.addr(name));
        for (id, proto) in [(1, TCP), (2, UDP)] {
            bench.publish(id, proto, (any, 8080, 8080), (1, web, 80));
            bench.publish(id + 10, proto, (any, 9000, 9999), (3, far, 19_000));
        }
        let mut random = Random::new(7, ROUNDS as u64);
        for _ in 0..ROUNDS {
            let sent = packet(&bench, &mut random, macs, ends, ports);
            there_and_back(&mut bench, ways, &sent);
            bench.forget_flows();
        }
    }
}

#[test]
fn of_masquerade() {
    let ways = (End::Container(1), End::Wire);
    always("web>gw", ("{web}", "{out}"), ways, &[]);
}

#[test]
fn of_a_published_port() {
    let ways = (End::Wire, End::Container(1));
    always("lan>up", ("{out}", "{up}"), ways, &[8080]);
}

#[test]
fn of_a_published_range() {
    let ways = (End::Wire, End::Container(3));
    let ports = [9000, 9001, 9500, 9999];
    always("lan>up", ("{out}", "{up}"), ways, &ports);
}

#[test]
fn of_a_hairpin_to_itself() {
    let ways = (End::Container(1), End::Container(1));
    always("web>gw", ("{web}", "{up}"), ways, &[8080]);
}

#[test]
fn of_a_hairpin_to_a_neighbour() {
    let ways = (End::Container(2), End::Container(1));
    always("cli>gw", ("{cli}", "{up}"), ways, &[8080]);
}

#[test]
fn of_a_hairpin_across_networks() {
    let ways = (End::Container(2), End::Container(3));
    always("cli>gw", ("{cli}", "{up}"), ways, &[9000, 9999]);
}

#[test]
fn of_a_process_bound_to_loopback() {
    let ways = (End::Process, End::Container(2));
    always("gw>none", ("{lo}", "{cli}"), ways, &[80, 8080]);
}
