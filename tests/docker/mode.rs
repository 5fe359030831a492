//! The two ways in which netctl serves an Engine's containers: what a test of both needs of each.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::Agent,
    eventually::{eventually, wait_for},
    lab::{
        Lab, Snapshot,
        docker::{self, Engine},
    },
};
use serde_json::{Value, json};

use crate::adopted::SOON;

/// Those of deploy/daemon.json, and more.
#[track_caller]
pub(crate) fn settings(more: &Value) -> Value {
    let mut settings: Value =
        serde_json::from_str(include_str!("../../deploy/daemon.json")).unwrap();
    let both = settings.as_object_mut().zip(more.as_object());
    let (settings_of, more) = both.unwrap();
    settings_of.extend(more.clone());
    settings
}

/// The Engine with these settings.
#[track_caller]
pub(crate) fn engine(lab: &Lab, settings: &Value) -> Engine {
    let tools = docker::tools().unwrap_or_else(|error| panic!("{error}"));
    Engine::start(lab, settings, &tools).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) trait Mode: Sized + Sync {
    /// Of `docker network create`.
    const DRIVER: &'static str;

    /// Both running.
    #[track_caller]
    fn start() -> Self {
        Self::start_as("", &json!({}))
    }

    /// Both running: netctl with this before the table `docker` of its configuration, the Engine
    /// with these settings besides those of deploy/daemon.json.
    fn start_as(config: &str, more: &Value) -> Self;

    fn parts(&self) -> (&Engine, &Lab);
    fn engine_mut(&mut self) -> &mut Engine;

    /// Runs a container that is served then; an agent inside.
    fn run(&self, name: &str, options: &str) -> Agent;

    /// Waits until netctl has all of a running container.
    fn wait_served(&self, name: &str);

    /// Name of the network for a container that asks for none, once for each Engine.
    fn first_network(&self) -> &'static str;

    /// The host port that was chosen for a container's, `90/udp`, published without one.
    fn chosen_port(&self, container: &str, inner: &str) -> u16;

    /// What the host has without a container, when all that happens by itself has happened.
    fn snapshot_at_rest(&self) -> Snapshot;

    /// Waits until netctl knows of an Engine that was started.
    fn wait_connected(&self) {}

    /// Waits until gateways are the host's sources: a bridge of Docker's looks first whether nobody
    /// else has their addresses.
    fn wait_addresses(&self) {}

    /// Waits until netctl knows of so many networks of a container.
    #[track_caller]
    fn wait_networks(&self, name: &str, count: usize) {
        wait_for("netctl to follow the container's networks", SOON, || {
            let shown = self.lab().netctl(&format!("ns inspect {name} -o json"));
            let known = shown.code == 0
                && shown.json()["endpoints"].as_array().map(Vec::len) == Some(count);
            known && self.lab().netctl("plan").stdout.trim() == "nothing to do"
        });
    }

    /// Waits until nothing is left of containers.
    #[track_caller]
    fn wait_idle(&self) {
        wait_for("netctl to have no container", SOON, || {
            let status = self.lab().netctl("status -o json").json();
            status["endpoints"] == 0 && status["published_ports"] == 0 && status["namespaces"] == 0
        });
    }

    fn engine(&self) -> &Engine {
        self.parts().0
    }

    fn lab(&self) -> &Lab {
        self.parts().1
    }

    /// An agent in a container's network namespace.
    #[track_caller]
    fn agent(&self, name: &str) -> Agent {
        self.engine().agent(self.lab(), name)
    }

    /// A container's address.
    #[track_caller]
    fn address(&self, name: &str, network: &str) -> Ipv4Addr {
        self.engine().address(name, network).unwrap()
    }

    /// The interface by which the host is on a network.
    #[track_caller]
    fn interface(&self, network: &str) -> String {
        let inspect = format!("network inspect {network} -o json");
        wait_for("netctl to know the network by name", SOON, || {
            self.lab().netctl(&inspect).code == 0
        });
        let shown = self.lab().netctl(&inspect).json();
        shown["interface"].as_str().unwrap().to_owned()
    }

    /// Makes a network.
    #[track_caller]
    fn network(&self, name: &str, options: &str) {
        let driver = Self::DRIVER;
        let words = format!("network create -d {driver} {options} {name}");
        self.engine().ok(&words);
    }
}

/// Waits until netctl has nothing left to do.
#[track_caller]
pub(crate) fn wait_at_rest(lab: &Lab) {
    let mut plan = String::new();
    let at_rest = eventually(SOON, || {
        plan = lab.netctl("plan").stdout;
        (plan.trim() == "nothing to do").then_some(())
    });
    let status = || lab.netctl("status").stdout;
    assert!(at_rest.is_some(), "still to do:\n{plan}\n{}", status());
}

/// How many docker-proxy processes an Engine has.
#[track_caller]
pub(crate) fn proxies(engine: &Engine) -> usize {
    let all = procfs::process::all_processes().unwrap().flatten();
    let stats = all.filter_map(|process| process.stat().ok());
    let engine = engine.pid() as i32;
    stats
        .filter(|stat| stat.comm == "docker-proxy" && stat.ppid == engine)
        .count()
}
