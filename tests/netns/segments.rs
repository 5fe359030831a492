//! Segmentation offload: what a container sends as one large packet (TCP, and UDP as QUIC does)
//! arrives as one, on every path, and right where a device on the way parts it.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netctl_tests::{
    agent::{Agent, Burst, Exchange, Proto, Returned},
    lab::{HOST, HOST6, LAN, LAN6},
    need::since,
};

use crate::usual::{PUBLISHED, Usual, WEB, WEB6};

/// Of the servers behind the published port, and of the neighbour's.
const INSIDE: u16 = 90;
const OUTSIDE: u16 = 9000;
const SIZE: u16 = 1_200;
const TOGETHER: usize = 40;
const ROUNDS: u32 = 50;
const BYTES: usize = SIZE as usize * TOGETHER * ROUNDS as usize;

fn start() -> Usual {
    let usual = Usual::start();
    usual.lab.netctl("port add web 9000:90/udp").ok();
    for (agent, port) in [(&usual.web, INSIDE), (usual.lab.lan(), OUTSIDE)] {
        agent.serve_bursts((Ipv4Addr::UNSPECIFIED, port));
        agent.serve_bursts((Ipv6Addr::UNSPECIFIED, port));
    }
    usual
}

/// A path: its name, who sends, and to which of the servers.
type Path<'a> = (&'static str, &'a Agent, IpAddr, u16);

fn paths(usual: &Usual) -> Vec<Path<'_>> {
    let of = |host: IpAddr, lan: IpAddr, web: IpAddr| {
        [
            ("container to outside", &usual.client, lan, OUTSIDE),
            (
                "outside to a published port",
                usual.lab.lan(),
                host,
                OUTSIDE,
            ),
            (
                "neighbour to a published port",
                &usual.client,
                host,
                OUTSIDE,
            ),
            ("network to a published port", &usual.other, host, OUTSIDE),
            (
                "container to its own published port",
                &usual.web,
                host,
                OUTSIDE,
            ),
            ("host to a published port", usual.lab.host(), host, OUTSIDE),
            ("host to container", usual.lab.host(), web, INSIDE),
            ("container to container", &usual.client, web, INSIDE),
        ]
    };
    let v4 = of(HOST.into(), LAN.into(), WEB.into());
    let v6 = of(HOST6.into(), LAN6.into(), WEB6.into());
    v4.into_iter().chain(v6).collect()
}

#[track_caller]
fn udp((name, agent, target, port): Path<'_>, what: &str) -> Returned {
    let done = agent.burst(Burst {
        target: (target, port).into(),
        size: SIZE,
        together: TOGETHER,
        rounds: ROUNDS,
        timeout_ms: 5_000,
    });
    assert_eq!(done.sent, BYTES);
    let arrived = (done.received, done.wrong_rounds);
    assert_eq!(arrived, (done.sent, 0), "{what}: {name} {target}");
    done
}

#[track_caller]
fn tcp((name, agent, target, port): Path<'_>, what: &str) {
    // The echo servers' ports.
    let port = match port {
        INSIDE => 80,
        _ if target == IpAddr::from(LAN) || target == IpAddr::from(LAN6) => 7000,
        _ => PUBLISHED,
    };
    agent.exchange_all(
        Exchange::of(Proto::Tcp, (target, port), 1, BYTES),
        format_args!("{what}: {name}"),
    );
}

#[test]
fn datagrams_that_left_together_arrive() {
    let usual = start();
    for path in paths(&usual) {
        udp(path, "as it is");
    }
}

#[test]
fn datagrams_that_left_together_arrive_together() {
    // 1a3c998f3e80: before, veth parts them itself.
    since((5, 12), "UDP segments in one piece over veth");
    let usual = start();
    for path in paths(&usual) {
        let done = udp(path, "as it is");
        // There and back: had one way parted them, they would not come back in one piece.
        assert_eq!(
            done.largest,
            usize::from(SIZE) * TOGETHER,
            "{} {}",
            path.0,
            path.2
        );
    }
}

/// Bytes and packets that all interfaces of an agent's namespace have received, `lo` left out.
fn received(agent: &Agent) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{}/net/dev", agent.pid())).unwrap();
    text.lines()
        .filter_map(|line| line.trim().split_once(':'))
        .filter(|(name, _)| *name != "lo")
        .map(|(_, numbers)| {
            let mut numbers = numbers
                .split_whitespace()
                .map(|n| n.parse::<u64>().unwrap());
            (numbers.next().unwrap(), numbers.next().unwrap())
        })
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[test]
fn tcp_segments_are_not_parted() {
    let usual = start();
    for path in paths(&usual) {
        let (name, agent, ..) = path;
        if name.starts_with("host") {
            // What comes back to the host is counted by its side of the veth on its way.
            tcp(path, "as it is");
            continue;
        }
        let before = received(agent);
        tcp(path, "as it is");
        let after = received(agent);
        let (bytes, packets) = (after.0 - before.0, after.1 - before.1);
        assert!(bytes > BYTES as u64, "{name}: {bytes}");
        // With every acknowledgement among them, and the start of the connection.
        assert!(bytes / packets > 3_000, "{name}: {bytes} in {packets}");
    }
}

#[test]
fn whoever_parts_them_they_arrive() {
    by_each_device(tcp);
}

#[test]
fn datagrams_arrive_whoever_parts_them() {
    // Before 10154dbded6d a socket is refused them (EIO) where the device makes no checksums.
    since((6, 11), "UDP segments of sockets by any device");
    by_each_device(|path, device| {
        udp(path, device);
    });
}

/// One device after the other makes checksums and segments in software.
fn by_each_device(send: fn(Path<'_>, &str)) {
    let usual = start();
    let links = usual.lab.host().links();
    let mut devices: Vec<(&Agent, &str)> = links
        .iter()
        .filter(|link| link.name != "lo")
        .map(|link| (usual.lab.host(), link.name.as_str()))
        .collect();
    devices.extend([
        (usual.lab.lan(), "lan0"),
        (&usual.web, "eth0"),
        (&usual.client, "eth0"),
        (&usual.other, "eth0"),
    ]);
    for (agent, interface) in devices {
        agent.no_checksums(interface);
        for path in paths(&usual) {
            send(path, interface);
        }
        agent.all_offloads(interface);
    }
}
