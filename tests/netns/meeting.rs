//! Containers that reach each other by the ports that they are masqueraded by (RFC 4787, REQ-9;
//! RFC 5382, REQ-8), with real sockets.

use std::net::{IpAddr, SocketAddr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    packet::{Family, build},
};

use crate::usual::{CONFIG, Usual};

/// Where `web` serves, and what `client` asks from: neither port may be drawn by the host, so both
/// stay what they are outside.
const SERVER: u16 = 4000;
const CLIENT: u16 = 5000;

/// Sends from the server's very port, as it would itself, to a port at which nobody listens.
fn send_as_server(usual: &Usual, family: Family, to: &str) {
    let mut names = usual.names();
    names.family = family;
    let flags = if to.starts_with("tcp") {
        "flags=S"
    } else {
        "len=1"
    };
    let (proto, to) = to.split_once(' ').unwrap();
    let line = format!("web>gw {proto} {{web}}:{SERVER}>{to} {flags}");
    usual.web.send_frames("eth0", &[build(&names, &line)]);
}

fn ask(agent: &Agent, proto: Proto, from: IpAddr, host: IpAddr) -> Result<SocketAddr, String> {
    let ask = Connect::to(proto, (host, SERVER))
        .from((from, CLIENT))
        .within_ms(1500);
    let answer = agent.connect(ask)?;
    assert_eq!(answer.peer, (host, SERVER).into());
    Ok(answer.seen)
}

fn in_both(usual: &Usual, story: impl Fn(Family, IpAddr, IpAddr, IpAddr)) {
    let mut names = usual.names();
    for family in Family::BOTH {
        names.family = family;
        let addr = |name| names.addr(name);
        story(family, addr("web"), addr("client"), addr("host"));
    }
}

/// By default each has to send to the other one first, as through any NAT with such a filter.
#[test]
fn two_sockets_meet_by_their_outside_ports() {
    let usual = Usual::start();
    in_both(&usual, |family, web, client, host| {
        usual.web.serve(Proto::Udp, (web, SERVER));
        send_as_server(&usual, family, "udp {lan}:9");
        let early = ask(&usual.client, Proto::Udp, client, host);
        assert!(early.is_err(), "{early:?}");
        send_as_server(&usual, family, &format!("udp {{host}}:{CLIENT}"));
        let seen = ask(&usual.client, Proto::Udp, client, host);
        assert_eq!(seen, Ok((host, CLIENT).into()));
    });
}

/// A network that filters nobody lets a neighbour in as well, and answers come from where it asked.
#[test]
fn without_a_filter_a_server_is_reached_by_its_mapping() {
    let lab = netctl_tests::lab::Lab::with_config(CONFIG);
    let usual = Usual::populate_with(lab, "--nat-filtering endpoint-independent");
    in_both(&usual, |family, web, client, host| {
        for proto in [Proto::Tcp, Proto::Udp] {
            let name = if proto == Proto::Tcp { "tcp" } else { "udp" };
            usual.web.serve(proto, (web, SERVER));
            send_as_server(&usual, family, &format!("{name} {{lan}}:9"));
            let seen = ask(&usual.client, proto, client, host);
            assert_eq!(seen, Ok((host, CLIENT).into()), "{name}");
        }
    });
}
