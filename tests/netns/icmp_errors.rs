//! ICMP errors between real sockets: traceroute, what routers say, what containers say.

use std::{net::IpAddr, time::Duration};

use netctl_tests::{
    agent::{Agent, Connect, Kind, Load, Probe, Probed, Proto, Told},
    eventually::wait_for,
    lab::{HOST, HOST6},
};

use crate::{
    path::{Ends, ends, far},
    usual::{PUBLISHED, Usual},
};

const KINDS: [Kind; 3] = [Kind::Udp, Kind::Tcp, Kind::Echo];

/// The ICMP error that a probe met.
#[track_caller]
fn told(agent: &Agent, probe: Probe) -> Told {
    let told = agent.probe(probe.clone()).unwrap().told;
    told.unwrap_or_else(|| panic!("nobody told of {probe:?}"))
}

/// The same of a route that refuses: its errors and all others of the kernel take from one bucket
/// of the asking source, so that a third one in a second may be left out (ip_error, net/ipv4/route.c,
/// and inet_peer_xrlim_allow).
#[track_caller]
fn told_by_route(agent: &Agent, probe: Probe) -> Told {
    const PROBES: usize = 3;
    let mut probes = (0..PROBES).map(|_| agent.probe(probe.clone()).unwrap());
    let told = probes.find_map(|probed| probed.told);
    told.unwrap_or_else(|| panic!("nobody told of {PROBES} times {probe:?}"))
}

/// Who says that a probe with so many hops came no further.
#[track_caller]
fn hop(agent: &Agent, (kind, target, hops): (Kind, IpAddr, u8), ends: &Ends) -> Option<IpAddr> {
    let told = told(agent, Probe::to(kind, (target, 7000)).hops(hops));
    assert_eq!((told.kind, told.code), (ends.exceeded, 0), "{told:?}");
    // The quote is of what this socket has sent: translated addresses would be no news to it.
    assert_eq!(told.about, Some(target), "{told:?}");
    assert_eq!(told.errno, "EHOSTUNREACH");
    told.from
}

/// The gateway, the router, and then the target itself.
#[track_caller]
fn trace(agent: &Agent, ends: &Ends) {
    for kind in KINDS {
        let target = ends.far;
        assert_eq!(hop(agent, (kind, target, 1), ends), Some(ends.gateway));
        assert_eq!(hop(agent, (kind, target, 2), ends), Some(ends.router));
        let reached = agent.probe(Probe::to(kind, (target, 7000)).hops(3));
        assert!(reached.unwrap().answered, "{kind:?} IPv{}", ends.family);
    }
    // What traceroute(8) ends with: a port that nobody has.
    let last = told(agent, Probe::to(Kind::Udp, (ends.far, 33_434)).hops(3));
    assert_eq!((last.kind, last.code), ends.port_unreachable);
    assert_eq!((last.from, last.about), (Some(ends.far), Some(ends.far)));
    assert_eq!(last.errno, "ECONNREFUSED");
    let refused = agent.probe(Probe::to(Kind::Tcp, (ends.far, 33_434)).hops(3));
    assert_eq!(refused, Err("ECONNREFUSED".to_owned()));
}

#[test]
fn a_traceroute_shows_every_hop() {
    let usual = Usual::start();
    let _far = far(&usual);
    for ends in ends() {
        // One that is published and one that is not: their packets are looked up apart.
        for agent in [&usual.web, &usual.client] {
            trace(agent, &ends);
        }
    }
}

/// The quote of a packet whose checksum was left to the device is no packet of that kind.
#[test]
fn a_traceroute_without_offloads() {
    let usual = Usual::start();
    let _far = far(&usual);
    for link in usual.lab.host().links() {
        if link.name != "lo" {
            usual.lab.host().no_checksums(&link.name);
        }
    }
    for ends in ends() {
        trace(&usual.client, &ends);
    }
}

