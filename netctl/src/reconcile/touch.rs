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

use crate::{
    kernel::port_set::PortSet,
    model::{
        Endpoint, EndpointId, Model, Network, NetworkId, PortId, Proto, PublishedPort, Sandbox,
    },
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
    /// Host addresses, uplinks and settings as well.
    pub host: bool,
}

impl Touch {
    /// What `scopes` touch in the model before or after the change.
    pub fn new(scopes: &[Scope], before: &Model, after: &Model) -> Self {
        let mut part = Part::default();
        for scope in scopes {
            match *scope {
                Scope::All => return Self::All,
                Scope::Network(id) => {
                    part.networks.insert(id);
                    part.floods.insert(id);
                }
                Scope::Endpoint(id) => {
                    part.endpoint(before, id);
                    part.endpoint(after, id);
                }
                Scope::Port(id) => {
                    part.ports.insert(id);
                }
            }
        }
        part.publishers(before);
        part.publishers(after);
        part.spread(before, after);
        part.shields(before);
        part.shields(after);
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
        match self {
            Self::All | Self::Host => true,
            Self::Some(part) => part.host,
        }
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

    /// Whether a container's ports are published at all is told by its endpoints' entries.
    fn publishers(&mut self, model: &Model) {
        let ports = self.ports.iter().filter_map(|id| model.ports.get(id));
        let sandboxes: BTreeSet<&str> = ports.map(|port| port.sandbox.as_str()).collect();
        if !sandboxes.is_empty() {
            let siblings = endpoints_of(model, |sandbox| sandboxes.contains(sandbox));
            self.endpoints.extend(siblings);
        }
    }

    /// Uplinks keep the rules of published ports.
    fn shields(&mut self, model: &Model) {
        let mut ports = self.ports.iter().filter_map(|id| model.ports.get(id));
        self.host |= ports.any(|port| port.rules.in_force().is_some());
    }

    /// Adds what shares something with a touched object.
    fn spread(&mut self, before: &Model, after: &Model) {
        for model in [before, after] {
            // The default route and the published ports may move to another endpoint.
            if !self.sandboxes.is_empty() {
                let siblings = endpoints_of(model, |sandbox| self.sandboxes.contains(sandbox));
                self.endpoints.extend(siblings);
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
        let mut touched: BTreeMap<Proto, PortSet> = BTreeMap::new();
        for model in [before, after] {
            for port in self.ports.iter().filter_map(|id| model.ports.get(id)) {
                let ports = touched.entry(port.proto).or_default();
                ports.insert(port.host_port, port.host_last());
            }
        }
        for model in [before, after] {
            let overlapping = model.ports.values().filter(|port| {
                let ports = touched.get(&port.proto);
                ports.is_some_and(|ports| ports.meets(port.host_port, port.host_last()))
            });
            self.ports.extend(overlapping.map(|port| port.id));
        }
    }
}

fn endpoints_of(
    model: &Model,
    is_touched: impl Fn(&str) -> bool,
) -> impl Iterator<Item = EndpointId> {
    let endpoints = model.endpoints.values();
    let touched = endpoints.filter(move |endpoint| is_touched(&endpoint.sandbox));
    touched.map(|endpoint| endpoint.id)
}
