//! The two ways in which netctl serves an Engine's containers: what a test of both needs of each.

use netctl_tests::{
    agent::Agent,
    eventually::wait_for,
    lab::{
        Lab,
        docker::{self, Engine},
    },
};
use serde_json::Value;

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
};

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

pub(crate) trait Mode: Sized {
    /// Of `docker network create`.
    const DRIVER: &'static str;

    fn start() -> Self;
    fn parts(&self) -> (&Engine, &Lab);
    /// Runs a container that is served then; an agent inside.
    fn run(&self, name: &str, options: &str) -> Agent;

    /// Waits until netctl has all of a running container.
    fn wait_served(&self, name: &str);

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

    fn engine(&self) -> &Engine {
        self.parts().0
    }

    fn lab(&self) -> &Lab {
        self.parts().1
    }

    /// Makes a network.
    #[track_caller]
    fn network(&self, name: &str, options: &str) {
        let driver = Self::DRIVER;
        let words = format!("network create -d {driver} {options} {name}");
        self.engine().ok(&words);
    }
}

impl Mode for Adopted {
    const DRIVER: &'static str = "bridge";

    fn start() -> Self {
        Self::start()
    }

    fn parts(&self) -> (&Engine, &Lab) {
        (&self.engine, &self.lab)
    }

    fn run(&self, name: &str, options: &str) -> Agent {
        self.run(name, options)
    }

    fn wait_served(&self, name: &str) {
        self.wait_served(name);
    }

    fn wait_addresses(&self) {
        self.wait_not_tentative();
    }
}

impl Mode for Driven {
    const DRIVER: &'static str = "netctl";

    fn start() -> Self {
        Self::start()
    }

    fn parts(&self) -> (&Engine, &Lab) {
        (&self.engine, &self.lab)
    }

    fn wait_served(&self, name: &str) {
        self.wait_named(name);
    }

    fn run(&self, name: &str, options: &str) -> Agent {
        self.run(name, options)
    }
}
