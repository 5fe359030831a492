//! RFC 5382: TCP, seen from both sides.

use netctl_tests::{
    agent::{Connect, End, Proto},
    lab::{HOST, LAN, OUTSIDE},
    packet::build,
};

use crate::{
    rfc::{every_icmp, expires, flows, names},
    usual::{CONFIG, Usual, WEB},
};

/// REQ-1, as long as nobody else has the port towards one of the destinations.
#[test]
fn one_port_has_one_mapping_for_every_destination() {
    let usual = Usual::start();
    for port in [4000, 40_000] {
        let seen = [LAN, OUTSIDE].map(|to| {
            let ask = Connect::to(Proto::Tcp, (to, 7000))
                .from((WEB, port))
                .hold(&format!("{to}-{port}"));
            usual.web.connect(ask).unwrap().seen
        });
        assert_eq!(seen[0].ip(), HOST);
        assert_eq!(seen[0], seen[1]);
    }
}

/// REQ-3: filtering is by address and port.
#[test]
fn a_connection_from_elsewhere_does_not_get_in() {
    let usual = Usual::start();
    let ask = Connect::to(Proto::Tcp, (LAN, 7000))
        .from((WEB, 4000))
        .hold("one");
    let seen = usual.web.connect(ask).unwrap().seen.port();
    usual.web.sniff("eth0");
    let line = |from: &str| {
        build(
            &names(),
            &format!("lan>up tcp {from}>198.51.100.1:{seen} flags=S seq=77"),
        )
    };
    // The mapping's own peer comes last.
    let frames = ["198.51.100.2:7001", "203.0.113.9:7000", "198.51.100.2:7000"].map(line);
    usual.lab.lan().send_frames("lan0", &frames);
    let sequence = 77_u32.to_be_bytes();
    let arrived = usual.web.sniffed("eth0", &sequence, 1, 3000);
    let received: Vec<_> = arrived.iter().filter(|frame| frame[47] == 0x02).collect();
    assert_eq!(received.len(), 1, "{arrived:x?}");
    assert_eq!(received[0][26..30], LAN.octets());
    assert_eq!(received[0][34..36], 7000_u16.to_be_bytes());
}

/// REQ-5: an established connection may be silent for more than two hours and four minutes.
#[test]
fn an_established_connection_is_kept_for_days() {
    let usual = Usual::start();
    usual
        .web
        .connect(Connect::to(Proto::Tcp, (LAN, 7000)).hold("one"))
        .unwrap();
    let seconds = expires(&usual.lab, "web", "tcp");
    assert!(seconds > 2 * 3600 + 4 * 60, "{seconds}");
}

/// REQ-5: four minutes for a connection that is not established, however it is configured.
#[test]
fn a_connection_that_nobody_answers_is_kept_for_four_minutes() {
    let usual = Usual::start();
    usual.lab.lan_ip("route add blackhole 203.0.113.77/32");
    let silent: std::net::Ipv4Addr = "203.0.113.77".parse().unwrap();
    let lost = Connect::to(Proto::Tcp, (silent, 7000)).within_ms(200);
    usual.client.connect(lost).unwrap_err();
    let seconds = expires(&usual.lab, "client", "tcp");
    assert!((230..=240).contains(&seconds), "{seconds}");
}

/// REQ-5: the timers are what the operator says.
#[test]
fn how_long_a_connection_is_kept_is_configured() {
    let usual = Usual::with_config(&format!(
        "{CONFIG}[timeouts]\ntcp_established = 9000\ntcp_opening = 300\ntcp_closing = 400\n"
    ));
    let ask = Connect::to(Proto::Tcp, (LAN, 7000)).hold("one");
    usual.web.connect(ask).unwrap();
    let seconds = expires(&usual.lab, "web", "tcp");
    assert!((8900..=9000).contains(&seconds), "{seconds}");
    // One that nobody answers: the neighbour has no such address.
    let lost = Connect::to(
        Proto::Tcp,
        ("203.0.113.77".parse::<std::net::Ipv4Addr>().unwrap(), 7000),
    );
    usual.lab.lan_ip("route add blackhole 203.0.113.77/32");
    usual.client.connect(lost.within_ms(200)).unwrap_err();
    let seconds = expires(&usual.lab, "client", "tcp");
    assert!((290..=300).contains(&seconds), "{seconds}");
    // One that is closing (RFC 7857, section 2.1: a timer of its own).
    usual.web.finish("one", End::Close).unwrap();
    let seconds = expires(&usual.lab, "web", "tcp");
    assert!((390..=400).contains(&seconds), "{seconds}");
}

/// RFC 7857, section 2.2: an RST may be forged, so the connection is not forgotten at once.
#[test]
fn a_reset_connection_is_kept_for_four_minutes() {
    let usual = Usual::start();
    let ask = Connect::to(Proto::Tcp, (LAN, 7000)).hold("one");
    usual.web.connect(ask).unwrap();
    usual.web.finish("one", End::Reset).unwrap();
    let flows = flows(&usual.lab, "web", "tcp");
    assert_eq!(flows[0]["state"], "closing");
    let seconds = expires(&usual.lab, "web", "tcp");
    assert!((230..=240).contains(&seconds), "{seconds}");
}

/// REQ-10.
#[test]
fn no_icmp_message_ends_a_connection() {
    let usual = Usual::start();
    let ask = || Connect::to(Proto::Tcp, (LAN, 7000)).hold("one");
    let first = usual.web.connect(ask()).unwrap().seen;
    let frames = every_icmp(&format!(
        "tcp 198.51.100.1:{}>198.51.100.2:7000 flags=A",
        first.port()
    ));
    for _ in 0..10 {
        usual.lab.lan().send_frames("lan0", &frames);
        assert_eq!(usual.web.connect(ask()).unwrap().seen, first);
    }
    let flows = flows(&usual.lab, "web", "tcp");
    assert_eq!(flows.len(), 1, "{flows:#?}");
    assert_eq!(flows[0]["state"], "established");
}

/// Of a published port nobody listens at, the container says so itself.
#[test]
fn a_published_port_without_listener_is_refused_by_the_container() {
    let usual = Usual::start();
    usual.lab.netctl("port add web 9001:9001").ok();
    for agent in [usual.lab.lan(), usual.lab.host(), &usual.client] {
        let asked = agent.connect(Connect::to(Proto::Tcp, (HOST, 9001)));
        assert_eq!(asked, Err("ECONNREFUSED".to_owned()));
    }
}
