//! An operator's rules of ports whose host ports the Engine draws: how they stand in rows changes
//! with every start.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, Ordering},
};

use netctl_tests::{
    agent::Proto,
    eventually::wait_for,
    lab::{Neighbour, docker::IMAGE},
};

use serde_json::Value;

use crate::{
    adopted::{ANSWERS, Adopted, SOON},
    driven::Driven,
    mode::Mode,
    shield::{reaches, who},
};

/// Starts until the host ports have come as they are wanted.
const STARTS: usize = 12;
/// Host ports that are drawn from: where the second of them is taken they lie apart.
const PORTS: RangeInclusive<u16> = 20_000..=20_003;
const PUBLISHED: &str = "-p 20000-20001:80 -p 20001-20003:81";
const TAKEN: &str = "-p 20001:9";

/// Host port, container port, number of ports of each published row.
fn rows<M: Mode>(mode: &M) -> Vec<(u16, u16, u16)> {
    let shown = mode.lab().netctl("ns inspect web -o json").json();
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap() as u16;
    let row = |row| {
        (
            number(row, "host_port"),
            number(row, "container_port"),
            number(row, "count"),
        )
    };
    shown["ports"].as_array().unwrap().iter().map(row).collect()
}

/// The host ports that lead to TCP ports 80 and 81.
fn drawn<M: Mode>(mode: &M) -> (u16, u16) {
    let rows = rows(mode);
    let host_port = |port: u16| {
        let mut found = rows.iter().filter_map(|(host, container, count)| {
            let step = port.checked_sub(*container)?;
            (step < *count).then(|| host + step)
        });
        found
            .next()
            .unwrap_or_else(|| panic!("no way to {port}: {rows:?}"))
    };
    (host_port(80), host_port(81))
}

/// Restarts the container until its two host ports follow each other, or do not. Meanwhile
/// `stranger` asks every port that may be drawn, and gets no answer.
fn restart_until<M: Mode>(mode: &M, one_row: bool, stranger: &Neighbour) -> (u16, u16) {
    for _ in 0..STARTS {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| ask(stranger, &done));
            mode.engine().ok("restart -t 0 web");
            mode.wait_served("web");
            done.store(true, Ordering::Relaxed);
            let (answered, rounds) = asking.join().unwrap();
            assert!(rounds > 0, "the stranger asked nothing");
            assert!(answered.is_empty(), "a stranger had answers: {answered:?}");
        });
        let (first, second) = drawn(mode);
        if (second == first + 1) == one_row {
            return (first, second);
        }
    }
    panic!(
        "in {STARTS} starts no host ports as wanted (one row: {one_row}): {:?}",
        drawn(mode)
    )
}

/// Ports that answered, and how often all of them were asked.
fn ask(who: &Neighbour, done: &AtomicBool) -> (BTreeSet<u16>, usize) {
    let mut answered = BTreeSet::new();
    let mut rounds = 0;
    while rounds == 0 || !done.load(Ordering::Relaxed) {
        let found = PORTS.filter(|port| reaches(&who.agent, who.host, *port, 100));
        answered.extend(found);
        rounds += 1;
    }
    (answered, rounds)
}

fn rules_hold_however_ports_are_drawn<M: Mode>() {
    let mode = M::start();
    let lab = mode.lab();
    let stranger = lab.add_lan_host();
    mode.network("net1", "--subnet 172.28.0.0/24");
    // It answers on 80 from its first moment.
    mode.engine().ok(&format!(
        "run -d --name web --network net1 {PUBLISHED} {IMAGE} {ANSWERS}"
    ));
    mode.wait_served("web");
    let serve_second = || {
        let web = mode.engine().agent(lab, "web");
        web.serve(Proto::Tcp, (std::net::Ipv4Addr::UNSPECIFIED, 81));
        web
    };
    let are = |port: u16, expected: (bool, bool)| {
        let what = format!("{port} for (the LAN, the stranger) as {expected:?}");
        wait_for(&what, SOON, || who(lab, &stranger, port) == expected);
    };
    let allow = |ports: &str, from: &str| {
        lab.netctl(&format!("port allow web {ports} --from {from}"))
            .ok();
    };
    // Rules of the row, where it is one, or of each port.
    for (host, container, count) in rows(&mode) {
        let (last, container_last) = (host + count - 1, container + count - 1);
        allow(
            &format!("{host}-{last}:{container}-{container_last}"),
            "up0",
        );
    }
    let (first, second) = drawn(&mode);
    assert_eq!(second, first + 1, "as one row");
    are(first, (true, false));
    mode.engine().ok("stop -t 0 web");
    mode.engine().ok(&format!(
        "run -d --name other --network net1 {TAKEN} {IMAGE} {ANSWERS}"
    ));
    let (first, second) = restart_until(&mode, false, &stranger);
    let web = serve_second();
    are(first, (true, false));
    are(second, (true, false));
    // One of them is for everybody from now on, in whatever row it comes.
    allow(&format!("{second}:81"), "any");
    are(second, (true, true));
    are(first, (true, false));
    drop(web);
    mode.engine().ok("rm -f other");
    let (first, second) = restart_until(&mode, true, &stranger);
    let _web = serve_second();
    are(second, (true, true));
    are(first, (true, false));
    lab.netctl(&format!("port allow web {first}:80 --clear"))
        .ok();
    are(first, (true, true));
}

#[test]
fn rules_hold_however_ports_are_drawn_adopted() {
    rules_hold_however_ports_are_drawn::<Adopted>();
}

#[test]
fn rules_hold_however_ports_are_drawn_by_the_driver() {
    rules_hold_however_ports_are_drawn::<Driven>();
}
