//! What is removed leaves nothing.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use netctl_tests::{
    eventually::{eventually, wait_for},
    lab::{Lab, Snapshot},
};
use serde_json::json;

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::{Mode, wait_at_rest},
};

/// Everywhere that a container can leave something: the host, its neighbour table, our tables.
struct Before {
    host: Snapshot,
    neighbours: String,
    tables: BTreeMap<String, usize>,
}

impl Before {
    #[track_caller]
    fn take<M: Mode>(mode: &M) -> Self {
        Self {
            host: mode.snapshot_at_rest(),
            neighbours: neighbours(mode.lab()),
            tables: mode.lab().tables(),
        }
    }

    fn is_changed(&self, lab: &Lab) -> bool {
        !self.host.differences(&lab.snapshot()).is_empty() && self.tables != lab.tables()
    }

    /// Waits until netctl has followed, and then everything is as before.
    #[track_caller]
    fn check<M: Mode>(&self, mode: &M) {
        let lab = mode.lab();
        mode.wait_idle();
        wait_at_rest(lab);
        check_host(&self.host, lab);
        assert_eq!(neighbours(lab), self.neighbours);
        assert_eq!(lab.tables(), self.tables);
    }
}

/// Of the uplink the kernel learns them as it likes: what is there to stay is somebody's.
fn neighbours(lab: &Lab) -> String {
    let shown = lab.ip("neigh show");
    let lines = shown
        .lines()
        .filter(|line| !line.contains(" dev up0 ") || line.contains("PERMANENT"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The host is as it was. A bridge tells the kernel of its lost carrier a moment later.
#[track_caller]
fn check_host(before: &Snapshot, lab: &Lab) {
    let mut left = Vec::new();
    let gone = eventually(Duration::from_secs(5), || {
        left = before.differences(&lab.snapshot());
        left.is_empty().then_some(())
    });
    assert!(gone.is_some(), "{}", left.join("\n"));
}

fn removed_container<M: Mode>() {
    let mode = M::start();
    let network = mode.first_network();
    let before = Before::take(&mode);
    let on = |ports: &str| format!("--network {network} {ports}");
    mode.run("web", &on("-p 8080:80 -p 9000-9020:9000-9020"));
    mode.run("client", &on(""));
    assert!(before.is_changed(mode.lab()));
    mode.engine().ok("rm -f web client");
    before.check(&mode);
}

/// Two hundred, sixteen at a time, of every kind: on two networks, with ports of every kind, ended
/// while netctl may still be at their start.
fn many<M: Mode>() {
    const CYCLES: u32 = 200;
    const AT_ONCE: usize = 16;
    let mode = M::start();
    let first = mode.first_network();
    mode.network(
        "net1",
        "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64",
    );
    let before = Before::take(&mode);
    let descriptors = mode.lab().daemon_descriptors();
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
                let network = [first, "net1"][number as usize % 2];
                let mut options = vec!["--network", network];
                options.extend(ports.iter().flat_map(|port| ["-p", port]));
                mode.engine().run(&name, &options).unwrap();
                // Some are looked at first: it is not for want of netctl's knowing of them that
                // nothing is left.
                if number % 10 == 0 {
                    mode.wait_served(&name);
                    served.fetch_add(1, Ordering::Relaxed);
                }
                mode.engine().ok(&format!("rm -f {name}"));
            }
        };
        for _ in 0..AT_ONCE {
            scope.spawn(cycles);
        }
    });
    println!("{CYCLES} cycles in {:?}", begin.elapsed());
    assert_eq!(served.into_inner(), CYCLES / 10);
    before.check(&mode);
    let left = mode.lab().daemon_descriptors();
    assert!(
        left <= descriptors + 8,
        "{left} descriptors, {descriptors} before"
    );
}

fn removed_network<M: Mode>() {
    let mode = M::start();
    let networks = || mode.lab().netctl("status -o json").json()["networks"].clone();
    let before = (Before::take(&mode), networks());
    mode.network("net1", "");
    mode.run("one", "--network net1");
    assert_ne!(networks(), before.1);
    mode.engine().ok("rm -f one");
    mode.engine().ok("network rm net1");
    wait_for("netctl to follow", SOON, || networks() == before.1);
    before.0.check(&mode);
}

#[test]
fn a_removed_container_leaves_nothing() {
    removed_container::<Adopted>();
}

#[test]
fn a_removed_container_leaves_nothing_by_the_driver() {
    removed_container::<Driven>();
}

#[test]
fn containers_that_come_and_go_leave_nothing() {
    many::<Adopted>();
}

#[test]
fn containers_that_come_and_go_leave_nothing_by_the_driver() {
    many::<Driven>();
}

#[test]
fn a_removed_network_leaves_nothing() {
    removed_network::<Adopted>();
}

#[test]
fn a_removed_network_leaves_nothing_by_the_driver() {
    removed_network::<Driven>();
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
    check_host(&before, &adopted.lab);
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
    check_host(&before, &adopted.lab);
}
