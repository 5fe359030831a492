//! Rules of published ports, kept by XDP and by TC alike.

mod limits;

use netctl_common::drop_reason::DropReason;
use netctl_tests::{
    packet::{Family, build, fragment},
    prog::{Bench, By, Outcome, Rules, Verdict},
};

use crate::{TCP, UDP};

/// Port 8080 of every host address leads to port 80 of `web`, with rules.
fn ruled(by: By, family: Family, proto: u8, rules: &Rules) -> Bench {
    let mut bench = Bench::usual_in(family);
    let (any, web) = (bench.addr("any"), bench.addr("web"));
    bench.publish(1, proto, (any, 8080, 8080), (1, web, 80));
    bench.shield(1, proto, (8080, 8080), rules);
    if by == By::Tc {
        bench.shield_by_tc();
    }
    bench
}

/// One story for both ways and both families.
fn in_all(rules: impl Fn(By, &Bench) -> Rules, story: impl Fn(By, Bench)) {
    for by in By::BOTH {
        for family in Family::BOTH {
            let rules = rules(by, &Bench::usual_in(family));
            story(by, ruled(by, family, TCP, &rules));
        }
    }
}

/// XDP leaves what it lets in to the hook behind it, which leads it to the container.
#[track_caller]
fn let_in(by: By, outcome: &Outcome) {
    let expected = match by {
        By::Xdp => Verdict::NotOurs,
        By::Tc => Verdict::Redirect,
    };
    assert_eq!(outcome.verdict, expected, "{by:?} {outcome:?}");
    assert!(outcome.drops.is_empty(), "{by:?} {outcome:?}");
}

/// Lets it in, and through the hook behind XDP, too, which makes or finds its flow.
#[track_caller]
fn enters(by: By, bench: &mut Bench, line: &str) {
    let_in(by, &bench.arrives(by, line));
    if by == By::Xdp {
        let_in(By::Tc, &bench.from_uplink(line));
    }
}

/// The source's own /24 or /64.
fn own_net(bench: &Bench) -> ipnet::IpNet {
    let bits = bench.names.family.pick(24, 64);
    ipnet::IpNet::new(bench.addr("out"), bits).unwrap()
}

fn elsewhere(bench: &Bench) -> ipnet::IpNet {
    let net = bench.names.family.pick("192.0.3.0/24", "2001:db8:77::/48");
    net.parse().unwrap()
}

#[test]
fn who_is_on_the_list_is_let_in() {
    in_all(
        |_, bench| Rules {
            from: Some(vec![elsewhere(bench), own_net(bench)]),
            ..Rules::default()
        },
        |by, mut bench| {
            let out = bench.arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=S");
            let_in(by, &out);
            assert_eq!(bench.port_stats(1, 8080).refused, [0; 3]);
        },
    );
}

#[test]
fn who_is_not_on_the_list_is_refused_and_counted() {
    in_all(
        |_, bench| Rules {
            from: Some(vec![elsewhere(bench)]),
            ..Rules::default()
        },
        |by, mut bench| {
            for (n, flags) in (1..).zip(["S", "PA", "FA"]) {
                let line = format!("lan>up tcp {{out}}:5000>{{up}}:8080 flags={flags} len=9");
                bench.arrives(by, &line).dropped(DropReason::NotAllowed);
                // The host port, as the packet has it, and not the container's.
                assert_eq!(bench.port_stats(1, 8080).refused, [n, 0, 0], "{by:?}");
                assert_eq!(bench.port_stats(1, 8080).opened, 0, "{by:?}");
            }
            assert!(bench.flows().is_empty());
            let samples = bench.samples();
            let sample = samples.first().expect("one of them is shown");
            assert_eq!(sample.reason, DropReason::NotAllowed as u32);
            assert_eq!((sample.sport.get(), sample.dport.get()), (5000, 8080));
            assert_eq!(sample.ifindex, Bench::comes_in_by(by));
        },
    );
}

#[test]
fn an_empty_list_lets_nobody_in() {
    in_all(
        |_, _| Rules {
            from: Some(Vec::new()),
            ..Rules::default()
        },
        |by, mut bench| {
            bench
                .arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=S")
                .dropped(DropReason::NotAllowed);
        },
    );
}

#[test]
fn an_interface_on_the_list_lets_everybody_in() {
    in_all(
        |by, bench| Rules {
            from: Some(vec![elsewhere(bench)]),
            by: vec![Bench::comes_in_by(by)],
            ..Rules::default()
        },
        |by, mut bench| {
            let out = bench.arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=S");
            let_in(by, &out);
        },
    );
}

