//! An Engine that asks netctl for its networks: `docker network create -d netctl`.

use netctl_tests::{
    agent::Agent,
    eventually::wait_for,
    lab::{Lab, docker::Engine},
};
use serde_json::Value;

use crate::{
    adopted::SOON,
    mode::{Mode as _, engine, settings},
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

    /// Runs a container; an agent inside. What `docker run` has answered is served.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, options: &str) -> Agent {
        self.engine.run_ok(name, options);
        self.agent(name)
    }

    /// An agent in a container's network namespace.
    #[track_caller]
    pub(crate) fn agent(&self, name: &str) -> Agent {
        self.engine.agent(&self.lab, name)
    }

    /// Waits until netctl knows a container by its name.
    #[track_caller]
    pub(crate) fn wait_named(&self, name: &str) {
        wait_for("netctl to know the container's name", SOON, || {
            let shown = self.lab.netctl(&format!("ns inspect {name} -o json"));
            shown.code == 0
                && shown.json()["endpoints"]
                    .as_array()
                    .is_some_and(|endpoints| !endpoints.is_empty())
        });
    }
}
