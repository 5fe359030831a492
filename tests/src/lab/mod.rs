//! A lab: one machine and its neighbour, made of namespaces that nobody else sees.
//!
//! ```text
//!            host (own mounts, own cgroup)                    lan
//!   netctl ── up0 198.51.100.1/24 ────────────── lan0 198.51.100.2/24
//!                 2001:db8:64::1/64                   2001:db8:64::2/64
//!             default via 198.51.100.2           lo   203.0.113.9/32, "the internet"
//!             default via 2001:db8:64::2              2001:db8:cafe::9/128
//! ```
//!
//! Invariants: every address is of these namespaces; nothing is made in the caller's own network
//! namespace; all processes are children of the lab and die with it, and the rest with them.

mod cgroup;
pub mod docker;
mod far;
mod medium;
mod neighbour;
mod resolver;
mod shell;
mod snapshot;
mod tables;
mod turn;

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use netctl_common::wire::Mac;
use tempfile::TempDir;

use self::{cgroup::Cgroup, turn::Turn};
pub use self::{
    cgroup::root as cgroup_root,
    far::{FAR, FAR6, Far, ROUTER, ROUTER6},
    medium::Medium,
    neighbour::Neighbour,
    resolver::Resolver,
    snapshot::Snapshot,
};
use crate::{agent::Agent, daemon::Daemon, eventually::wait_for, place::Place};

/// The host's LAN address.
pub const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The neighbour's.
pub const LAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// An address beyond the neighbour.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The host's IPv6 address on the LAN.
pub const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 1);
/// The neighbour's.
pub const LAN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 2);
/// An IPv6 address beyond the neighbour.
pub const OUTSIDE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xcafe, 0, 0, 0, 0, 9);
/// MAC of the host's uplink.
pub const HOST_MAC: [u8; 6] = [0x02, 0, 0, 0, 0x64, 1];
/// MAC of the neighbour's interface.
pub const LAN_MAC: [u8; 6] = [0x02, 0, 0, 0, 0x64, 2];

/// See the module. Fields are dropped in this order: first who writes, last what is written to.
pub struct Lab {
    daemon: Mutex<Option<Daemon>>,
    more_lan: Mutex<u8>,
    host: Agent,
    lan: Agent,
    host_place: Place,
    lan_place: Place,
    cgroup: Cgroup,
    folder: TempDir,
    /// Last: the next lab may begin when all of this one is gone.
    _turn: Turn,
}

impl Lab {
    /// Namespaces and links, no daemon.
    #[track_caller]
    pub fn bare() -> Self {
        Self::in_turn(Turn::shared())
    }

    /// With a daemon and that configuration file, and no other lab of this process meanwhile:
    /// for a test that fills a table which the whole kernel has but once.
    #[track_caller]
    pub fn alone(config: &str) -> Self {
        let lab = Self::in_turn(Turn::alone());
        fs::write(lab.config_path(), config).unwrap();
        lab.start_daemon();
        lab
    }

    #[track_caller]
    fn in_turn(turn: Turn) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("netctl-lab-")
            .tempdir()
            .unwrap();
        for name in ["state", "run", "bpf"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let cgroup = Cgroup::create();
        let bpffs = folder.path().join("bpf");
        let bpffs = bpffs.to_str().unwrap();
        let host = Agent::start("host", &["--host", bpffs], |program| {
            cgroup.command(&program)
        });
        let lan = Agent::start("lan", &["--neighbour"], std::process::Command::new);
        let lab = Self {
            host_place: Place::of_process(host.pid(), Some(cgroup.path())).unwrap(),
            lan_place: Place::of_process(lan.pid(), None).unwrap(),
            daemon: Mutex::new(None),
            more_lan: Mutex::new(0),
            host,
            lan,
            cgroup,
            folder,
            _turn: turn,
        };
        lab.connect_uplink();
        lab
    }

    /// With a daemon that runs by its defaults.
    #[track_caller]
    pub fn start() -> Self {
        Self::with_config("")
    }

    /// With a daemon and that configuration file.
    #[track_caller]
    pub fn with_config(config: &str) -> Self {
        let lab = Self::bare();
        fs::write(lab.config_path(), config).unwrap();
        lab.start_daemon();
        lab
    }

