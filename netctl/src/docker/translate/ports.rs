//! The ports that the Engine published as ours.

use std::{collections::BTreeSet, net::IpAddr};

use super::Translation;
use crate::{
    docker::{facts, labels},
    model::{
        Endpoint, GatewayMode, PortRow, Proto, PublishedPort, Rules, adopted::Unclear,
        shield::Shield,
    },
};

/// Why a port with rules is closed.
const BESIDE_RULES: &str = "rules are kept for ports of the host, and its network is reached by routing; take the rules off, or let the router have them";

impl Translation<'_> {
    /// All of a container's. `published`: what is published, to which it adds.
    pub(super) fn put_ports(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        published: &mut BTreeSet<u32>,
    ) {
        let name = &container.name;
        // Of one that is being started the labels are known as soon as any port is.
        let Some(labels) = &container.labels else {
            return;
        };
        let rules = match labels::read(labels) {
            Ok(rules) => rules,
            // Served without its rules a port would be open to whom it was not meant for.
            Err(_) if container.ports.is_empty() => return,
            Err(error) => {
                return self.problem(format!(
                    "container {name:?}: {error}; its published ports are not served until it is made anew with another label"
                ));
            }
        };
        // One without a host port is reached at the container's own address and number.
        let number = |row: &PortRow| PortRow {
            host_port: match row.host_port {
                0 => row.container_port,
                given => given,
            },
            ..*row
        };
        let now: Vec<PortRow> = container.ports.iter().map(number).collect();
        // Of one that is being started not all ports are known.
        if container.sandbox.is_some() {
            for unused in rules.unused(&now) {
                self.problem(format!("container {name:?}: {unused}"));
            }
        }
        for (row, told) in now.iter().zip(&container.ports) {
            let labels = |port| rules.of(port);
            let is_bare = told.host_port == 0;
            for (row, rules) in self.ruled(sandbox, *row, &now, labels) {
                let row = (row, is_bare);
                match self.put_port(sandbox, container, row, rules, published) {
                    Ok(number) => drop(published.insert(number)),
                    Err(problem) => self.problem(problem),
                }
            }
        }
    }

    /// A row of a container's ports, in as many rows as have rules of their own. `now`: all ports
    /// that it has. `labels`: what its labels say of a single one.
    fn ruled(
        &mut self,
        sandbox: &str,
        row: PortRow,
        now: &[PortRow],
        labels: impl Fn(PortRow) -> Option<Shield>,
    ) -> Vec<(PortRow, Rules)> {
        let container = self.model.sandboxes.get(sandbox);
        let container = container.and_then(|sandbox| sandbox.adopted.as_ref());
        let operator = |port| container.map_or(Ok(None), |of| of.rules_of(port, now));
        let mut problems = Vec::new();
        let rows = row.split(|port| (operator(port), labels(port)));
        let rows = rows.into_iter().map(|(row, (operator, labels))| {
            let operator = operator.map(Option::<&Shield>::cloned);
            let operator = operator.unwrap_or_else(|Unclear| {
                problems.push(format!(
                    "container {sandbox:?}: published port {row} lets nobody in from outside: its host port was chosen anew, and it may be either of several that were given different rules; `netctl port allow {sandbox} {row}` says which"
                ));
                Some(Shield::nobody())
            });
            (row, Rules { operator, labels })
        });
        let rows = rows.collect();
        self.outcome.problems.extend(problems);
        rows
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
        let labels = container.labels.as_ref().map(labels::read);
        if let Some(Err(error)) = &labels {
            self.problem(format!(
                "container {:?}: {error}; its published ports let nobody in from outside until it is made anew with another label",
                container.name
            ));
        }
        let now: Vec<PortRow> = joined.iter().map(PublishedPort::row).collect();
        for port in &joined {
            let labels = |single| match &labels {
                Some(Ok(rules)) => rules.of(single),
                Some(Err(_)) => Some(Shield::nobody()),
                None => port.rules.labels.clone(),
            };
            let rows = self.ruled(sandbox, port.row(), &now, labels);
            if rows.len() > 1 {
                self.model.ports.remove(&port.id);
            }
            let is_whole = rows.len() == 1;
            for (row, rules) in rows {
                let row = self.put_row((port, is_whole), row, rules);
                if self.is_beside_rules(&row) {
                    self.problem(format!(
                        "container {:?}: published port {row} lets nobody in from outside: {BESIDE_RULES}",
                        container.name
                    ));
                }
            }
        }
    }

    /// A row of a published port that has rules of its own. A number means ports of one extent,
    /// which flows and counters go by: a part of what was one gets a number of its own.
    fn put_row(
        &mut self,
        (of, is_whole): (&PublishedPort, bool),
        row: PortRow,
        rules: Rules,
    ) -> PublishedPort {
        let mut port = PublishedPort {
            host_port: row.host_port,
            container_port: row.container_port,
            count: row.count,
            rules,
            ..of.clone()
        };
        if !is_whole {
            port.id = self.model.last_port + 1;
            self.model.last_port = port.id;
        }
        let ports = &mut self.model.ports;
        if ports.get(&port.id).is_none_or(|old| **old != port) {
            ports.insert(port.id, port.clone().into());
        }
        port
    }

    /// Whether a container's address is in a network of its family that is reached by routing.
    fn is_routed(&self, addr: IpAddr, endpoint: &Endpoint) -> bool {
        let network = self.model.networks.get(&endpoint.network);
        network.is_some_and(|network| network.modes.of(addr) == GatewayMode::Routed)
    }

    /// Whether the port has rules, and a way to it past them: by routing, which there is not then.
    fn is_beside_rules(&self, port: &PublishedPort) -> bool {
        let way = self.model.published_endpoints(&port.sandbox);
        let mut targets = port.targets(way);
        port.rules.in_force().is_some()
            && targets.any(|(_, addr, endpoint)| self.is_routed(addr, endpoint))
    }

    /// Whether the port can be served where its network is reached by routing, and it is if it must.
    fn check_routed(&self, name: &str, is_bare: bool, port: &PublishedPort) -> Result<(), String> {
        let way = self.model.published_endpoints(&port.sandbox);
        let mut targets = port.targets(way);
        if is_bare && !targets.all(|(_, addr, endpoint)| self.is_routed(addr, endpoint)) {
            return Err(format!(
                "container {name:?}: published port {}/{} is not served: it has no host port, and its network is not reached by routing; publish it with a host port",
                port.container_port,
                port.proto.name()
            ));
        }
        if self.is_beside_rules(port) {
            return Err(format!(
                "container {name:?}: published port {port} is not served: {BESIDE_RULES}"
            ));
        }
        Ok(())
    }

    /// Its number. `is_bare`: the Engine tells no host port. `taken`: those of other ports of the Engine.
    fn put_port(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        (row, is_bare): (PortRow, bool),
        rules: Rules,
        taken: &BTreeSet<u32>,
    ) -> Result<u32, String> {
        let mut port = PublishedPort {
            id: 0,
            sandbox: sandbox.to_owned(),
            host_ip: row.host_ip,
            host_port: row.host_port,
            container_port: row.container_port,
            count: row.count,
            proto: row.proto,
            joined: None,
            adopted: true,
            rules,
        };
        let name = &container.name;
        if port.proto == Proto::Sctp && port.host_port != port.container_port {
            return Err(format!(
                "container {name:?}: published port {port} is not served: an sctp port cannot be translated to another number, since its checksum covers the whole packet; publish it under its own number"
            ));
        }
        self.check_routed(name, is_bare, &port)?;
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
