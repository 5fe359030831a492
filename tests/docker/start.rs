//! A container's first moment: what it sends, and what it is sent, before `docker run` is back.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN, docker::IMAGE},
};

use crate::adopted::Adopted;

/// The first packet of a container's first process leaves, masqueraded, and its answer comes.
#[test]
fn a_containers_first_packet_arrives() {
    let adopted = Adopted::start();
    adopted.engine.ok("network create net1");
    for network in ["bridge", "net1"] {
        for round in 0..3 {
            // One echo request, and a second to wait for its answer.
            adopted.engine.ok(&format!(
                "run -d --name first --network {network} {IMAGE} /bin/busybox ping -c 1 -W 1 {LAN}"
            ));
            adopted.engine.ok("wait first");
            let sent = adopted.engine.ok("logs first");
            adopted.engine.ok("rm first");
            assert!(
                sent.contains("1 packets received"),
                "{network}, round {round}: {sent}\n{}",
                adopted.lab.netctl("drops").stdout
            );
        }
    }
}

/// What connects as soon as `docker run` is back is served by the container, and not by the
/// socket that the Engine keeps the port with.
#[test]
fn a_published_port_is_there_when_docker_run_is_back() {
    let adopted = Adopted::start();
    for round in 0..5 {
        let server = format!(
            "run -d --name web -p 8080:80 {IMAGE} /bin/busybox nc -lk -p 80 -e /bin/busybox echo hello"
        );
        adopted.engine.ok(&server);
        let lab = &adopted.lab;
        for (who, agent, host) in [
            ("host", lab.host(), Ipv4Addr::LOCALHOST),
            ("LAN", lab.lan(), HOST),
        ] {
            let ask = Connect::to(Proto::Tcp, (host, 8080)).within_ms(2000);
            let answer = agent.connect(ask);
            // Our question is not understood, but somebody said something and hung up.
            assert_ne!(
                answer.as_ref().err().map(String::as_str),
                Some("ETIMEDOUT"),
                "round {round}, {who}: {answer:?}"
            );
        }
        adopted.engine.ok("rm -f web");
    }
}
