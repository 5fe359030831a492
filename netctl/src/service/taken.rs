//! Host ports that somebody has already, looked up once for all the specs of an operation.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Error, Result, engine::Engine};
use crate::{
    kernel::{owner::Holder, port_set::PortSet},
    model::{Model, Proto, PublishedPort, spec},
};

/// Who has which host port.
pub(super) struct Taken<'s> {
    engine: &'s dyn Engine,
    /// Published, on whatever address.
    published: BTreeMap<Proto, PortSet>,
    /// Held by host processes; listed when first asked for.
    held: BTreeMap<Proto, Vec<Holder>>,
}

impl<'s> Taken<'s> {
    pub(super) fn new(engine: &'s dyn Engine, model: &Model) -> Self {
        let mut taken = Self {
            engine,
            published: BTreeMap::new(),
            held: BTreeMap::new(),
        };
        for port in model.ports.values() {
            taken.add(port);
        }
        taken
    }

    /// It is published from now on.
    pub(super) fn add(&mut self, port: &PublishedPort) {
        let ports = self.published.entry(port.proto).or_default();
        ports.insert(port.host_port, port.host_last());
    }

    /// Refuses a port that another one in the model has, or a host process. `text` is the spec.
    pub(super) fn check(&mut self, model: &Model, text: &str, port: &PublishedPort) -> Result<()> {
        let published = self.published.get(&port.proto);
        let found = published
            .is_some_and(|ports| ports.meets(port.host_port, port.host_last()))
            // Perhaps on another address.
            .then(|| model.ports.values().find(|p| p.conflicts_with(port)));
        match found.flatten() {
            Some(other) => Err(Error::Conflict(format!(
                "published port {text:?}: {}: port is already allocated to namespace {:?}, which published {other}; choose another host port, or `netctl port rm {} {other}` first",
                host_side(port),
                other.sandbox,
                other.sandbox
            ))),
            None => self.check_held(text, port),
        }
    }

    /// Refuses a port that a host process holds.
    pub(super) fn check_held(&mut self, text: &str, port: &PublishedPort) -> Result<()> {
        let unknown = |error| {
            Error::Failed(format!(
                "published port {text:?}: whether the host port is free cannot be found out: {error}; try again"
            ))
        };
        let held = match self.held.entry(port.proto) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(self.engine.holders(port.proto).map_err(unknown)?)
            }
        };
        let (first, last) = (port.host_port, port.host_last());
        let Some(holder) = held.iter().find(|h| h.holds(port.host_ip, first, last)) else {
            return Ok(());
        };
        let owner = self.engine.owner(holder).map_err(unknown)?;
        Err(Error::Conflict(format!(
            "published port {text:?}: {}: port is already allocated to host process {} ({}) on {}; stop it, or choose another host port",
            host_side(port),
            owner.pid,
            owner.comm,
            owner.address
        )))
    }
}

fn host_side(port: &PublishedPort) -> String {
    let ports = spec::range(port.host_port, port.count);
    let proto = port.proto.name();
    match port.host_ip {
        None => format!("{ports}/{proto}"),
        Some(IpAddr::V4(ip)) => format!("{ip}:{ports}/{proto}"),
        Some(IpAddr::V6(ip)) => format!("[{ip}]:{ports}/{proto}"),
    }
}
