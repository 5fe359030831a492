//! What is removed leaves nothing.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use netctl_tests::{
    eventually::{eventually, wait_for},
    lab::Snapshot,
};
use serde_json::json;

use crate::adopted::{Adopted, SOON};

/// Everywhere that a container can leave something: the host, its neighbour table, our tables.
struct Before {
    host: Snapshot,
    neighbours: String,
    tables: BTreeMap<String, usize>,
}

impl Before {
    #[track_caller]
    fn take(adopted: &Adopted) -> Self {
        Self {
            host: adopted.snapshot_at_rest(),
            neighbours: neighbours(adopted),
            tables: adopted.lab.tables(),
        }
    }

    fn is_changed(&self, adopted: &Adopted) -> bool {
        !self.host.differences(&adopted.lab.snapshot()).is_empty()
            && self.tables != adopted.lab.tables()
    }

    /// Waits until netctl has followed, and then everything is as before.
    #[track_caller]
    fn check(&self, adopted: &Adopted) {
        wait_for("netctl to follow", SOON, || idle(adopted));
        adopted.wait_at_rest();
        check_host(&self.host, adopted);
        assert_eq!(neighbours(adopted), self.neighbours);
        assert_eq!(adopted.lab.tables(), self.tables);
    }
}

/// Of the uplink the kernel learns them as it likes: what is there to stay is somebody's.
fn neighbours(adopted: &Adopted) -> String {
    let shown = adopted.lab.ip("neigh show");
    let lines = shown
        .lines()
        .filter(|line| !line.contains(" dev up0 ") || line.contains("PERMANENT"));
    lines.collect::<Vec<_>>().join("\n")
}

fn idle(adopted: &Adopted) -> bool {
    let status = adopted.lab.netctl("status -o json").json();
    status["endpoints"] == 0 && status["published_ports"] == 0 && status["namespaces"] == 0
}

/// The host is as it was. A bridge tells the kernel of its lost carrier a moment later.
#[track_caller]
fn check_host(before: &Snapshot, adopted: &Adopted) {
    let mut left = Vec::new();
    let gone = eventually(Duration::from_secs(5), || {
        left = before.differences(&adopted.lab.snapshot());
        left.is_empty().then_some(())
    });
    assert!(gone.is_some(), "{}", left.join("\n"));
}

#[test]
fn a_removed_container_leaves_nothing() {
    let adopted = Adopted::start();
    let before = Before::take(&adopted);
    adopted.run("web", "-p 8080:80 -p 9000-9020:9000-9020");
    adopted.run("client", "");
    assert!(before.is_changed(&adopted));
    adopted.engine.ok("rm -f web client");
    before.check(&adopted);
}

/// Two hundred, sixteen at a time, of every kind: on two networks, with ports of every kind, ended
/// while netctl may still be at their start.
#[test]
fn containers_that_come_and_go_leave_nothing() {
    const CYCLES: u32 = 200;
    const AT_ONCE: usize = 16;
    let adopted = Adopted::start();
    adopted
        .engine
        .ok("network create net1 --ipv6 --subnet fd00:28::/64");
    let before = Before::take(&adopted);
    let descriptors = adopted.lab.daemon_descriptors();
    let begin = Instant::now();
    let (next, served) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let cycles = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= CYCLES {
                    return;
                }
                let name = format!("c{number}");
                let ports = [
                    format!("{}:80", 8000 + number),
                    format!("{}:80/udp", 8000 + number),
                    "80".to_owned(),
                ];
                let network = ["bridge", "net1"][number as usize % 2];
                let mut options = vec!["--network", network];
                options.extend(ports.iter().flat_map(|port| ["-p", port]));
                adopted.engine.run(&name, &options).unwrap();
                // Some are looked at first: it is not for want of netctl's knowing of them that
                // nothing is left.
                if number % 10 == 0 {
                    adopted.wait_served(&name);
                    served.fetch_add(1, Ordering::Relaxed);
                }
                adopted.engine.ok(&format!("rm -f {name}"));
            }
        };
        for _ in 0..AT_ONCE {
            scope.spawn(cycles);
        }
    });
    println!("{CYCLES} cycles in {:?}", begin.elapsed());
    assert_eq!(served.into_inner(), CYCLES / 10);
    before.check(&adopted);
    let left = adopted.lab.daemon_descriptors();
    assert!(
        left <= descriptors + 8,
        "{left} descriptors, {descriptors} before"
    );
}

#[test]
fn a_removed_network_leaves_nothing() {
    let adopted = Adopted::start();
    let before = Before::take(&adopted);
    adopted.engine.ok("network create net1");
    adopted.run("one", "--network net1");
    adopted.engine.ok("rm -f one");
    adopted.engine.ok("network rm net1");
    wait_for("netctl to follow", SOON, || {
        adopted.lab.netctl("status -o json").json()["networks"] == 1
    });
    before.check(&adopted);
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
    check_host(&before, &adopted);
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
    check_host(&before, &adopted);
}
