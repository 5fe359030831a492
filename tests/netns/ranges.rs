//! Acceptance 6, first half: ten thousand ports at the cost of one.

use std::{
    fs,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN, Lab},
    patience::patient,
};

use crate::usual;

#[test]
fn ten_thousand_ports_in_less_than_a_second() {
    let lab = usual::lab();
    lab.populate(
        "net1 --subnet 172.18.0.0/24",
        &[("before", "-p 9000:80/udp")],
    );
    let (files, processes) = (lab.daemon_descriptors(), lab_processes(&lab));
    let begin = Instant::now();
    lab.netctl("ns create web --network net1 -p 10000-19999:10000-19999/udp")
        .ok();
    let took = begin.elapsed();
    assert!(took < patient(Duration::from_secs(1)), "{took:?}");
    assert!(
        lab.daemon_descriptors() <= files + 8,
        "{} descriptors, {files} before",
        lab.daemon_descriptors()
    );
    assert_eq!(lab_processes(&lab), processes);
    let web = lab.agent_in("web");
    for port in [10000, 14321, 19999] {
        web.serve(Proto::Udp, (Ipv4Addr::UNSPECIFIED, port));
        for (who, agent, target) in [
            ("lan", lab.lan(), HOST),
            ("host", lab.host(), Ipv4Addr::LOCALHOST),
        ] {
            let answer = agent.connect(Connect::to(Proto::Udp, (target, port)));
            assert!(answer.is_ok(), "{who} to {port}: {answer:?}");
        }
        let seen = lab
            .lan()
            .connect(Connect::to(Proto::Udp, (HOST, port)))
            .unwrap();
        assert_eq!(seen.seen.ip(), LAN);
    }
    // Every one of them is taken, their neighbours are not.
    for port in [10000, 12000, 19999] {
        let bound = lab
            .host()
            .bind(Proto::Udp, (Ipv4Addr::UNSPECIFIED, port), None);
        assert!(bound.is_err(), "{port}");
    }
    for port in [9999, 20000] {
        lab.host()
            .bind(Proto::Udp, (Ipv4Addr::UNSPECIFIED, port), None)
            .unwrap();
    }
    // Metrics tell of ports that saw traffic, not of ten thousand.
    let text = lab.scrape().text().to_owned();
    let series = text
        .lines()
        .filter(|line| line.contains("host_port=\"1"))
        .count();
    assert!((3..100).contains(&series), "{series}");
    let begin = Instant::now();
    lab.netctl("ns rm web").ok();
    assert!(
        begin.elapsed() < patient(Duration::from_secs(1)),
        "{:?}",
        begin.elapsed()
    );
    lab.host()
        .bind(Proto::Udp, (Ipv4Addr::UNSPECIFIED, 12000), None)
        .unwrap();
}

/// Processes of the host: the lab's cgroup holds them all.
fn lab_processes(lab: &Lab) -> usize {
    fs::read_to_string(lab.cgroup().join("cgroup.procs"))
        .unwrap()
        .lines()
        .count()
}
