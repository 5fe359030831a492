//! Published ports of the network driver.

use std::{collections::BTreeMap, sync::Arc};

use super::no_endpoint;
use crate::{
    model::{
        Endpoint, EndpointId, Model, PortId, PortRow, PublishedPort, Sandbox, shield::Shield,
        spec::HostPorts, spec::Spec,
    },
    service::{Result, Service},
};

impl Service {
    /// Makes an endpoint its container's way in and out, and publishes these ports, and no others
    /// that it had, on it. What it has already keeps its host port and its connections.
    pub async fn driver_program(self: &Arc<Self>, id: &str, ports: Vec<Spec>) -> Result<()> {
        let _open = self.enter().await?;
        let _endpoint = self.locks.ns(id).await;
        let id = id.to_owned();
        let program = move |service: &Self, model: &mut Model| service.program(model, &id, &ports);
        let (new, change) = self.change(program).await?;
        self.carry_out_ports(change, new).await
    }

    /// Takes back what [`Self::driver_program`] did.
    pub async fn driver_revoke(self: &Arc<Self>, id: &str) -> Result<()> {
        let _endpoint = self.locks.ns(id).await;
        let id = id.to_owned();
        self.fact(move |_, model| revoke(model, &id)).await
    }

    /// Numbers of the ports that are new.
    fn program(&self, model: &mut Model, id: &str, wanted: &[Spec]) -> Result<Vec<PortId>> {
        let endpoint = model.joined(id).ok_or_else(|| no_endpoint(id))?;
        let endpoint = set_gateway(model, endpoint.id, true).ok_or_else(|| no_endpoint(id))?;
        let wanted = served(&endpoint, wanted);
        // Each is kept for one of those that are wanted.
        let own = model
            .ports
            .values()
            .filter(|p| p.joined == Some(endpoint.id));
        let mut own: BTreeMap<PortId, Arc<PublishedPort>> =
            own.map(|port| (port.id, Arc::clone(port))).collect();
        let mut missing = Vec::new();
        for spec in &wanted {
            match held(own.values(), spec) {
                Some(kept) => own.retain(|id, _| !kept.contains(id)),
                // The container's way of the other family has it already.
                None if has(model, &endpoint, spec) => {}
                None => missing.push(spec.to_string()),
            }
        }
        // What Docker itself published before it has let go.
        let is_former =
            |port: &PublishedPort| port.adopted && wanted.iter().any(|spec| meets(port, spec));
        model
            .ports
            .retain(|id, port| !(own.contains_key(id) || is_former(port)));
        let new = self.publish(model, &endpoint.sandbox, &missing)?;
        let Model {
            sandboxes, ports, ..
        } = model;
        for id in &new {
            if let Some(port) = ports.get_mut(id).map(Arc::make_mut) {
                port.joined = Some(endpoint.id);
                // Whose it is Docker's API tells afterwards, and then its rules are known.
                let row = port.row();
                let may_rule = |sandbox: &Arc<Sandbox>| {
                    let container = sandbox.adopted.as_ref();
                    container.is_some_and(|container| container.may_rule(row))
                };
                let waits = sandboxes.values().any(may_rule);
                port.rules.labels = waits.then(Shield::nobody);
            }
        }
        Ok(new)
    }
}

/// What of it can be served: a host address of a family that the container has not is left out, as
/// Docker does without its proxy.
fn served(endpoint: &Endpoint, wanted: &[Spec]) -> Vec<Spec> {
    let is_served = |spec: &&Spec| {
        let missing = match spec.host_ip.map(|ip| ip.to_canonical()) {
            Some(ip) if ip.is_ipv4() => endpoint.addr.is_none(),
            Some(_) => endpoint.addr6.is_none(),
            None => false,
        };
        if missing {
            tracing::warn!(
                container = endpoint.sandbox,
                "published port {spec} is not served: the container has no address of the host address's family"
            );
        }
        !missing
    };
    wanted.iter().filter(is_served).cloned().collect()
}

fn is_for(port: &PublishedPort, spec: &Spec) -> bool {
    let at = match spec.host {
        HostPorts::Any => true,
        HostPorts::From(first) => port.host_port == first,
        HostPorts::OneOf { first, last } => (first..=last).contains(&port.host_port),
    };
    let of = (port.container_port, port.count, port.proto);
    at && of == (spec.container_port, spec.count, spec.proto)
        && port.host_ip == spec.host_ip.map(|ip| ip.to_canonical())
}

/// Which of these ports are those of a spec: one, or what rules have made of it.
fn held<'p>(
    ports: impl Iterator<Item = &'p Arc<PublishedPort>> + Clone,
    spec: &Spec,
) -> Option<Vec<PortId>> {
    if let Some(whole) = ports.clone().find(|port| is_for(port, spec)) {
        return Some(vec![whole.id]);
    }
    let whole = row(spec)?;
    let parts = ports.filter(|port| whole.contains(port.row()));
    let parts: Vec<&Arc<PublishedPort>> = parts.collect();
    let count: u32 = parts.iter().map(|port| u32::from(port.count)).sum();
    (count == u32::from(whole.count)).then(|| parts.iter().map(|port| port.id).collect())
}

/// Where the host port is said.
fn row(spec: &Spec) -> Option<PortRow> {
    let HostPorts::From(host_port) = spec.host else {
        return None;
    };
    Some(PortRow {
        proto: spec.proto,
        host_ip: spec.host_ip.map(|ip| ip.to_canonical()),
        host_port,
        container_port: spec.container_port,
        count: spec.count,
    })
}

/// Whether both are of the same host port.
fn meets(port: &PublishedPort, spec: &Spec) -> bool {
    row(spec).is_some_and(|wanted| port.row().conflicts_with(wanted))
}

/// Whether another endpoint of the container, which is its way of the other family, has published
/// it for both.
fn has(model: &Model, endpoint: &Endpoint, spec: &Spec) -> bool {
    let ports = model.ports.values();
    let others = ports.filter(|port| {
        port.sandbox == endpoint.sandbox && port.joined.is_some_and(|other| other != endpoint.id)
    });
    held(others, spec).is_some()
}

fn set_gateway(model: &mut Model, id: EndpointId, gateway: bool) -> Option<Endpoint> {
    let endpoint = model.endpoints.get_mut(&id)?;
    if endpoint
        .driver
        .as_ref()
        .is_some_and(|joined| joined.gateway != gateway)
        && let Some(joined) = &mut Arc::make_mut(endpoint).driver
    {
        joined.gateway = gateway;
    }
    Some(Endpoint::clone(endpoint))
}

fn revoke(model: &mut Model, id: &str) {
    let Some(endpoint) = model.joined(id).map(|endpoint| endpoint.id) else {
        return;
    };
    set_gateway(model, endpoint, false);
    model.withdraw(endpoint);
}
