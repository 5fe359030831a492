//! RFC 4787: UDP, seen from both sides.

use std::time::{Duration, Instant};

use netctl_tests::{
    agent::{Connect, Connected, Proto},
    eventually::wait_for,
    lab::{HOST, LAN, OUTSIDE},
    packet::build,
};

use crate::{
    rfc::{every_icmp, expires, flows, names},
    usual::{CONFIG, Usual, WEB},
};

fn ask(usual: &Usual, port: u16, target: (std::net::Ipv4Addr, u16)) -> Connected {
    let ask = Connect::to(Proto::Udp, target)
        .from((WEB, port))
        .unconnected()
        .hold(&port.to_string());
    usual.web.connect(ask).unwrap()
}

/// REQ-1, as long as nobody else has the port towards one of the destinations.
#[test]
fn one_socket_has_one_port_for_every_destination() {
    let usual = Usual::start();
    usual.lab.lan().serve_all(7010);
    // One that stays, and one that the host could draw and is therefore moved.
    for port in [4000, 40_000] {
        let seen = [(LAN, 7000), (LAN, 7010), (OUTSIDE, 7000)].map(|to| ask(&usual, port, to).seen);
        assert_eq!(seen[0].ip(), HOST);
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    }
}

/// REQ-2: address pooling is paired.
#[test]
fn one_address_for_every_flow() {
    let usual = Usual::start();
    usual.lab.ip("addr add 198.51.100.77/24 dev up0");
    for port in 4000..4020 {
        assert_eq!(ask(&usual, port, (LAN, 7000)).seen.ip(), HOST);
    }
}

/// REQ-3a, without a collision.
#[test]
fn a_source_port_keeps_its_class() {
    let usual = Usual::start();
    for port in [1, 500, 1023] {
        let seen = ask(&usual, port, (LAN, 7000)).seen.port();
        assert!((1..1024).contains(&seen), "{port} became {seen}");
    }
    for port in [1024, 4000, 33_000, 65_535] {
        let seen = ask(&usual, port, (LAN, 7000)).seen.port();
        assert!(seen >= 1024, "{port} became {seen}");
    }
}

/// REQ-5, REQ-5c: two minutes at least, five by default.
#[test]
fn a_mapping_lasts_five_minutes() {
    let usual = Usual::start();
    ask(&usual, 4000, (LAN, 7000));
    let seconds = expires(&usual.lab, "web", "udp");
    assert!((290..=300).contains(&seconds), "{seconds}");
}

/// REQ-5b.
#[test]
fn how_long_a_mapping_lasts_is_configured() {
    let usual = Usual::with_config(&format!("{CONFIG}[timeouts]\nudp = 130\n"));
    ask(&usual, 4000, (LAN, 7000));
    let seconds = expires(&usual.lab, "web", "udp");
    assert!((120..=130).contains(&seconds), "{seconds}");
}

/// REQ-6, and the end of a mapping that nobody uses.
#[test]
fn packets_from_inside_keep_a_mapping() {
    let usual = Usual::with_config(&format!("{CONFIG}[timeouts]\nudp = 3\n"));
    let first = ask(&usual, 4000, (LAN, 7000)).seen;
    // Three times as long as it lasts by itself.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(9) {
        assert_eq!(ask(&usual, 4000, (LAN, 7000)).seen, first);
        assert_eq!(flows(&usual.lab, "web", "udp").len(), 1);
    }
    wait_for("the mapping's end", Duration::from_secs(30), || {
        flows(&usual.lab, "web", "udp").is_empty()
    });
}

/// REQ-6a: what comes from outside does not keep a mapping, or whoever sends could hold on to a port
/// that its container has forgotten.
#[test]
fn datagrams_from_outside_do_not_keep_a_mapping() {
    let usual = Usual::with_config(&format!("{CONFIG}[timeouts]\nudp = 3\n"));
    let port = ask(&usual, 4000, (LAN, 7000)).seen.port();
    assert_eq!(flows(&usual.lab, "web", "udp").len(), 1);
    let line = format!("lan>up udp 198.51.100.2:7000>198.51.100.1:{port} data=still-there");
    let frame = [build(&names(), &line)];
    // The peer's own answers, all the time.
    wait_for("the mapping's end", Duration::from_secs(30), || {
        usual.lab.lan().send_frames("lan0", &frame);
        flows(&usual.lab, "web", "udp").is_empty()
    });
    // They did get in as long as it lasted, and do not any more.
    usual.web.sniff("eth0");
    usual.lab.lan().send_frames("lan0", &frame);
    assert_eq!(usual.web.ping(LAN, 1, 3000), 1);
    assert!(usual.web.sniffed("eth0", b"still-there", 1, 100).is_empty());
}

/// REQ-8: filtering is by address and port.
#[test]
fn unsolicited_datagrams_reach_nobody() {
    let usual = Usual::start();
    let seen = ask(&usual, 4000, (LAN, 7000)).seen.port();
    usual.web.sniff("eth0");
    let line = |from: &str, data: &str| {
        build(
            &names(),
            &format!("lan>up udp {from}>198.51.100.1:{seen} data={data}"),
        )
    };
    usual.lab.lan().send_frames(
        "lan0",
        &[
            line("198.51.100.2:7001", "unsolicited-port"),
            line("203.0.113.9:7000", "unsolicited-address"),
            line("198.51.100.2:7000", "solicited"),
        ],
    );
    let solicited = usual.web.sniffed("eth0", b"solicited", 1, 3000);
    // The last one came, so those before it would have come, too.
    assert_eq!(solicited.len(), 1, "{solicited:x?}");
    assert!(
        !solicited[0].windows(2).any(|two| two == b"un"),
        "{solicited:x?}"
    );
}

/// REQ-12.
#[test]
fn no_icmp_message_ends_a_mapping() {
    let usual = Usual::start();
    let first = ask(&usual, 4000, (LAN, 7000)).seen;
    let frames = every_icmp(&format!(
        "udp 198.51.100.1:{}>198.51.100.2:7000 len=6",
        first.port()
    ));
    usual.lab.lan().send_frames("lan0", &frames);
    assert_eq!(flows(&usual.lab, "web", "udp").len(), 1);
    // From the outside first: it is the mapping that lets it in.
    usual.web.sniff("eth0");
    let line = format!(
        "lan>up udp 198.51.100.2:7000>198.51.100.1:{} data=still-there",
        first.port()
    );
    usual
        .lab
        .lan()
        .send_frames("lan0", &[build(&names(), &line)]);
    assert_eq!(usual.web.sniffed("eth0", b"still-there", 1, 3000).len(), 1);
    usual.web.release("4000");
    assert_eq!(ask(&usual, 4000, (LAN, 7000)).seen, first);
}