#[test]
fn a_list_is_for_its_port_only() {
    in_all(
        |_, bench| Rules {
            from: Some(vec![elsewhere(bench)]),
            ..Rules::default()
        },
        |by, mut bench| {
            // Port 2 lets the source in, port 1 does not.
            let (any, web) = (bench.addr("any"), bench.addr("web"));
            bench.publish(2, TCP, (any, 8081, 8081), (1, web, 80));
            let rules = Rules {
                from: Some(vec![own_net(&bench)]),
                ..Rules::default()
            };
            bench.shield(2, TCP, (8081, 8081), &rules);
            bench
                .arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=S")
                .dropped(DropReason::NotAllowed);
            let out = bench.arrives(by, "lan>up tcp {out}:5000>{up}:8081 flags=S");
            let_in(by, &out);
        },
    );
}

#[test]
fn what_has_no_rules_is_left_alone() {
    in_all(
        |_, _| Rules {
            from: Some(Vec::new()),
            ..Rules::default()
        },
        |by, mut bench| {
            let (any, web) = (bench.addr("any"), bench.addr("web"));
            bench.publish(2, TCP, (any, 8081, 8081), (1, web, 81));
            bench.publish(3, UDP, (any, 8080, 8080), (1, web, 53));
            for line in [
                "lan>up tcp {out}:5000>{up}:8081 flags=S",
                "lan>up udp {out}:5000>{up}:8080 len=9",
            ] {
                let out = bench.arrives(by, line);
                let_in(by, &out);
            }
            // Neither published nor for the host at all.
            for line in [
                "lan>up tcp {out}:5000>{up}:8082 flags=S",
                "lan>up tcp {out}:5000>{far-host}:8080 flags=S",
                "lan>all tcp {out}:5000>{up}:8080 flags=S",
            ] {
                let line = line.replace(
                    "{far-host}",
                    bench.names.family.pick("198.51.100.50", "[2001:db8:1::50]"),
                );
                bench.arrives(by, &line).not_ours();
            }
        },
    );
}

#[test]
fn rules_of_a_range_are_for_all_of_it() {
    for by in By::BOTH {
        for family in Family::BOTH {
            let mut bench = Bench::usual_in(family);
            let (any, web) = (bench.addr("any"), bench.addr("web"));
            bench.publish(1, UDP, (any, 9000, 9100), (1, web, 7000));
            let rules = Rules {
                from: Some(Vec::new()),
                ..Rules::default()
            };
            bench.shield(1, UDP, (9000, 9100), &rules);
            if by == By::Tc {
                bench.shield_by_tc();
            }
            for port in [9000, 9001, 9064, 9100] {
                let line = format!("lan>up udp {{out}}:5000>{{up}}:{port} len=9");
                bench.arrives(by, &line).dropped(DropReason::NotAllowed);
                assert_eq!(bench.port_stats(1, port).refused, [1, 0, 0], "{by:?}");
            }
            for port in [8999, 9101] {
                let line = format!("lan>up udp {{out}}:5000>{{up}}:{port} len=9");
                bench.arrives(by, &line).not_ours();
            }
        }
    }
}

#[test]
fn rules_are_of_the_spec_that_is_published_there_now() {
    for by in By::BOTH {
        // The bit is there, the rules are of a spec that is not.
        let mut bench = Bench::usual();
        let (any, web) = (bench.addr("any"), bench.addr("web"));
        bench.publish(1, TCP, (any, 8080, 8080), (1, web, 80));
        let nobody = Rules {
            from: Some(Vec::new()),
            ..Rules::default()
        };
        bench.shield(7, TCP, (8080, 8080), &nobody);
        if by == By::Tc {
            bench.shield_by_tc();
        }
        let out = bench.arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=S");
        let_in(by, &out);
    }
}

#[test]
fn the_first_fragment_is_judged_and_the_others_come_to_nothing() {
    for by in By::BOTH {
        for family in Family::BOTH {
            let rules = Rules {
                from: Some(Vec::new()),
                ..Rules::default()
            };
            let mut bench = ruled(by, family, UDP, &rules);
            let line = "lan>up udp {out}:5000>{up}:8080 len=64";
            let whole = build(&bench.names, line);
            bench
                .arrives_as(by, &fragment(&whole, 7, 0..32))
                .dropped(DropReason::NotAllowed);
            let out = bench.arrives_as(by, &fragment(&whole, 7, 32..72));
            assert_ne!(out.verdict, Verdict::Redirect, "{by:?} {out:?}");
            assert!(bench.flows().is_empty());
            assert_eq!(bench.port_stats(1, 8080).refused, [1, 0, 0], "{by:?}");
        }
    }
}

