//! What is removed leaves nothing.

use std::time::Duration;

use netctl_tests::eventually::{eventually, wait_for};
use serde_json::json;

use crate::adopted::{Adopted, SOON};

/// Entries of a map that netctl pinned, as `netctl plan` would name them; here by bpftool's way:
/// the daemon's own listing.
fn idle(adopted: &Adopted) -> bool {
    let status = adopted.lab.netctl("status -o json").json();
    status["endpoints"] == 0 && status["published_ports"] == 0 && status["namespaces"] == 0
}

#[test]
fn a_removed_container_leaves_nothing() {
    let adopted = Adopted::start();
    let before = adopted.snapshot_at_rest();
    let neighbours = adopted.lab.ip("neigh show");
    adopted.run("web", "-p 8080:80 -p 9000-9020:9000-9020");
    adopted.run("client", "");
    assert!(!before.differences(&adopted.lab.snapshot()).is_empty());
    adopted.engine.ok("rm -f web client");
    wait_for("netctl to follow", SOON, || idle(&adopted));
    // The bridge tells the kernel of its lost carrier a moment later.
    let mut left = Vec::new();
    let gone = eventually(Duration::from_secs(5), || {
        left = before.differences(&adopted.lab.snapshot());
        left.is_empty().then_some(())
    });
    assert!(gone.is_some(), "{}", left.join("\n"));
    assert_eq!(adopted.lab.ip("neigh show"), neighbours);
    assert_eq!(
        adopted.lab.netctl("plan").ok().stdout.trim(),
        "nothing to do"
    );
}

#[test]
fn containers_that_come_and_go_leave_nothing() {
    let adopted = Adopted::start();
    let before = adopted.snapshot_at_rest();
    for round in 0..4 {
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (engine, name) = (&adopted.engine, format!("c{round}-{number}"));
                scope.spawn(move || {
                    let port = format!("{}:80", 8000 + number);
                    engine.run(&name, &["-p", &port]).unwrap();
                    engine.docker(&["rm", "-f", &name]).unwrap();
                });
            }
        });
    }
    wait_for("netctl to follow", SOON, || idle(&adopted));
    let mut left = Vec::new();
    let gone = eventually(Duration::from_secs(5), || {
        left = before.differences(&adopted.lab.snapshot());
        left.is_empty().then_some(())
    });
    assert!(gone.is_some(), "{}", left.join("\n"));
}

#[test]
fn a_removed_network_leaves_nothing() {
    let adopted = Adopted::start();
    let before = adopted.snapshot_at_rest();
    adopted.engine.ok("network create net1");
    adopted.run("one", "--network net1");
    adopted.engine.ok("rm -f one");
    adopted.engine.ok("network rm net1");
    wait_for("netctl to follow", SOON, || {
        adopted.lab.netctl("status -o json").json()["networks"] == 1
    });
    let left = before.differences(&adopted.lab.snapshot());
    assert!(left.is_empty(), "{}", left.join("\n"));
}

/// The Engine's own things stay as they are.
#[test]
fn a_purge_leaves_what_docker_made() {
    let adopted = Adopted::engine_only(&json!({}));
    adopted.engine.run("web", &["-p", "8080:80"]).unwrap();
    let before = adopted.snapshot_at_rest();
    adopted.lab.start_daemon();
    adopted.wait_served("web");
    assert!(!before.differences(&adopted.lab.snapshot()).is_empty());
    adopted.lab.netctl("purge").ok();
    adopted.lab.kill_daemon();
    let left = before.differences(&adopted.lab.snapshot());
    assert!(left.is_empty(), "{}", left.join("\n"));
}

/// A daemon that is told to adopt no more takes off what it had put on.
#[test]
fn no_more_adoption_takes_everything_off() {
    let adopted = Adopted::engine_only(&json!({}));
    adopted.engine.run("web", &["-p", "8080:80"]).unwrap();
    let config = std::fs::read_to_string(adopted.lab.config_path()).unwrap();
    std::fs::write(adopted.lab.config_path(), "[daemon]\nuplinks = [\"up0\"]\n").unwrap();
    adopted.lab.start_daemon();
    let before = adopted.snapshot_at_rest();
    adopted.lab.stop_daemon();
    std::fs::write(adopted.lab.config_path(), &config).unwrap();
    adopted.lab.start_daemon();
    adopted.wait_served("web");
    adopted.lab.kill_daemon();
    std::fs::write(adopted.lab.config_path(), "[daemon]\nuplinks = [\"up0\"]\n").unwrap();
    adopted.lab.start_daemon();
    let left = before.differences(&adopted.lab.snapshot());
    assert!(left.is_empty(), "{}", left.join("\n"));
}
