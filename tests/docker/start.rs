//! A container's first moment: what it sends before `docker run` is back.

use netctl_tests::lab::{LAN, docker::IMAGE};

use crate::adopted::Adopted;

/// The first packet of a container's first process leaves, masqueraded, and its answer comes.
#[test]
fn a_containers_first_packet_arrives() {
    let adopted = Adopted::start();
    adopted.engine.ok("network create net1");
    adopted.wait_at_rest();
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
