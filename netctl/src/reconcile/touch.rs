//! What a change touches: the part of the model that a pass looks at.
//!
//! Creating the eleven-hundredth endpoint must cost what the first one did, so a pass is limited
//! to what a change can have changed. Objects that several share (a sandbox's default route, a
//! network's flood list, a reserved port) are touched by each of them. Computed on the model
//! before and after, so that what was removed is known by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::model::{
    Endpoint, EndpointId, Model, Network, NetworkId, PortId, PublishedPort, Sandbox,
};

/// What a caller asks to converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Network(NetworkId),
    Endpoint(EndpointId),
    /// The map entries of that spec only.
    Port(PortId),
}

/// Part of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    All,
    /// Host addresses, uplinks and settings only.
    Host,
    Some(Part),
}

/// The touched objects of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub networks: BTreeSet<NetworkId>,
    /// Networks whose flood lists may change.
    pub floods: BTreeSet<NetworkId>,
    pub sandboxes: BTreeSet<String>,
    pub endpoints: BTreeSet<EndpointId>,
    pub ports: BTreeSet<PortId>,
}

impl Touch {
    /// What `scope` touches in the model before or after the change.
    pub fn new(scope: Scope, before: &Model, after: &Model) -> Self {
        let mut part = Part::default();
        for model in [before, after] {
            match scope {
                Scope::All => return Self::All,
                Scope::Network(id) => {
                    part.networks.insert(id);
                    part.floods.insert(id);
                }
                Scope::Endpoint(id) => part.endpoint(model, id),
                Scope::Port(id) => part.port(model, id),
            }
        }
        part.spread(before, after);
        Self::Some(part)
    }

    pub fn networks<'m>(&self, model: &'m Model) -> Vec<&'m Network> {
        self.chosen(&model.networks, |part| &part.networks)
    }

    pub fn sandboxes<'m>(&self, model: &'m Model) -> Vec<&'m Sandbox> {
        self.chosen(&model.sandboxes, |part| &part.sandboxes)
    }

    pub fn endpoints<'m>(&self, model: &'m Model) -> Vec<&'m Endpoint> {
        self.chosen(&model.endpoints, |part| &part.endpoints)
    }

    pub fn ports<'m>(&self, model: &'m Model) -> Vec<&'m PublishedPort> {
        self.chosen(&model.ports, |part| &part.ports)
    }

    fn chosen<'m, K: Ord, V>(
        &self,
        all: &'m BTreeMap<K, Arc<V>>,
        names: impl FnOnce(&Part) -> &BTreeSet<K>,
    ) -> Vec<&'m V> {
        match self {
            Self::All => all.values().map(Arc::as_ref).collect(),
            Self::Host => Vec::new(),
            Self::Some(part) => {
                let found = names(part).iter().filter_map(|name| all.get(name));
                found.map(Arc::as_ref).collect()
            }
        }
    }

    pub fn flood(&self, id: NetworkId) -> bool {
        match self {
            Self::All => true,
            Self::Host => false,
            Self::Some(part) => part.floods.contains(&id),
        }
    }

    pub fn any_port(&self) -> bool {
        match self {
            Self::All => true,
            Self::Host => false,
            Self::Some(part) => !part.ports.is_empty(),
        }
    }

    /// Host addresses, uplinks and what is attached to them.
    pub const fn host(&self) -> bool {
        matches!(self, Self::All | Self::Host)
    }
}

impl Part {
    fn endpoint(&mut self, model: &Model, id: EndpointId) {
        self.endpoints.insert(id);
        if let Some(endpoint) = model.endpoints.get(&id) {
            self.floods.insert(endpoint.network);
            self.sandboxes.insert(endpoint.sandbox.clone());
        }
    }

    fn port(&mut self, model: &Model, id: PortId) {
        self.ports.insert(id);
        // Whether an endpoint is published at all is a flag of its entry.
        if let Some(port) = model.ports.get(&id) {
            self.endpoints
                .extend(model.published_endpoint(&port.sandbox).map(|e| e.id));
        }
    }

    /// Adds what shares something with a touched object.
    fn spread(&mut self, before: &Model, after: &Model) {
        for model in [before, after] {
            // The default route and the published ports may move to another endpoint.
            if !self.sandboxes.is_empty() {
                let siblings = model.endpoints.values();
                self.endpoints.extend(
                    siblings
                        .filter(|e| self.sandboxes.contains(&e.sandbox))
                        .map(|e| e.id),
                );
                let ports = model.ports.values();
                self.ports.extend(
                    ports
                        .filter(|p| self.sandboxes.contains(&p.sandbox))
                        .map(|p| p.id),
                );
            }
        }
        // A reserved port may be another spec's too, on another address of the host.
        if self.ports.is_empty() {
            return;
        }
        let touched: Vec<&PublishedPort> = [before, after]
            .into_iter()
            .flat_map(|model| self.ports.iter().filter_map(|id| model.ports.get(id)))
            .map(Arc::as_ref)
            .collect();
        let overlapping: Vec<PortId> = [before, after]
            .into_iter()
            .flat_map(|model| model.ports.values())
            .filter(|port| touched.iter().any(|other| overlaps(port, other)))
            .map(|port| port.id)
            .collect();
        self.ports.extend(overlapping);
    }
}

fn overlaps(a: &PublishedPort, b: &PublishedPort) -> bool {
    a.proto == b.proto && a.host_port <= b.host_last() && b.host_port <= a.host_last()
}
