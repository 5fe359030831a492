//! Acceptance 6, second half: 1 100 namespaces on one network.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use netctl_tests::{
    agent::Request,
    eventually::wait_for,
    lab::{Lab, OUTSIDE, netns_path},
};

use crate::usual;

const COUNT: u32 = 1100;
/// Creations that are averaged at each end.
const SAMPLE: usize = 40;

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 88, 1, 0)) + number)
}

fn pings(lab: &Lab, number: u32, target: Ipv4Addr) -> bool {
    let ask = Request::Ping {
        identifier: None,
        target: target.into(),
        count: 1,
        timeout_ms: 1000,
    };
    let netns = netns_path(&format!("n{number}"));
    lab.host().ask_in::<u16>(&netns, ask) == Ok(1)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn more_than_a_linux_bridge_has_ports() {
    let lab = Lab::alone(usual::CONFIG);
    lab.netctl("network create big --subnet 10.88.0.0/20").ok();
    let mut times = Vec::new();
    for number in 0..COUNT {
        let begin = Instant::now();
        lab.netctl(&format!(
            "ns create n{number} --network big --ip {}",
            address(number)
        ))
        .ok();
        times.push(begin.elapsed());
    }
    let first = median(times[..SAMPLE].to_vec());
    let last = median(times[times.len() - SAMPLE..].to_vec());
    println!(
        "first {first:?}, last {last:?}, all {:?}",
        times.iter().sum::<Duration>()
    );
    for number in 0..COUNT {
        let neighbour = address((number + 517) % COUNT);
        for (what, target) in [
            ("the gateway", Ipv4Addr::new(10, 88, 0, 1)),
            ("the outside", OUTSIDE),
            ("a neighbour", neighbour),
        ] {
            // Patience, since the kernel has room for 1024 neighbours of all namespaces together
            // (net.ipv4.neigh.default.gc_thresh3), those of other labs included.
            wait_for(
                &format!("n{number} to reach {what} {target}"),
                Duration::from_secs(60),
                || pings(&lab, number, target),
            );
        }
    }
    let status = lab.netctl("status -o json").json();
    assert_eq!(status["endpoints"], COUNT, "{status:#}");
    assert!(
        last < first * 2 + Duration::from_millis(10),
        "first {first:?}, last {last:?}"
    );
}
