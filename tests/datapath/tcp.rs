//! The state of a TCP connection, from both halves of its flow.

use std::time::Duration;

use netctl_common::{drop_reason::DropReason, flow::flags, tcp::TcpState};
use netctl_tests::{eventually::wait_for, prog::Bench};

const OUT: &str = "web>gw tcp 172.18.0.2:4000>203.0.113.9:80";
const BACK: &str = "lan>up tcp 203.0.113.9:80>198.51.100.1:4000";

fn state(bench: &Bench) -> TcpState {
    let flows = bench.flows();
    let seen = |reply: u16| {
        let found = flows
            .iter()
            .find(|(_, flow)| flow.flags & flags::REPLY == reply);
        found.unwrap().1.tcp_seen
    };
    assert_eq!(flows.len(), 2);
    TcpState::of(seen(0), seen(flags::REPLY))
}

fn step(bench: &mut Bench, line: &str, tcp_flags: &str) -> TcpState {
    let line = format!("{line} flags={tcp_flags}");
    let out = if line.starts_with("web") {
        bench.from_container(1, &line)
    } else {
        bench.from_uplink(&line)
    };
    assert!(out.drops.is_empty(), "{out:?}");
    state(bench)
}

#[test]
fn a_connection_from_handshake_to_end() {
    let mut bench = Bench::usual();
    for (line, tcp_flags, expected) in [
        (OUT, "S", TcpState::Opening),
        (BACK, "SA", TcpState::Opening),
        (OUT, "A", TcpState::Established),
        (BACK, "PA", TcpState::Established),
        (OUT, "FA", TcpState::Closing),
        (BACK, "FA", TcpState::Closing),
        (OUT, "A", TcpState::Closing),
    ] {
        assert_eq!(
            step(&mut bench, line, tcp_flags),
            expected,
            "after {line} {tcp_flags}"
        );
    }
    // The same ports again: a SYN opens a new connection on the closing one.
    assert_eq!(step(&mut bench, OUT, "S"), TcpState::Opening);
    assert_eq!(step(&mut bench, BACK, "SA"), TcpState::Opening);
    assert_eq!(step(&mut bench, OUT, "A"), TcpState::Established);
}

/// RFC 5382, REQ-2a: both sides open at once, and their SYNs cross (RFC 9293, figure 7). Nobody
/// listens at either end, and every packet gets through.
#[test]
fn a_simultaneous_open() {
    let mut bench = Bench::usual();
    for (line, tcp_flags, expected) in [
        (OUT, "S", TcpState::Opening),
        (BACK, "S", TcpState::Opening),
        (OUT, "SA", TcpState::Opening),
        (BACK, "SA", TcpState::Opening),
        (OUT, "A", TcpState::Established),
        (BACK, "A", TcpState::Established),
    ] {
        assert_eq!(
            step(&mut bench, line, tcp_flags),
            expected,
            "after {line} {tcp_flags}"
        );
    }
}

#[test]
fn a_reset_closes() {
    let mut bench = Bench::usual();
    step(&mut bench, OUT, "S");
    assert_eq!(step(&mut bench, BACK, "RA"), TcpState::Closing);
}

/// RFC 5961, section 3.2: an endpoint does not believe an RST with a wrong sequence number, and goes
/// on. One that did believe it says so.
#[test]
fn a_reset_that_nobody_believes_closes_for_a_moment() {
    let mut bench = Bench::usual();
    step(&mut bench, OUT, "S");
    step(&mut bench, BACK, "SA");
    step(&mut bench, OUT, "A");
    for forged in [BACK, OUT] {
        assert_eq!(step(&mut bench, forged, "R"), TcpState::Closing, "{forged}");
        wait_for("the connection to go on", Duration::from_secs(10), || {
            step(&mut bench, OUT, "PA") == TcpState::Established
        });
        assert_eq!(step(&mut bench, BACK, "A"), TcpState::Established);
    }
    // A late segment and the answer of somebody who has closed.
    step(&mut bench, BACK, "R");
    wait_for("a late segment to count", Duration::from_secs(10), || {
        step(&mut bench, OUT, "A") == TcpState::Established
    });
    assert_eq!(step(&mut bench, BACK, "R"), TcpState::Closing);
}

#[test]
fn a_syn_again_changes_nothing() {
    let mut bench = Bench::usual();
    step(&mut bench, OUT, "S");
    step(&mut bench, BACK, "SA");
    step(&mut bench, OUT, "A");
    // A retransmitted or forged SYN must not reset an established connection's state.
    assert_eq!(step(&mut bench, OUT, "S"), TcpState::Established);
}

#[test]
fn a_connection_that_outlived_our_memory_goes_on() {
    let mut bench = Bench::usual();
    // Data without a known flow, as after a reboot of nothing but us: picked up.
    assert_eq!(step(&mut bench, OUT, "PA"), TcpState::Opening);
    assert_eq!(step(&mut bench, BACK, "A"), TcpState::Established);
    bench
        .from_container(2, "cli>gw tcp 172.18.0.3:4000>203.0.113.9:80 flags=FA")
        .dropped(DropReason::NoFlow);
}
