//! A container's first moment: what it sends before `docker run` is back.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN, docker::IMAGE},
};
use serde_json::json;

use crate::{
    adopted::{ANSWERS, Adopted, SOON},
    driven::Driven,
    mode::{Mode, wait_at_rest},
};

/// The first packet of a container's first process leaves, masqueraded, and its answer comes.
fn first_packet<M: Mode>() {
    let mode = M::start();
    let first = mode.first_network();
    mode.network("net1", "");
    wait_at_rest(mode.lab());
    for network in [first, "net1"] {
        for round in 0..3 {
            // One echo request, and a second to wait for its answer.
            mode.engine().ok(&format!(
                "run -d --name first --network {network} {IMAGE} /bin/busybox ping -c 1 -W 1 {LAN}"
            ));
            mode.engine().ok("wait first");
            let sent = mode.engine().ok("logs first");
            mode.engine().ok("rm first");
            assert!(
                sent.contains("1 packets received"),
                "{network}, round {round}: {sent}\n{}",
                mode.lab().netctl("drops").stdout
            );
        }
    }
}

/// Whoever calls a published port as soon as `docker run` is back is answered, or refused by a
/// service that does not listen yet; nobody is left in the queue of the socket that the Engine
/// keeps the port by and never reads.
fn first_moment<M: Mode>() {
    const ROUNDS: u16 = 50;
    let mode = M::start();
    let network = mode.first_network();
    wait_at_rest(mode.lab());
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS {
        let port = 8000 + round;
        // The number is known before the start, or chosen by the Engine during it.
        let published = [format!("{port}:80"), format!("{port}-{}:80", port + 1)];
        let published = &published[usize::from(round) % 2];
        mode.engine().ok(&format!(
            "run -d --name web --network {network} -p {published} {IMAGE} {ANSWERS}"
        ));
        let begin = Instant::now();
        wait_for("an answer", SOON, || {
            let answer = mode
                .lab()
                .lan()
                .connect(Connect::to(Proto::Tcp, (HOST, port)));
            let told = answer.as_ref().err().map(String::as_str);
            assert_ne!(told, Some("ETIMEDOUT"), "round {round}, -p {published}");
            answer.is_ok()
        });
        longest = longest.max(begin.elapsed());
        mode.engine().ok("rm -f web");
    }
    println!("longest time until an answer: {longest:?}");
}

/// A caller that was there before netctl is told so, and answered when it calls again.
#[test]
fn who_called_too_early_is_told() {
    let adopted = Adopted::engine_only(&json!({}));
    adopted.engine.ok(&format!(
        "run -d --name web -p 8080:80 -p 127.0.0.1:8081:80 {IMAGE} {ANSWERS}"
    ));
    let asks = [
        (adopted.lab.lan(), Connect::to(Proto::Tcp, (HOST, 8080))),
        (
            adopted.lab.host(),
            Connect::to(Proto::Tcp, (Ipv4Addr::LOCALHOST, 8081)),
        ),
    ];
    let asks = asks.map(|(agent, ask)| (agent, ask.hold("early").within_ms(300)));
    for (agent, ask) in &asks {
        assert_eq!(agent.connect(ask.clone()).unwrap_err(), "ETIMEDOUT");
    }
    adopted.lab.start_daemon();
    adopted.wait_served("web");
    for (agent, ask) in asks {
        assert_eq!(agent.connect(ask.clone()).unwrap_err(), "ECONNRESET");
        agent.release("early");
        agent.connect(ask.within_ms(3000)).unwrap();
    }
}

#[test]
fn a_containers_first_packet_arrives() {
    first_packet::<Adopted>();
}

#[test]
fn a_containers_first_packet_arrives_by_the_driver() {
    first_packet::<Driven>();
}

#[test]
fn a_published_port_is_served_from_the_first_moment() {
    first_moment::<Adopted>();
}

#[test]
fn a_published_port_is_served_from_the_first_moment_by_the_driver() {
    first_moment::<Driven>();
}
