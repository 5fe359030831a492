//! SCTP and protocols without ports by real devices: through masquerade, to published ports, and
//! for how long. The kernel need not know SCTP: frames are made here, checksums and all; where it
//! does, [`real_associations`] lets two stacks talk.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Agent, Connect, Exchange, Proto},
    eventually::wait_for,
    packet::{Names, build, show},
};

use crate::{
    rfc::{self, expires, flows},
    usual::Usual,
};

/// MACs of the uplink's ends, of net1's gateway and of the containers.
fn names(usual: &Usual) -> Names {
    let mac = |agent: &Agent| Mac(agent.link("eth0").mac.unwrap());
    let gateway = usual.lab.netctl("network inspect net1 -o json").json();
    let gateway = netctl::model::mac::parse(gateway["mac"].as_str().unwrap()).unwrap();
    rfc::names()
        .with("web", mac(&usual.web))
        .with("client", mac(&usual.client))
        .with("gw", gateway)
}

/// What arrives at the other end of a line that is sent: the frame with that data, as a line.
#[track_caller]
fn passes(
    names: &Names,
    (from, out): (&Agent, &str),
    (to, into): (&Agent, &str),
    (line, data): (&str, &str),
) -> String {
    to.sniff(into);
    let frame = build(names, &format!("{line} data={data}"));
    from.send_frames(out, &[frame]);
    let arrived = to.sniffed(into, data.as_bytes(), 1, 5000);
    // The neighbour's kernel says that it does not know the protocol, and quotes it.
    let first = arrived.first().unwrap_or_else(|| panic!("{line}"));
    show(names, first)
}

/// A container of a family: who it is, and the two addresses outside.
struct Side<'a> {
    agent: &'a Agent,
    name: &'static str,
    inside: &'static str,
    host: &'static str,
    lan: &'static str,
}

fn sides(usual: &Usual) -> [Side<'_>; 2] {
    [
        Side {
            agent: &usual.web,
            name: "web",
            inside: "172.18.0.2",
            host: "198.51.100.1",
            lan: "198.51.100.2",
        },
        Side {
            agent: &usual.client,
            name: "client",
            inside: "fd00:18::3",
            host: "2001:db8:64::1",
            lan: "2001:db8:64::2",
        },
    ]
}

/// `ADDRESS:PORT>ADDRESS:PORT`.
fn ends((from, sport): (&str, u16), (to, dport): (&str, u16)) -> String {
    let end = |addr: &str, port| SocketAddr::new(addr.parse().unwrap(), port);
    format!("{}>{}", end(from, sport), end(to, dport))
}

/// Four minutes to open, 210 seconds when both sides have spoken, four minutes after the end.
#[test]
fn an_sctp_association_from_a_container() {
    let usual = Usual::start();
    let names = names(&usual);
    let up = (usual.lab.lan(), "lan0");
    for side in sides(&usual) {
        let inside = (side.agent, "eth0");
        for (chunk, reply, state, limit) in [
            (1, 2, "opening", 240),
            (10, 11, "established", 210),
            (7, 8, "closing", 240),
        ] {
            let sent = ends((side.inside, 40_000), (side.lan, 9));
            let seen = ends((side.host, 40_000), (side.lan, 9));
            let line = format!("{}>gw sctp {sent} chunk={chunk}", side.name);
            let arrived = passes(&names, inside, up, (&line, "from-the-inside"));
            assert!(
                arrived.ends_with(&format!("sctp {seen} chunk={chunk} ttl=63 len=15")),
                "{arrived}"
            );
            let sent = ends((side.lan, 9), (side.host, 40_000));
            let seen = ends((side.lan, 9), (side.inside, 40_000));
            let line = format!("lan>up sctp {sent} chunk={reply}");
            let arrived = passes(&names, up, inside, (&line, "from-without"));
            assert!(
                arrived.ends_with(&format!("sctp {seen} chunk={reply} ttl=63 len=12")),
                "{arrived}"
            );
            let flows = flows(&usual.lab, side.name, "sctp");
            assert_eq!(flows.len(), 1, "{flows:#?}");
            assert_eq!(flows[0]["state"], state);
            let seconds = expires(&usual.lab, side.name, "sctp");
            assert!(
                (limit - 10..=limit).contains(&seconds),
                "{seconds} of {limit}"
            );
        }
    }
}

