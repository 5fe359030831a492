//! The ports that the Engine published as ours.

use std::collections::BTreeSet;

use super::Translation;
use crate::{
    docker::{facts, labels},
    model::{Proto, PublishedPort, Rules, adopted::PortRules, shield::Shield},
};

impl Translation<'_> {
    /// All of a container's. `published`: what is published, to which it adds.
    pub(super) fn put_ports(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        published: &mut BTreeSet<u32>,
    ) {
        let name = &container.name;
        let rules = match labels::read(&container.labels) {
            Ok(rules) => rules,
            // Served without its rules a port would be open to whom it was not meant for.
            Err(_) if container.ports.is_empty() => return,
            Err(error) => {
                return self.problem(format!(
                    "container {name:?}: {error}; its published ports are not served until it is made anew with another label"
                ));
            }
        };
        // Of one that is being started not all ports are known.
        if container.sandbox.is_some() {
            for unused in rules.unused(&container.ports) {
                self.problem(format!("container {name:?}: {unused}"));
            }
        }
        for (port, shield) in container.ports.iter().flat_map(|port| rules.split(port)) {
            match self.put_port(sandbox, container, (&port, shield), published) {
                Ok(number) => drop(published.insert(number)),
                Err(problem) => self.problem(problem),
            }
        }
    }

    fn operators_rules(
        &self,
        container: &facts::Container,
        port: &PublishedPort,
    ) -> Option<Shield> {
        let has = |fact: &facts::Port, rules: &PortRules| {
            let ports = fact.host_port..=fact.host_port + (fact.count - 1);
            fact.proto == rules.proto && ports.contains(&rules.host_port)
        };
        let is_gone = |rules: &PortRules| !container.ports.iter().any(|fact| has(fact, rules));
        let sandbox = self.model.sandboxes.get(&port.sandbox)?;
        let adopted = sandbox.adopted.as_ref()?;
        adopted.rules_of(port, is_gone).cloned()
    }

    /// Its number. `taken`: those of other ports of the Engine.
    fn put_port(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        (fact, labels): (&facts::Port, Option<Shield>),
        taken: &BTreeSet<u32>,
    ) -> Result<u32, String> {
        let mut port = PublishedPort {
            id: 0,
            sandbox: sandbox.to_owned(),
            host_ip: fact.host_ip,
            host_port: fact.host_port,
            container_port: fact.container_port,
            count: fact.count,
            proto: fact.proto,
            joined: None,
            adopted: true,
            rules: Rules {
                operator: None,
                labels,
            },
        };
        port.rules.operator = self.operators_rules(container, &port);
        let name = &container.name;
        if port.proto == Proto::Sctp && port.host_port != port.container_port {
            return Err(format!(
                "container {name:?}: published port {port} is not served: an sctp port cannot be translated to another number, since its checksum covers the whole packet; publish it under its own number"
            ));
        }
        let ports = &mut self.model.ports;
        // The same port: on which addresses may only be known when the container is started.
        let same = |old: &PublishedPort| {
            let of = |p: &PublishedPort| (p.container_port, p.count, p.host_port);
            old.adopted
                && old.sandbox == port.sandbox
                && of(old) == of(&port)
                && old.conflicts_with(&port)
        };
        let exact = |old: &PublishedPort| same(old) && old.host_ip == port.host_ip;
        let known = ports.values().find(|old| exact(old));
        let known = known.or_else(|| {
            let mut rest = ports.values().filter(|old| !taken.contains(&old.id));
            rest.find(|old| same(old))
        });
        if let Some(known) = known.map(|port| port.id) {
            port.id = known;
            if ports.get(&known).is_none_or(|old| **old != port) {
                ports.insert(known, port.into());
            }
            return Ok(known);
        }
        // The container's way out is by a network of the driver's, where it was asked for.
        let asked = ports.values().find(|old| {
            old.joined.is_some() && old.sandbox == port.sandbox && old.conflicts_with(&port)
        });
        if let Some(asked) = asked {
            return Ok(asked.id);
        }
        // Of those that the Engine published it has let go what it published anew.
        let stays = |old: &PublishedPort| !old.adopted;
        if let Some(other) = ports
            .values()
            .find(|old| stays(old) && old.conflicts_with(&port))
        {
            return Err(format!(
                "container {name:?}: published port {port} is not served: namespace {:?} has {other}; `netctl port rm {} {other}`, or publish another host port",
                other.sandbox, other.sandbox
            ));
        }
        port.id = self.model.last_port + 1;
        let id = port.id;
        self.model.last_port = id;
        ports.insert(id, port.into());
        Ok(id)
    }
}
