//! What has to work over an uplink, whatever it is made of.

use std::net::IpAddr;

use netctl_tests::{
    agent::{Agent, Connect, Exchange, Proto},
    eventually::wait_for,
    lab::{Medium, Neighbour},
};

use crate::usual::{CLIENT, CLIENT6, HEALED_WITHIN, PUBLISHED, Usual};

/// Ports of servers of the neighbour and of the host itself.
const FAR: u16 = 7000;
const OWN: u16 = 7100;

/// A lab with an uplink of that kind that is served, and a neighbour that has servers.
pub(crate) fn start(medium: Medium) -> (Usual, Neighbour) {
    let usual = Usual::start();
    let more = add(&usual, medium);
    (usual, more)
}

/// All of it.
#[track_caller]
pub(crate) fn serves(medium: Medium) {
    let (usual, more) = start(medium);
    every_path_works(&usual, &more, medium);
    everything_arrives(&usual, &more, medium);
    errors_arrive(&usual, &more, medium);
    containers_follow_its_mtu(&usual, &more);
}

/// Adds such an uplink, and waits until it is served.
pub(crate) fn add(usual: &Usual, medium: Medium) -> Neighbour {
    let more = usual.lab.add_host_over(medium);
    more.agent.serve_all(FAR);
    more.agent.serve_all6(FAR);
    usual.lab.host().serve_all(OWN);
    usual.lab.host().serve_all6(OWN);
    wait_until_served(usual, &more, medium);
    more
}

/// (The host's address, the neighbour's, a container's) of each family.
fn families(more: &Neighbour, medium: Medium) -> Vec<[IpAddr; 3]> {
    let v4 = [more.host.into(), more.addr.into(), CLIENT.into()];
    let v6 = [more.host6.into(), more.addr6.into(), CLIENT6.into()];
    let mut all = vec![v4];
    all.extend(medium.has_ipv6().then_some(v6));
    all
}

#[track_caller]
pub(crate) fn wait_until_served(usual: &Usual, more: &Neighbour, medium: Medium) {
    for [host, addr, _] in families(more, medium) {
        wait_for("the port on the new uplink", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Tcp, (host, PUBLISHED)).within_ms(500);
            let answer = more.agent.connect(ask);
            answer.is_ok_and(|answer| answer.seen.ip() == addr)
        });
        wait_for("the way out by the new uplink", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Udp, (addr, FAR)).within_ms(500);
            let answer = usual.client.connect(ask);
            answer.is_ok_and(|answer| answer.seen.ip() == host)
        });
    }
}

/// Every path over it: masquerade, published ports, the host's own traffic.
#[track_caller]
pub(crate) fn every_path_works(usual: &Usual, more: &Neighbour, medium: Medium) {
    for [host, addr, client] in families(more, medium) {
        let both = [Proto::Tcp, Proto::Udp];
        // (What, who asks, where, whom the server sees).
        let paths: [(&str, &Agent, (IpAddr, u16), IpAddr); 7] = [
            ("masquerade", &usual.client, (addr, FAR), host),
            ("published", &more.agent, (host, PUBLISHED), addr),
            ("host, out", usual.lab.host(), (addr, FAR), host),
            ("host, in", &more.agent, (host, OWN), addr),
            ("container to host", &usual.client, (host, OWN), client),
            ("by a neighbour", &usual.client, (host, PUBLISHED), client),
            ("by another network", &usual.other, (host, PUBLISHED), {
                match client {
                    IpAddr::V4(_) => crate::usual::OTHER.into(),
                    IpAddr::V6(_) => crate::usual::OTHER6.into(),
                }
            }),
        ];
        for (what, who, target, seen) in paths {
            for proto in both {
                let answer = who.connect(Connect::to(proto, target));
                let answer = answer.unwrap_or_else(|e| panic!("{what}, {proto:?} {host}: {e}"));
                assert_eq!(answer.seen.ip(), seen, "{what}, {proto:?} {host}");
            }
        }
        for (what, who) in [("host", usual.lab.host()), ("itself", &usual.web)] {
            for proto in both {
                let answer = who.connect(Connect::to(proto, (host, PUBLISHED)));
                assert!(answer.is_ok(), "by {what}, {proto:?} {host}: {answer:?}");
            }
        }
        assert_eq!(usual.client.ping(addr, 2, 1000), 2, "echo out to {addr}");
        assert_eq!(more.agent.ping(host, 2, 1000), 2, "echo to {host}");
        assert_eq!(usual.lab.host().ping(addr, 2, 1000), 2, "echo of the host");
    }
}

/// Large transfers (segmentation, checksums) and datagrams in pieces, both ways.
#[track_caller]
pub(crate) fn everything_arrives(usual: &Usual, more: &Neighbour, medium: Medium) {
    for [host, addr, _] in families(more, medium) {
        for (what, who, target, port) in [
            ("out", &usual.client, addr, FAR),
            ("published", &more.agent, host, PUBLISHED),
            ("host", &more.agent, host, OWN),
        ] {
            let exchange = |proto, count, size| Exchange::of(proto, (target, port), count, size);
            // Datagrams that are lost, each way, where senders have to be told the way's MTU.
            who.exchange(exchange(Proto::Udp, 2, 4_000).within_ms(300));
            for (proto, count, size) in [
                (Proto::Tcp, 2, 1_000_000),
                (Proto::Udp, 20, 1_001),
                // In pieces.
                (Proto::Udp, 5, 4_000),
            ] {
                who.exchange_all(exchange(proto, count, size), what);
            }
        }
    }
}

/// ICMP errors come back to whom they concern.
#[track_caller]
pub(crate) fn errors_arrive(usual: &Usual, more: &Neighbour, medium: Medium) {
    /// Nobody listens there.
    const CLOSED: u16 = 7_999;
    usual.lab.netctl("port add web 8090:8090/udp").ok();
    for [host, addr, _] in families(more, medium) {
        for (what, who, target) in [
            ("out", &usual.client, (addr, CLOSED)),
            ("published", &more.agent, (host, 8090)),
        ] {
            let answer = who.connect(Connect::to(Proto::Udp, target));
            assert_eq!(answer.unwrap_err(), "ECONNREFUSED", "{what}: {target:?}");
        }
    }
}

/// Containers' interfaces fit the smallest uplink in use, while they run.
#[track_caller]
pub(crate) fn containers_follow_its_mtu(usual: &Usual, more: &Neighbour) {
    let mtu = || {
        let shown = usual.lab.ip_in("client", "-o link show dev eth0");
        let mut words = shown.split(' ').skip_while(|word| *word != "mtu");
        words.nth(1).unwrap().to_owned()
    };
    let uplink = &more.uplink;
    // A tunnel counts where it is the way out.
    for words in [
        format!("route replace default dev {uplink}"),
        format!("-6 route replace default dev {uplink}"),
        format!("link set {uplink} mtu 1340"),
    ] {
        usual.lab.ip(&words);
    }
    wait_for("the smaller MTU", HEALED_WITHIN, || mtu() == "1340");
    usual.lab.ip(&format!("link set {uplink} mtu 1300"));
    wait_for("the smallest MTU", HEALED_WITHIN, || mtu() == "1300");
    usual.lab.ip(&format!("link del {uplink}"));
    wait_for("the MTU of the first uplink", HEALED_WITHIN, || {
        mtu() == "1500"
    });
}