/// `-p 9999:9999/sctp`: reached from the neighbour, counted, and refused under another number.
#[test]
fn an_sctp_port_is_published() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add client 9998:9999/sctp").fails_with(
        1,
        &["an sctp port cannot be translated", "use 9999:9999/sctp"],
    );
    lab.netctl("port add client 9999:9999/sctp").ok();
    let names = names(&usual);
    let up = (lab.lan(), "lan0");
    for (host, lan, inside) in [
        ("198.51.100.1", "198.51.100.2", "172.18.0.3"),
        ("2001:db8:64::1", "2001:db8:64::2", "fd00:18::3"),
    ] {
        let client = (&usual.client, "eth0");
        let line = format!("lan>up sctp {}", ends((lan, 5000), (host, 9999)));
        let arrived = passes(&names, up, client, (&line, "a-question"));
        let seen = ends((lan, 5000), (inside, 9999));
        assert!(
            arrived.ends_with(&format!("sctp {seen} chunk=1 ttl=63 len=10")),
            "{arrived}"
        );
        let answer = ends((inside, 9999), (lan, 5000));
        let line = format!("client>gw sctp {answer} chunk=2");
        let arrived = passes(&names, client, up, (&line, "the-answer"));
        let seen = ends((host, 9999), (lan, 5000));
        assert!(
            arrived.ends_with(&format!("sctp {seen} chunk=2 ttl=63 len=10")),
            "{arrived}"
        );
    }
}

/// Two kernels' own SCTP, whose packets leave a veth without their checksum, and several in one
/// (GSO): out by masquerade, in by a published port, back inside by the host's address.
pub(crate) fn real_associations() {
    /// So many bytes at a time that some leave as segments.
    const LARGE: usize = 200_000;
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web 9999:9999/sctp").ok();
    let any = |port| -> [SocketAddr; 2] {
        [
            (Ipv4Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, port).into(),
        ]
    };
    for addr in any(9999) {
        usual.web.serve(Proto::Sctp, addr);
    }
    for addr in any(9998) {
        lab.lan().serve(Proto::Sctp, addr);
    }
    let [in_v4, in_v6] = sides(&usual);
    for (side, web) in [(in_v4, "172.18.0.2"), (in_v6, "fd00:18::2")] {
        let addr = |text: &str| -> IpAddr { text.parse().unwrap() };
        let (host, lan, web) = (addr(side.host), addr(side.lan), addr(web));
        // Who asks, whom, and whether the server sees the host in his place.
        for (from, to, is_masqueraded) in [
            (&usual.client, (lan, 9998), true),
            (lab.lan(), (host, 9999), false),
            (&usual.client, (host, 9999), false),
            (&usual.other, (host, 9999), false),
            (&usual.client, (web, 9999), false),
            (lab.host(), (web, 9999), false),
        ] {
            let asked = from.connect(Connect::to(Proto::Sctp, to));
            let asked = asked.unwrap_or_else(|error| panic!("{to:?}: {error}"));
            // SCTP's port is never changed.
            assert_eq!(asked.seen.port(), asked.local.port(), "{to:?}: {asked:?}");
            let seen = if is_masqueraded {
                host
            } else {
                asked.local.ip()
            };
            assert_eq!(asked.seen.ip(), seen, "{to:?}: {asked:?}");
            from.exchange_all(Exchange::of(Proto::Sctp, to, 3, LARGE), format!("{to:?}"));
        }
    }
}

/// Ten minutes, one container for a peer, and the neighbour's answers come to it alone.
#[test]
fn gre_from_a_container() {
    let usual = Usual::start();
    let names = names(&usual);
    let up = (usual.lab.lan(), "lan0");
    for side in sides(&usual) {
        let inside = (side.agent, "eth0");
        let (own, host, lan) = (side.inside, side.host, side.lan);
        let line = format!("{}>gw ip:47 {own}>{lan}", side.name);
        let arrived = passes(&names, inside, up, (&line, "from-the-inside"));
        assert!(
            arrived.ends_with(&format!("ip:47 {host}>{lan} ttl=63 len=15")),
            "{arrived}"
        );
        let line = format!("lan>up ip:47 {lan}>{host}");
        let arrived = passes(&names, up, inside, (&line, "from-without"));
        assert!(
            arrived.ends_with(&format!("ip:47 {lan}>{own} ttl=63 len=12")),
            "{arrived}"
        );
        let seconds = expires(&usual.lab, side.name, "47");
        assert!((590..=600).contains(&seconds), "{seconds}");
    }
    // The neighbour's container has no way there: counted by its name.
    let count = || {
        let drops = usual.lab.netctl("drops -o json").json();
        let drops = drops.as_array().unwrap().clone();
        let found = drops.iter().find(|one| one["reason"] == "protocol_taken");
        found.map_or(0, |one| one["packets"].as_u64().unwrap())
    };
    assert_eq!(count(), 0);
    let second = build(
        &names,
        "client>gw ip:47 172.18.0.3>198.51.100.2 data=second",
    );
    usual.client.send_frames("eth0", &[second]);
    wait_for("the drop to be counted", Duration::from_secs(10), || {
        count() == 1
    });
}
