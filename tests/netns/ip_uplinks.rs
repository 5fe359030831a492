//! Uplinks whose frames begin with the IP header: real tun interfaces, with a process that carries
//! packets between the host's and the neighbour's.

use std::net::IpAddr;

use netctl_tests::{
    agent::{Connect, Proto, Segments},
    eventually::wait_for,
    lab::Medium,
    packet::{build, fragment, frame::ETH},
};

use crate::{
    over, rfc,
    usual::{HEALED_WITHIN, PUBLISHED, WEB, WEB6},
};

const TUN: Medium = Medium::Tun(Segments::Single);

#[test]
fn every_path_works_over_a_tun_interface() {
    let (usual, more) = over::start(TUN);
    over::every_path_works(&usual, &more, TUN);
    over::everything_arrives(&usual, &more, TUN);
    over::errors_arrive(&usual, &more, TUN);
    over::containers_follow_its_mtu(&usual, &more);
}

/// As WireGuard's, whose packets are joined before we see them.
#[test]
fn packets_may_be_several_segments() {
    let medium = Medium::Tun(Segments::Large);
    let (usual, more) = over::start(medium);
    over::everything_arrives(&usual, &more, medium);
    over::every_path_works(&usual, &more, medium);
}

#[test]
fn clsact_filters_serve_tun_interfaces_too() {
    let config = format!("{}attach = \"clsact\"\n", crate::usual::CONFIG);
    let usual = crate::usual::Usual::with_config(&config);
    let more = over::add(&usual, TUN);
    over::every_path_works(&usual, &more, TUN);
    // A pass that finds everything as it should be changes nothing.
    let plan = usual.lab.netctl("plan -o json").json();
    assert_eq!(plan["steps"], serde_json::json!([]), "{plan:#}");
    usual.lab.netctl("purge").ok();
    let filters = usual
        .lab
        .sh(&["tc", "filter", "show", "dev", "up1", "ingress"]);
    assert_eq!(filters, "");
}

/// A client behind the tunnel whose address the routes would send to the first uplink.
#[test]
fn the_answer_goes_back_into_the_tunnel() {
    let (usual, more) = over::start(TUN);
    for (host, strange, prefix, nodad) in [
        (IpAddr::from(more.host), "203.0.113.77", 32, ""),
        (more.host6.into(), "2001:db8:cafe::77", 128, "nodad"),
    ] {
        more.ip(&format!("addr add {strange}/{prefix} dev lo {nodad}"));
        let strange: IpAddr = strange.parse().unwrap();
        for proto in [Proto::Tcp, Proto::Udp] {
            let ask = Connect::to(proto, (host, PUBLISHED)).from((strange, 0));
            let answer = more.agent.connect(ask).unwrap();
            assert_eq!(answer.seen.ip(), strange, "{proto:?}");
        }
    }
    assert!(usual.answers());
}

#[test]
fn nothing_of_a_container_is_believed_or_reached_from_a_tunnel() {
    let (usual, more) = over::start(TUN);
    more.ip(&format!("route add {WEB}/32 via {} dev lan0", more.host));
    more.ip(&format!("route add {WEB6}/128 via {} dev lan0", more.host6));
    for (target, why) in [
        (IpAddr::from(WEB), "from_outside"),
        (WEB6.into(), "from_outside"),
    ] {
        let before = usual.lab.drops(why);
        let answer = more
            .agent
            .connect(Connect::to(Proto::Udp, (target, 80)).within_ms(300));
        assert!(answer.is_err(), "{target}: {answer:?}");
        assert!(usual.lab.drops(why) > before, "{target}: {why}");
    }
    // The neighbour takes a container's address for its own.
    more.ip("addr add 172.18.0.99/32 dev lo");
    more.ip("addr add fd00:18::99/128 dev lo nodad");
    for (source, target) in [
        ("172.18.0.99", IpAddr::from(more.host)),
        ("fd00:18::99", more.host6.into()),
    ] {
        let before = usual.lab.drops("spoofed_source");
        let source: IpAddr = source.parse().unwrap();
        let ask = Connect::to(Proto::Udp, (target, PUBLISHED)).from((source, 0));
        let answer = more.agent.connect(ask.within_ms(300));
        assert!(answer.is_err(), "{source}: {answer:?}");
        assert!(usual.lab.drops("spoofed_source") > before, "{source}");
    }
}

#[test]
fn a_tunnel_that_goes_and_comes_back() {
    let (usual, more) = over::start(TUN);
    usual.lab.ip("link del up1");
    wait_for("the tunnel's end", HEALED_WITHIN, || {
        let status = usual.lab.netctl("status -o json").json();
        !status["uplinks"].to_string().contains("up1")
    });
    // The far end's device is another file's: it goes with its own name.
    more.ip("link del lan0");
    usual.lab.join(&more, TUN);
    over::wait_until_served(&usual, &more, TUN);
    over::every_path_works(&usual, &more, TUN);
    // Down and up again.
    usual.lab.ip("link set up1 down");
    wait_for("the tunnel's end", HEALED_WITHIN, || {
        let status = usual.lab.netctl("status -o json").json();
        !status["uplinks"].to_string().contains("up1")
    });
    usual.lab.ip("link set up1 up");
    usual
        .lab
        .ip(&format!("-6 addr replace {}/64 dev up1 nodad", more.host6));
    over::wait_until_served(&usual, &more, TUN);
}

/// What comes before its first piece is held with the header that it was given, and sent in again
/// without.
#[test]
fn pieces_arrive_in_every_order_over_a_tun_interface() {
    let (usual, more) = over::start(TUN);
    let (port, last) = (PUBLISHED, 64);
    let pieces = [0..24, 24..48, 48..last];
    let mut id = 0_u16;
    for ends in [
        format!("udp {}:5000>{}:{port}", more.addr, more.host),
        format!("udp [{}]:5000>[{}]:{port}", more.addr6, more.host6),
    ] {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            id += 1;
            // The server says it back, in one piece.
            let text = format!("{id:-<width$}", width = last - 8);
            let whole = build(&rfc::names(), &format!("lan>up {ends} data={text}"));
            let packets = order.map(|at: usize| {
                let frame = fragment(&whole, id, pieces[at].clone());
                frame[ETH..].to_vec()
            });
            more.agent.sniff("lan0");
            more.agent.send_frames("lan0", &packets);
            let seen = more.agent.sniffed("lan0", text.as_bytes(), 1, 3000);
            // Not what the neighbour, where nobody waits for it, says of the answer.
            let answers = seen
                .iter()
                .filter(|packet| packet.len() == whole.len() - ETH);
            assert_eq!(answers.count(), 1, "{ends} {order:?}: {seen:02x?}");
        }
    }
    assert_eq!(usual.lab.drops("fragment"), 0.0);
}
