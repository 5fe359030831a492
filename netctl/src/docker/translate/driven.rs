//! Names of what Docker made by netctl's network driver, which is told of ids only.

use std::{collections::BTreeMap, sync::Arc};

use super::{Translation, with_id};
use crate::{
    docker::facts::{self, Facts},
    model::{EndpointId, NetworkId},
};

impl Translation<'_> {
    /// Calls networks as the Engine does.
    pub(super) fn name_networks(&mut self, facts: &Facts) {
        let networks = &mut self.model.networks;
        let driven = networks.values().filter_map(|network| {
            let id = &network.driver.as_ref()?.id;
            Some((network.id, id.clone(), facts.driven.get(id)?.clone()))
        });
        let driven: Vec<(NetworkId, String, String)> = driven.collect();
        for (number, id, mut name) in driven {
            let taken = |name: &String| {
                let mut others = networks.values().filter(|other| other.id != number);
                others.any(|other| other.name == *name)
            };
            if taken(&name) {
                name = with_id(&name, Some(&id));
            }
            if let Some(network) = networks.get_mut(&number).filter(|n| n.name != name) {
                Arc::make_mut(network).name = name;
            }
        }
    }

    /// Gives the interfaces to the containers that the Engine says they are of. `names`: of the
    /// sandboxes, by the containers' ids.
    pub(super) fn name_joined(&mut self, facts: &Facts, names: &BTreeMap<String, String>) {
        for (id, container) in &facts.containers {
            for fact in &container.endpoints {
                let joined = self.model.joined(&fact.id);
                let stranger = joined.filter(|endpoint| endpoint.sandbox != names[id]);
                if let Some(endpoint) = stranger.map(|endpoint| endpoint.id) {
                    self.give(endpoint, &names[id]);
                }
                self.check_joined(container, &fact.id);
            }
        }
    }

    /// Names a running container that has lost its interface. Another one in its place can be made,
    /// but only Docker moves it into the container, and only at its start.
    fn check_joined(&mut self, container: &facts::Container, id: &str) {
        let lead = container.sandbox.as_ref();
        let lead = lead.and_then(|path| self.found.driven.get(path));
        let (Some(lead), Some(endpoint)) = (lead, self.model.joined(id)) else {
            return;
        };
        if lead.contains(&endpoint.id) {
            return;
        }
        let network = self.model.networks.get(&endpoint.network);
        let problem = format!(
            "container {:?} on network {:?} is not reached: its interface there is gone; restart the container",
            container.name,
            network.map_or("", |network| &network.name)
        );
        self.problem(problem);
    }

    fn give(&mut self, id: EndpointId, sandbox: &str) {
        let Some(endpoint) = self.model.endpoints.get_mut(&id) else {
            return;
        };
        let old = std::mem::replace(&mut Arc::make_mut(endpoint).sandbox, sandbox.to_owned());
        let nameless = self.model.sandboxes.get_mut(&old).and_then(|old| {
            let container = Arc::make_mut(old).adopted.as_mut();
            container.filter(|container| container.id.is_none())
        });
        // What a user said and published before the name was known goes along.
        let rules = nameless.map(|container| std::mem::take(&mut container.rules));
        let is_nameless = rules.is_some();
        if let Some(rules) = rules.filter(|rules| !rules.is_empty())
            && let Some(named) = self.model.sandboxes.get_mut(sandbox)
            && let Some(container) = &mut Arc::make_mut(named).adopted
        {
            container.add_rules(rules);
        }
        let ports = self.model.ports.values_mut().filter(|p| p.sandbox == old);
        for port in ports.filter(|p| p.joined == Some(id) || is_nameless && p.joined.is_none()) {
            Arc::make_mut(port).sandbox = sandbox.to_owned();
        }
    }
}
