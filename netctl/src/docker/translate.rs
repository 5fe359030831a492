//! Facts of the Engine and of the kernel into the model: pure.
//!
//! What is there already keeps its number, so that flows and counters go on. What cannot be served
//! is left out and named; it never keeps the rest from being served.

mod driven;
mod endpoints;
mod networks;
mod ports;

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{self, Facts};
use crate::{
    kernel::adopted::Found,
    model::{Endpoint, Model, NetworkId},
};

/// What came of a translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// What cannot be served, for a person.
    pub(super) problems: Vec<String>,
    /// A container that is being started has no interface yet.
    pub(super) waits: bool,
}

/// Brings what is adopted in line.
pub(super) fn translate(
    model: &mut Model,
    facts: &Facts,
    found: &Found,
    max_endpoints: u32,
) -> Outcome {
    let starting = facts.containers.values().filter(|c| c.sandbox.is_none());
    let mut translation = Translation {
        model,
        found,
        max_endpoints,
        starting: starting.flat_map(|c| &c.endpoints).collect(),
        outcome: Outcome::default(),
    };
    let networks = translation.networks(facts);
    translation.name_networks(facts);
    translation.note_others(facts);
    translation.containers(facts, &networks);
    translation.outcome
}

struct Translation<'a> {
    model: &'a mut Model,
    found: &'a Found,
    max_endpoints: u32,
    /// Endpoints of containers that are being started.
    starting: Vec<&'a facts::Endpoint>,
    outcome: Outcome,
}

impl Translation<'_> {
    fn containers(&mut self, facts: &Facts, networks: &BTreeMap<String, NetworkId>) {
        let mut served = BTreeSet::new();
        let mut published = BTreeSet::new();
        let names = self.sandboxes(facts);
        self.name_joined(facts, &names);
        for (id, container) in &facts.containers {
            self.rule_joined(&names[id], container);
        }
        // What is gone is in nobody's way; those that stay keep what they have against those that
        // come.
        let there = facts.containers.values().flat_map(|c| &c.endpoints);
        let there: BTreeSet<&str> = there.map(|fact| fact.id.as_str()).collect();
        self.model.endpoints.retain(|_, endpoint| {
            let veth = endpoint.adopted.as_ref();
            veth.is_none_or(|veth| there.contains(veth.id.as_str()))
        });
        let (stay, come): (Vec<_>, Vec<_>) = facts
            .containers
            .iter()
            .flat_map(|(id, container)| container.endpoints.iter().map(move |e| (id, container, e)))
            .partition(|(_, _, fact)| self.model.endpoints.values().any(|e| is_of(e, &fact.id)));
        for (id, container, fact) in stay.into_iter().chain(come) {
            // One of another driver is none of ours.
            let Some(network) = networks.get(&fact.network) else {
                continue;
            };
            match self.put_endpoint(&names[id], container, fact, *network) {
                Ok(number) => drop(served.insert(number)),
                // One that is being started is looked at again when it has.
                Err(_) if container.sandbox.is_none() => self.outcome.waits = true,
                Err(problem) => self.problem(problem),
            }
        }
        let endpoints = &mut self.model.endpoints;
        endpoints.retain(|id, e| e.adopted.is_none() || served.contains(id));
        let is_adopted = |fact: &&facts::Endpoint| networks.contains_key(&fact.network);
        for (id, container) in &facts.containers {
            // On the driver's networks Docker has asked for them.
            if container.endpoints.iter().any(|fact| is_adopted(&fact)) {
                self.put_ports(&names[id], container, &mut published);
            }
        }
        let ports = &mut self.model.ports;
        ports.retain(|id, port| !port.adopted || published.contains(id));
        let exists = |id: &str| facts.containers.contains_key(id) || facts.idle.contains_key(id);
        self.model.drop_idle_containers(|id| id.is_some_and(exists));
    }

    fn problem(&mut self, problem: String) {
        self.outcome.problems.push(problem);
    }
}

fn is_of(endpoint: &Endpoint, id: &str) -> bool {
    endpoint.adopted.as_ref().is_some_and(|veth| veth.id == id)
}

/// A name that somebody else has, made another one.
fn with_id(name: &str, id: Option<&str>) -> String {
    let id = id.unwrap_or_default();
    format!("{name}-{}", id.get(..12).unwrap_or(id))
}

#[cfg(test)]
mod tests;
