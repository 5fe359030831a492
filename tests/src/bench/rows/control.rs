//! What the rows of the control plane share: a way to ask a lab's daemon, and the Engines.

use std::path::Path as FilePath;

use netctl::{
    api::types::{Ns, NsCreate, Port, Specs},
    client::Client,
};

use super::super::bed::{
    docker::{Docker, Proxy},
    netctl::Netctl,
};

/// An Engine by its name, or why there is none.
pub type Engine = (&'static str, Result<Docker, String>);

/// A connection to a lab's daemon.
pub struct Api {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Api {
    pub fn new(bed: &Netctl) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            runtime,
            client: Client::new(&bed.lab.run()),
        })
    }

    pub fn publish(&self, ns: &str, specs: Vec<String>) -> Result<(), String> {
        let made: Result<Vec<Port>, _> = self.runtime.block_on(
            self.client
                .post(&format!("/v1/namespaces/{ns}/ports"), &Specs { specs }),
        );
        made.map(drop).map_err(|error| format!("{error:#}"))
    }

    pub fn withdraw(&self, ns: &str, specs: Vec<String>) -> Result<(), String> {
        self.runtime
            .block_on(
                self.client
                    .delete_with(&format!("/v1/namespaces/{ns}/ports"), &Specs { specs }),
            )
            .map_err(|error| format!("{error:#}"))
    }

    pub fn create(&self, name: &str) -> Result<(), String> {
        let body = NsCreate {
            name: name.to_owned(),
            network: Some("app".to_owned()),
            ..NsCreate::default()
        };
        let made: Result<Ns, _> = self
            .runtime
            .block_on(self.client.post("/v1/namespaces", &body));
        made.map(drop).map_err(|error| format!("{error:#}"))
    }

    pub fn remove(&self, name: &str) -> Result<(), String> {
        self.runtime
            .block_on(self.client.delete(&format!("/v1/namespaces/{name}")))
            .map_err(|error| format!("{error:#}"))
    }
}

/// Publishes in one request.
pub fn publish(bed: &Netctl, ns: &str, specs: Vec<String>) -> Result<(), String> {
    Api::new(bed)?.publish(ns, specs)
}

/// Both Engines, or why there are none.
pub fn dockers(tools: &FilePath) -> Vec<Engine> {
    [
        (Docker::WITH_PROXY, Proxy::On),
        (Docker::WITHOUT_PROXY, Proxy::Off),
    ]
    .map(|(name, proxy)| (name, Docker::start(proxy, tools)))
    .into()
}
