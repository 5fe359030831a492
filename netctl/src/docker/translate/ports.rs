//! The ports that the Engine published as ours.

use std::collections::BTreeSet;

use super::Translation;
use crate::{
    docker::facts,
    model::{Proto, PublishedPort},
};

impl Translation<'_> {
    /// Its number. `taken`: those of other ports of the Engine.
    pub(super) fn put_port(
        &mut self,
        sandbox: &str,
        container: &facts::Container,
        fact: &facts::Port,
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
        };
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
