//! An Engine that asks netctl for its networks: `docker network create -d netctl`.

use netctl_tests::{
    agent::Agent,
    eventually::wait_for,
    lab::{Lab, Snapshot, docker::Engine},
};
use serde_json::Value;

use crate::{
    adopted::SOON,
    mode::{Mode, engine, settings, wait_at_rest},
};

pub(crate) struct Driven {
    // Before the lab: its containers end first.
    pub(crate) engine: Engine,
    pub(crate) lab: Lab,
}

impl Driven {
    /// Both, and a network "net1" of the driver.
    #[track_caller]
    pub(crate) fn with_network() -> Self {
        let driven = Self::start();
        driven.engine.ok("network create -d netctl net1");
        driven
    }

    /// A lab in which netctl is configured, but not started: with this before the table `docker`.
    #[track_caller]
    pub(crate) fn lab(config: &str) -> Lab {
        let lab = Lab::bare();
        let socket = Engine::socket(lab.scratch());
        let config = format!("{config}[docker]\nsocket = \"{}\"\n", socket.display());
        std::fs::write(lab.config_path(), config).unwrap();
        lab
    }

    /// Starts the Engine there, with these settings besides those of deploy/daemon.json.
    #[track_caller]
    pub(crate) fn engine(lab: Lab, more: &Value) -> Self {
        let engine = engine(&lab, &settings(more));
        Self { engine, lab }
    }
}

impl Mode for Driven {
    const DRIVER: &'static str = "netctl";

    fn start_as(config: &str, more: &Value) -> Self {
        let lab = Self::lab(config);
        lab.start_daemon();
        Self::engine(lab, more)
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
        self.agent(name)
    }

    /// What `docker run` has answered is served; its name is learnt a moment later.
    #[track_caller]
    fn wait_served(&self, name: &str) {
        wait_for("netctl to know the container's name", SOON, || {
            let shown = self.lab.netctl(&format!("ns inspect {name} -o json"));
            shown.code == 0
                && shown.json()["endpoints"]
                    .as_array()
                    .is_some_and(|endpoints| !endpoints.is_empty())
        });
    }

    fn first_network(&self) -> &'static str {
        self.network("first", "--subnet 172.26.0.0/24");
        "first"
    }

    /// Docker shows no ports of such networks.
    fn chosen_port(&self, container: &str, inner: &str) -> u16 {
        self.wait_served(container);
        let shown = self.lab.netctl(&format!("ns inspect {container} -o json"));
        let shown = shown.json();
        let (port, proto) = inner.split_once('/').unwrap();
        let port: u64 = port.parse().unwrap();
        let is_asked = |row: &&Value| row["container_port"] == port && row["proto"] == proto;
        let found = shown["ports"].as_array().unwrap().iter().find(is_asked);
        let host = found.and_then(|row| row["host_port"].as_u64());
        host.unwrap_or_else(|| panic!("{shown:#}")) as u16
    }

    fn snapshot_at_rest(&self) -> Snapshot {
        self.wait_idle();
        wait_at_rest(&self.lab);
        self.lab.snapshot()
    }
}
