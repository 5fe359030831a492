//! Two flows that would look the same to the other side, and a full table.

use netctl_common::{drop_reason::DropReason, flow::flags};
use netctl_tests::prog::{Bench, Verdict};

use crate::{ANY, TCP, UDP, WEB};

fn source_port(text: &str) -> u16 {
    text.split([':', '>'])
        .find_map(|part| part.parse().ok())
        .unwrap()
}

/// What the sender of a new flow is told when there is no room for it (RFC 5508, REQ-8).
const PROHIBITED: &str =
    "gw>web icmp 172.18.0.1>172.18.0.2 type=3 code=13 ident=0 seq=0 ttl=64 len=28";

#[test]
fn two_containers_with_one_source_port() {
    let mut bench = Bench::usual();
    let first = bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .text();
    let second = bench
        .from_container(2, "cli>gw udp 172.18.0.3:4000>203.0.113.9:53")
        .text();
    let (first, second) = (source_port(&first), source_port(&second));
    assert_eq!(first, 4000);
    assert_ne!(second, 4000);
    for (port, to) in [
        (first, "gw>web udp 203.0.113.9:53>172.18.0.2:4000"),
        (second, "gw>cli udp 203.0.113.9:53>172.18.0.3:4000"),
    ] {
        bench
            .from_uplink(&format!(
                "lan>up udp 203.0.113.9:53>198.51.100.1:{port} len=2"
            ))
            .redirected(&format!("{to} ttl=63 len=2"));
    }
}

#[test]
fn one_client_port_to_two_published_ports_of_one_backend() {
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (ANY, 8080, 8080), (1, WEB, 80));
    bench.publish(2, TCP, (ANY, 8081, 8081), (1, WEB, 80));
    let mut ports = Vec::new();
    for host in [8080, 8081] {
        let line = format!("lan>up tcp 203.0.113.9:5000>198.51.100.1:{host} flags=S");
        let text = bench.from_uplink(&line).text();
        assert!(text.starts_with("gw>web tcp 203.0.113.9:"), "{text}");
        ports.push(source_port(&text));
    }
    assert_ne!(ports[0], ports[1]);
    for (host, port) in [(8080, ports[0]), (8081, ports[1])] {
        let line = format!("web>gw tcp 172.18.0.2:80>203.0.113.9:{port} flags=SA");
        let expected =
            format!("*>* tcp 198.51.100.1:{host}>203.0.113.9:5000 flags=SA ttl=63 len=0");
        bench.from_container(1, &line).redirected(&expected);
    }
}

#[test]
fn a_nearly_full_pool_still_has_its_last_ports() {
    let mut bench = Bench::usual();
    bench.settings(|settings| (settings.nat_port_first, settings.nat_port_last) = (61000, 61007));
    let mut ports = std::collections::BTreeSet::new();
    let mut exhausted = 0;
    for source in 40000..40032 {
        let line = format!("web>gw udp 172.18.0.2:{source}>203.0.113.9:53");
        let out = bench.from_container(1, &line);
        if out.drops.is_empty() {
            assert!(ports.insert(source_port(&out.text())), "{out:?}");
        } else {
            out.answered(DropReason::NatPortsExhausted, PROHIBITED);
            exhausted += 1;
        }
    }
    assert_eq!(ports.len(), 8, "{ports:?}");
    assert_eq!(exhausted, 24);
    // To another destination the same ports are free.
    let out = bench.from_container(1, "web>gw udp 172.18.0.2:40000>203.0.113.10:53");
    assert_eq!(out.verdict, Verdict::Redirect);
}

#[test]
fn a_full_table_refuses_new_flows_and_keeps_the_old() {
    let mut bench = Bench::usual_with_flows(64);
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=0");
    let mut refused = 0;
    for source in 1000..1200 {
        let line = format!("web>gw udp 172.18.0.2:{source}>203.0.113.9:53");
        let out = bench.from_container(1, &line);
        if !out.drops.is_empty() {
            out.answered(DropReason::FlowTableFull, PROHIBITED);
            refused += 1;
        }
    }
    assert!(refused >= 200 - 64, "{refused}");
    assert_eq!(bench.flows().len() % 2, 0, "no half is left over");
    bench
        .from_uplink("lan>up udp 203.0.113.9:53>198.51.100.1:4000 len=1")
        .redirected("gw>web udp 203.0.113.9:53>172.18.0.2:4000 ttl=63 len=1");
    bench
        .from_uplink("lan>up udp 203.0.113.9:53>198.51.100.1:5353 len=1")
        .answered(
            DropReason::FlowTableFull,
            "up>lan icmp 198.51.100.1>203.0.113.9 type=3 code=13 ident=0 seq=0 ttl=64 len=29",
        );
}

#[test]
fn a_lost_half_is_made_again() {
    let mut bench = Bench::usual();
    let line = "web>gw udp 172.18.0.2:4000>203.0.113.9:53";
    bench.from_container(1, line);
    let flows = bench.flows();
    let (key, _) = flows
        .iter()
        .find(|(_, flow)| flow.flags & flags::REPLY == 0)
        .unwrap();
    bench.remove_flow(*key);
    bench
        .from_container(1, line)
        .redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=0");
    assert_eq!(bench.flows().len(), 2);
}

/// Its replies would be refused for ever otherwise: nothing else makes the other half.
#[test]
fn a_lost_reverse_half_is_made_again_by_the_next_connection() {
    let mut bench = Bench::usual();
    let line = "web>gw tcp 172.18.0.2:4000>203.0.113.9:53 flags=S";
    bench.from_container(1, line);
    let flows = bench.flows();
    let (key, _) = flows
        .iter()
        .find(|(_, flow)| flow.flags & flags::REPLY != 0)
        .unwrap();
    bench.remove_flow(*key);
    bench
        .from_container(1, line)
        .redirected("*>* tcp 198.51.100.1:4000>203.0.113.9:53 flags=S ttl=63 len=0");
    assert_eq!(bench.flows().len(), 2);
    bench
        .from_uplink("lan>up tcp 203.0.113.9:53>198.51.100.1:4000 flags=SA")
        .redirected("gw>web tcp 203.0.113.9:53>172.18.0.2:4000 flags=SA ttl=63 len=0");
}

/// A client's kernel reuses a source port towards another destination: once by the published
/// port, once directly. The server's answers must not look the same to the datapath.
#[test]
fn one_client_port_to_a_published_port_and_to_its_backend_directly() {
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (ANY, 8080, 8080), (1, WEB, 80));
    let answer = "web>cli tcp 172.18.0.2:80>172.18.0.3:40000 flags=SA ttl=64 len=0";
    let published = "cli>gw tcp 172.18.0.3:40000>198.51.100.1:8080";
    let direct = "cli>web tcp 172.18.0.3:40000>172.18.0.2:80";
    // The direct one is first, and goes on after the other one has come.
    bench.from_container(2, &format!("{direct} flags=S"));
    bench.from_container(1, answer).redirected(answer);
    let seen = bench.from_container(2, &format!("{published} flags=S"));
    assert_eq!(seen.verdict, Verdict::Redirect, "{seen:?}");
    bench.from_container(1, answer).redirected(answer);
    // The published one is answered too, by whatever port it was given.
    let port = source_port(&seen.text());
    let line = format!("web>cli tcp 172.18.0.2:80>172.18.0.3:{port} flags=SA");
    let expected = "gw>cli tcp 198.51.100.1:8080>172.18.0.3:40000 flags=SA ttl=63 len=0";
    bench.from_container(1, &line).redirected(expected);
}
