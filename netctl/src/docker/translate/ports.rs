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

    /// Gives the ports that Docker asked the network driver for the rules of the container's labels,
    /// and those that an operator gave to their like before the container was started anew.
    pub(super) fn rule_joined(&mut self, sandbox: &str, container: &facts::Container) {
        let ports = self.model.ports.values();
        let joined = ports.filter(|port| port.joined.is_some() && port.sandbox == sandbox);
        let joined: Vec<PublishedPort> = joined.map(|port| PublishedPort::clone(port)).collect();
        if joined.is_empty() {
            return;
        }
        let labels = labels::read(&container.labels);
        if let Err(error) = &labels {
            self.problem(format!(
                "container {:?}: {error}; its published ports let nobody in from outside until it is made anew with another label",
                container.name
            ));
        }
        let fact = |port: &PublishedPort| facts::Port {
            proto: port.proto,
            host_ip: port.host_ip,
            host_port: port.host_port,
            container_port: port.container_port,
            count: port.count,
        };
        let now: Vec<facts::Port> = joined.iter().map(fact).collect();
        for (port, fact) in joined.iter().zip(&now) {
            let rows = match &labels {
                Ok(rules) => rules.split(fact),
                Err(_) => vec![(*fact, Some(Shield::nobody()))],
            };
            if rows.len() > 1 {
                self.model.ports.remove(&port.id);
            }
            let is_whole = rows.len() == 1;
            for (row, labels) in rows {
                self.put_row(&now, (port, is_whole), row, labels);
            }
        }
    }

    /// A row of a published port that has rules of its own: all of it, or a port with a number of
    /// its own. (A trie tells of a row that is there what it knew of the whole.)
    fn put_row(
        &mut self,
        now: &[facts::Port],
        (of, is_whole): (&PublishedPort, bool),
        row: facts::Port,
        labels: Option<Shield>,
    ) {
        let mut port = PublishedPort {
            host_port: row.host_port,
            container_port: row.container_port,
            count: row.count,
            ..of.clone()
        };
        port.rules.labels = labels;
        if port.rules.operator.is_none() {
            port.rules.operator = self.operators_rules(now, &port);
        }
        if !is_whole {
            port.id = self.model.last_port + 1;
            self.model.last_port = port.id;
        }
        let ports = &mut self.model.ports;
        if ports.get(&port.id).is_none_or(|old| **old != port) {
            ports.insert(port.id, port.into());
        }
    }

    /// What an operator said of a port of a container, whose ports are these now.
    fn operators_rules(&self, now: &[facts::Port], port: &PublishedPort) -> Option<Shield> {
        // A number that leads elsewhere now is another port.
        let has = |fact: &facts::Port, rules: &PortRules| {
            let step = rules.host_port.checked_sub(fact.host_port);
            fact.proto == rules.proto
                && step.is_some_and(|step| {
                    step < fact.count && fact.container_port + step == rules.container_port
                })
        };
        let is_gone = |rules: &PortRules| !now.iter().any(|fact| has(fact, rules));
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
        port.rules.operator = self.operators_rules(&container.ports, &port);
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