    fn connect_uplink(&self) {
        let mac = Mac;
        self.ip_batch(
            &self.host_place,
            &format!(
                "link set lo up\n\
                 link add up0 address {} type veth peer name lan0 address {} netns {}\n\
                 addr add {HOST}/24 dev up0\n\
                 addr add {HOST6}/64 dev up0 nodad\n\
                 {}\
                 link set up0 up\n",
                mac(HOST_MAC),
                mac(LAN_MAC),
                self.lan.pid(),
                link_local("up0", mac(HOST_MAC)),
            ),
        );
        self.ip_batch(
            &self.lan_place,
            &format!(
                "link set lo up\n\
                 addr add {OUTSIDE}/32 dev lo\n\
                 addr add {OUTSIDE6}/128 dev lo nodad\n\
                 addr add {LAN}/24 dev lan0\n\
                 addr add {LAN6}/64 dev lan0 nodad\n\
                 {}\
                 link set lan0 up\n",
                link_local("lan0", mac(LAN_MAC)),
            ),
        );
        self.ip_batch(
            &self.host_place,
            &format!("route add default via {LAN}\nroute add ::/0 via {LAN6}\n"),
        );
        // An IPv6 address is the host's own a moment after it was added (addrconf_dad_work of
        // net/ipv6/addrconf.c): a snapshot would show it without its route.
        let own = [HOST6, Ipv6Addr::from(mac(HOST_MAC).link_local())];
        wait_for("the host's IPv6 addresses", Duration::from_secs(20), || {
            let routes = self.ip("-6 route show table local");
            own.iter()
                .all(|own| routes.contains(&format!("local {own} dev")))
        });
    }

    /// The agent among the host's processes.
    pub fn host(&self) -> &Agent {
        &self.host
    }

    /// The agent in the neighbour's namespace.
    pub fn lan(&self) -> &Agent {
        &self.lan
    }

    /// Where the host's processes run.
    pub fn host_place(&self) -> &Place {
        &self.host_place
    }

    /// Where the neighbour's processes run.
    pub fn lan_place(&self) -> &Place {
        &self.lan_place
    }

    /// An agent inside a network namespace of the host that has a name.
    #[track_caller]
    pub fn agent_in(&self, name: &str) -> Agent {
        self.agent_at(name, &netns_path(name))
    }

    /// An agent inside a network namespace of the host, by its path there.
    #[track_caller]
    pub fn agent_at(&self, name: &str, path: &Path) -> Agent {
        let place = self.host_place.in_netns(path);
        Agent::start(name, &[], |program| place.command(program))
    }

    /// A path of the host's mount namespace, as seen from here.
    pub fn inside(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        let root = PathBuf::from(format!("/proc/{}/root", self.host.pid()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The daemon's bpffs, as the host sees it.
    pub fn bpffs(&self) -> PathBuf {
        self.folder.path().join("bpf")
    }

    /// The daemon's runtime folder.
    pub fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The daemon's state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The daemon's configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("netctl.toml")
    }

    /// The cgroup that stands for the root of the hierarchy.
    pub fn cgroup(&self) -> &Path {
        self.cgroup.path()
    }

    /// A folder for whatever a test needs; goes with the lab.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Forgets a daemon that has ended by itself (`netctl purge` makes it do so).
    pub fn forget_daemon(&self) {
        self.kill_daemon();
    }

    fn daemon_slot(&self) -> MutexGuard<'_, Option<Daemon>> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the daemon and waits until it is ready.
    #[track_caller]
    pub fn start_daemon(&self) {
        let daemon = Daemon::start(self, &[]).unwrap_or_else(|error| panic!("{error}"));
        *self.daemon_slot() = Some(daemon);
    }

    /// kill -9, and waits for its end.
    pub fn kill_daemon(&self) {
        if let Some(mut daemon) = self.daemon_slot().take() {
            daemon.kill();
        }
    }

    /// SIGTERM; the exit code.
    #[track_caller]
    pub fn stop_daemon(&self) -> i32 {
        let mut daemon = self.daemon_slot().take().unwrap();
        daemon.terminate()
    }

    /// What the daemon has written so far; empty where none runs.
    pub fn daemon_log(&self) -> String {
        let daemon = self.daemon_slot();
        daemon.as_ref().map_or_else(String::new, Daemon::log)
    }

    /// The daemon's process id.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon_slot().as_ref().map_or(0, Daemon::pid)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(daemon) = self.daemon_slot().as_ref()
        {
            eprintln!("--- the daemon's log\n{}--- end", daemon.log());
        }
        self.kill_daemon();
    }
}

/// A link-local address that is there at once: the kernel's own asks around first, and a snapshot
/// would show it so.
fn link_local(interface: &str, mac: Mac) -> String {
    let addr = Ipv6Addr::from(mac.link_local());
    format!("link set {interface} addrgenmode none\naddr add {addr}/64 dev {interface} nodad\n")
}

/// Where `ip netns` and netctl keep a named namespace.
pub fn netns_path(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}