#[test]
fn headers_in_between_hide_no_port() {
    for by in By::BOTH {
        let nobody = Rules {
            from: Some(Vec::new()),
            ..Rules::default()
        };
        // Options of IPv4 (RFC 791, section 3.1): as many as there may be.
        let mut bench = ruled(by, Family::V4, TCP, &nobody);
        let nops = "01".repeat(40);
        for opts in ["01010101", &nops] {
            let line = format!("lan>up tcp {{out}}:5000>{{up}}:8080 flags=S opts={opts}");
            bench.arrives(by, &line).dropped(DropReason::NotAllowed);
        }
        // Extension headers (RFC 8200, section 4): destination options, six of them, long ones.
        let mut bench = ruled(by, Family::V6, TCP, &nobody);
        let one = "60:00010400000000".to_owned();
        let long = format!("60:1f{}", "00".repeat(254));
        let mut chains = vec![one.clone(), long];
        chains.push([one.as_str(); 6].join(","));
        for chain in chains {
            let line = format!("lan>up tcp {{out}}:5000>{{up}}:8080 flags=S ext={chain}");
            bench.arrives(by, &line).dropped(DropReason::NotAllowed);
        }
        // More than anybody follows: the stack would find the port.
        let seven = [one.as_str(); 7].join(",");
        let line = format!("lan>up tcp {{out}}:5000>{{up}}:8080 flags=S ext={seven}");
        bench.arrives(by, &line).dropped(DropReason::Malformed);
        let line = line.replace("{up}", "[2001:db8:1::50]");
        bench.arrives(by, &line).not_ours();
    }
}

#[test]
fn what_ends_before_its_ports_is_not_let_in() {
    for by in By::BOTH {
        for family in Family::BOTH {
            ends_early(by, family);
        }
    }
}

fn ends_early(by: By, family: Family) {
    let nobody = Rules {
        from: Some(Vec::new()),
        ..Rules::default()
    };
    let mut bench = ruled(by, family, TCP, &nobody);
    let whole = |bench: &Bench, line: &str| build(&bench.names, line);
    let ours = whole(&bench, "lan>up tcp {out}:5000>{up}:8080 flags=S len=0");
    let ip = 14 + family.pick(20, 40);
    for length in [ip, ip + 3, ip + 13] {
        bench
            .arrives_as(by, &ours[..length])
            .dropped(DropReason::Malformed);
    }
    // For somebody else it is none of ours.
    let elsewhere = family.pick("198.51.100.50", "[2001:db8:1::50]");
    let line = format!("lan>up tcp {{out}}:5000>{elsewhere}:8080 flags=S len=0");
    let others = whole(&bench, &line);
    bench.arrives_as(by, &others[..ip + 2]).not_ours();
}

/// Generic XDP comes behind GRO: what it sees was several packets when the uplink's MTU says so.
#[test]
fn what_the_stack_has_merged_counts_for_what_it_was() {
    for family in Family::BOTH {
        let nobody = Rules {
            from: Some(Vec::new()),
            ..Rules::default()
        };
        let mut bench = ruled(By::Xdp, family, TCP, &nobody);
        let headers = family.pick(40, 60);
        let mut refused = 0;
        for (mtu, length, packets) in [
            (None, 3000, 1),
            (Some(1500), 1500, 1),
            (Some(1500), 1501, 2),
            (Some(1500), 3000, 2),
            (Some(1500), 3001, 3),
            (Some(9000), 3000, 1),
        ] {
            if let Some(mtu) = mtu {
                bench.uplink_of_xdp(mtu);
            }
            let payload = length - headers;
            let line = format!("lan>up tcp {{out}}:5000>{{up}}:8080 flags=A len={payload}");
            bench
                .arrives(By::Xdp, &line)
                .dropped(DropReason::NotAllowed);
            refused += packets;
            let stats = bench.port_stats(1, 8080);
            assert_eq!(stats.refused, [refused, 0, 0], "{mtu:?} {length}");
        }
    }
}

/// The instrument that the demo and the benchmark print: it measures what it says.
#[test]
fn what_rules_cost_is_measured() {
    let costs = netctl_tests::demo::walks::measure();
    let of = |part: &str| {
        costs
            .iter()
            .find(|(name, _)| name.contains(part))
            .unwrap()
            .1
    };
    println!("{costs:#?}");
    assert!(of("for a port without rules") > 0);
    assert!(of("XDP: refused") > 0 && of("TC, where XDP is taken") > 0);
}