/// RFC 5508, REQ-4: a router that is not the destination.
#[test]
fn what_a_router_refuses_reaches_the_socket() {
    for (route, code4, code6, errno) in [
        ("unreachable", 1, 0, ["EHOSTUNREACH", "ENETUNREACH"]),
        ("prohibit", 13, 1, ["EHOSTUNREACH", "EACCES"]),
    ] {
        let usual = Usual::start();
        let _far = far(&usual);
        usual.lab.refuse_outside(route);
        for ends in ends() {
            let (kind, code, errno) = if ends.family == 4 {
                (3, code4, errno[0])
            } else {
                (1, code6, errno[1])
            };
            for probe in KINDS {
                let told = told_by_route(&usual.client, Probe::to(probe, (ends.outside, 7000)));
                let expected = Told {
                    from: Some(ends.router),
                    about: Some(ends.outside),
                    kind,
                    code,
                    mtu: 0,
                    errno: errno.to_owned(),
                };
                assert_eq!(told, expected, "{probe:?}, {route}");
            }
        }
    }
}

/// A datagram to a published port whose process is gone.
#[track_caller]
fn refused(agent: &Agent, target: IpAddr) -> Probed {
    agent.probe(Probe::to(Kind::Udp, (target, 9000))).unwrap()
}

/// RFC 5508, REQ-5: the container's error comes from the address that the client has sent to.
#[test]
fn a_closed_published_port_refuses_outsiders() {
    let usual = Usual::start();
    let far = far(&usual);
    usual.lab.netctl("port add web 9000:90/udp").ok();
    for ends in ends() {
        for agent in [usual.lab.lan(), &far.agent] {
            let told = refused(agent, ends.host).told.unwrap();
            assert_eq!((told.kind, told.code), ends.port_unreachable);
            assert_eq!(told.from, Some(ends.host));
            assert_eq!(told.about, Some(ends.host));
            assert_eq!(told.errno, "ECONNREFUSED");
        }
    }
}

/// RFC 5508, REQ-7: a neighbour, another network's container, the container itself, and the host.
#[test]
fn a_closed_published_port_refuses_insiders() {
    let usual = Usual::start();
    usual.lab.netctl("port add web 9000:90/udp").ok();
    for ends in ends() {
        for agent in [&usual.client, &usual.other, &usual.web] {
            let told = refused(agent, ends.host).told.unwrap();
            assert_eq!((told.kind, told.code), ends.port_unreachable);
            assert_eq!((told.from, told.about), (Some(ends.host), Some(ends.host)));
        }
        // A process was led to the container when it connected: there its packet went.
        let loopback: IpAddr = if ends.family == 4 {
            [127, 0, 0, 1].into()
        } else {
            [0, 0, 0, 0, 0, 0, 0, 1].into()
        };
        for target in [ends.host, loopback] {
            let told = refused(usual.lab.host(), target).told.unwrap();
            assert_eq!((told.kind, told.code), ends.port_unreachable, "{target}");
            assert_eq!(told.errno, "ECONNREFUSED");
        }
    }
}

/// RFC 4787, REQ-12; RFC 5382, REQ-10; RFC 5508, REQ-6: during a transfer a router refuses for a
/// while, and nothing of the transfer is lost.
#[test]
fn refusals_on_the_way_end_no_transfer() {
    let usual = Usual::start();
    let far = far(&usual);
    let servers = ends().map(|ends| (ends.far, 7001).into());
    usual.client.load_start(Load {
        keep_alive: servers.to_vec(),
        limit_ms: 60_000,
        ..Load::default()
    });
    let published = [(HOST, PUBLISHED + 1).into(), (HOST6, PUBLISHED + 1).into()];
    far.agent.load_start(Load {
        keep_alive: published.to_vec(),
        limit_ms: 60_000,
        ..Load::default()
    });
    for ends in ends() {
        let target = format!("{}/{}", ends.far, if ends.family == 4 { 32 } else { 128 });
        for _ in 0..3 {
            usual.lab.lan_ip(&format!("route add unreachable {target}"));
            // The router refuses the transfer's packets as it does these: some of them, since it
            // answers one of a route in a second (ip_error of the kernel).
            wait_for("a refusal", Duration::from_secs(20), || {
                let mut probe = Probe::to(Kind::Udp, (ends.far, 7000));
                probe.timeout_ms = 300;
                let told = usual.client.probe(probe).unwrap().told;
                told.is_some_and(|told| told.from == Some(ends.router))
            });
            usual.lab.lan_ip(&format!("route del unreachable {target}"));
            let ask = Connect::to(Proto::Udp, (ends.far, 7000));
            usual.client.connect(ask).unwrap();
        }
    }
    for report in [usual.client.load_stop(), far.agent.load_stop()] {
        assert!(report.is_clean(), "{report:?}");
        assert!(report.requests > 0);
    }
}
