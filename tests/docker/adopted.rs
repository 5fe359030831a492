//! An Engine without iptables and docker-proxy, and a netctl that adopts what it has.

use std::time::Duration;

use netctl_tests::{
    agent::Agent,
    eventually::{eventually, wait_for},
    lab::{Lab, Snapshot, docker::Engine},
};
use serde_json::Value;

use crate::mode::{Mode, engine, settings};

/// Command of a container that answers a line to TCP port 80 by an address, from its first moment.
pub(crate) const ANSWERS: &str =
    r#"/bin/busybox nc -ll -p 80 -e /bin/busybox awk {print"203.0.113.1:1";exit}"#;

/// Until netctl has followed the Engine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Adopted {
    // Before the lab: its containers end first.
    pub(crate) engine: Engine,
    pub(crate) lab: Lab,
    /// Without netctl: the Engine serves its containers itself.
    is_stock: bool,
}

impl Adopted {
    /// The Engine alone, with its iptables rules and docker-proxy, for comparison.
    #[track_caller]
    pub(crate) fn stock(settings: &Value) -> Self {
        Self::with_settings(settings, true)
    }

    #[track_caller]
    fn with_settings(settings: &Value, is_stock: bool) -> Self {
        let lab = Lab::bare();
        // As on a host that nobody made a router: the Engine then does, and its rules refuse to
        // forward what they do not know.
        lab.sh(&["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
        Self {
            engine: engine(&lab, settings),
            lab,
            is_stock,
        }
    }

    /// The Engine with these settings besides those of deploy/daemon.json; netctl configured, but
    /// not started.
    #[track_caller]
    pub(crate) fn engine_only(more: &Value) -> Self {
        let adopted = Self::with_settings(&settings(more), false);
        adopted.configure("[docker]\nadopt = true\n");
        adopted
    }

    /// Configures netctl: `text`, which ends in the table `docker`, and the Engine's socket.
    #[track_caller]
    pub(crate) fn configure(&self, text: &str) {
        let socket = Engine::socket(self.lab.scratch());
        let text = format!("{text}socket = \"{}\"\n", socket.display());
        std::fs::write(self.lab.config_path(), text).unwrap();
    }

    /// From now on netctl has to serve what stock Docker did.
    #[track_caller]
    pub(crate) fn start_netctl(&mut self) {
        self.is_stock = false;
        self.lab.start_daemon();
        self.wait_connected();
    }

    /// Waits until the bridges know their IPv6 addresses to be their own.
    #[track_caller]
    pub(crate) fn wait_not_tentative(&self) {
        wait_for("the bridges' own addresses", SOON, || {
            !self.lab.ip("-6 addr show").contains("tentative")
        });
    }
}

impl Mode for Adopted {
    const DRIVER: &'static str = "bridge";

    fn start_as(config: &str, more: &Value) -> Self {
        let adopted = Self::engine_only(more);
        adopted.configure(&format!("{config}[docker]\nadopt = true\n"));
        adopted.lab.start_daemon();
        adopted.wait_connected();
        adopted
    }

    fn parts(&self) -> (&Engine, &Lab) {
        (&self.engine, &self.lab)
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    #[track_caller]
    fn run(&self, name: &str, options: &str) -> Agent {
        self.engine.run_ok(name, options);
        self.wait_served(name);
        self.agent(name)
    }

    /// Waits until netctl has every interface and every published port of a container.
    #[track_caller]
    fn wait_served(&self, name: &str) {
        if self.is_stock {
            return;
        }
        let format = "{{len .NetworkSettings.Networks}} {{range $inner, $b := .NetworkSettings.Ports}}{{range $b}}{{.HostIp}};{{.HostPort}};{{$inner}} {{end}}{{end}}";
        let wanted = self
            .engine
            .docker(&["inspect", "-f", format, name])
            .unwrap();
        let (networks, ports) = wanted.split_once(' ').unwrap_or((&wanted, ""));
        let (networks, bindings): (usize, usize) =
            (networks.parse().unwrap(), ports.split_whitespace().count());
        let mut last = Value::Null;
        let served = eventually(SOON, || {
            let shown = self.lab.netctl(&format!("ns inspect {name} -o json"));
            if shown.code != 0 {
                return None;
            }
            last = shown.json();
            let endpoints = last["endpoints"].as_array()?.len();
            let published: u64 = last["ports"]
                .as_array()?
                .iter()
                .filter_map(port_bindings)
                .sum();
            let known = endpoints == networks && published == bindings as u64;
            // What is known is carried out a moment later.
            let done = || self.lab.netctl("plan").stdout.trim() == "nothing to do";
            (known && done()).then_some(())
        });
        assert!(
            served.is_some(),
            "{name} is not served: Docker says {wanted:?}, netctl {last:#}\n{}",
            self.lab.netctl("status").stdout
        );
    }

    fn first_network(&self) -> &'static str {
        "bridge"
    }

    fn chosen_port(&self, container: &str, inner: &str) -> u16 {
        let shown = self.engine.ok(&format!("port {container} {inner}"));
        let first = shown.lines().next();
        let port = first.and_then(|line| line.rsplit(':').next()?.parse().ok());
        port.unwrap_or_else(|| panic!("{shown}"))
    }

    /// What the host has now, once it is at rest: a bridge is up for the first time with its first
    /// container, and then looks for a while whether its address is its own.
    #[track_caller]
    fn snapshot_at_rest(&self) -> Snapshot {
        let networks = self
            .engine
            .ok("network ls --filter driver=bridge --format {{.Name}}");
        for network in networks.lines() {
            let first = ["--network", network];
            self.engine.run("first", &first).unwrap();
            self.engine.ok("rm -f first");
        }
        self.wait_not_tentative();
        wait_for("netctl to follow", SOON, || {
            let status = self.lab.netctl("status -o json");
            status.code != 0 || status.json()["endpoints"] == 0
        });
        self.lab.snapshot()
    }

    /// Waits until netctl has adopted what the Engine had when it asked.
    #[track_caller]
    fn wait_connected(&self) {
        if self.is_stock {
            return;
        }
        wait_for("netctl to connect to the Engine", SOON, || {
            self.lab.netctl("status -o json").json()["docker"]["connected"] == true
        });
    }

    fn wait_addresses(&self) {
        self.wait_not_tentative();
    }
}

/// How many of Docker's bindings a published port of ours stands for: one on every address is one
/// of each family there.
fn port_bindings(port: &Value) -> Option<u64> {
    let families = if port["host_ip"].is_null() { 2 } else { 1 };
    Some(port["count"].as_u64()? * families)
}
