//! What is there, for people and scripts: model and machine put together.

use std::collections::HashMap;

use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    Error, Result, Service,
    error::{no_network, no_ns},
};
use crate::{
    api::types,
    kernel::names,
    model::{
        Endpoint, Model, Netns, Network, PortId, PublishedPort, Sandbox, adopted, shield::Shield,
    },
    view,
};

impl Service {
    pub fn networks(&self) -> Vec<types::Network> {
        let (model, host) = (self.model(), self.engine.host());
        let mut networks: Vec<_> = model
            .networks
            .values()
            .map(|n| self.show_network(&model, &host, n))
            .collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        networks
    }

    pub fn network(&self, name: &str) -> Result<types::Network> {
        let model = self.model();
        let found = model.network_named(name).ok_or_else(|| no_network(name))?;
        Ok(self.show_network(&model, &self.engine.host(), found))
    }

    fn show_network(&self, model: &Model, host: &view::Host, network: &Network) -> types::Network {
        let Network {
            id,
            name,
            ipv4,
            ipv6,
            mtu: _,
            mac,
            internal,
            masquerade,
            icc,
            mapping,
            filtering,
            modes,
            adopted: _,
            driver: _,
        } = network;
        let endpoints = model.endpoints.values().filter(|e| e.network == *id);
        types::Network {
            id: *id,
            name: name.clone(),
            subnet: ipv4.map(|v4| v4.subnet),
            gateway: ipv4.map(|v4| v4.gateway),
            ip_range: ipv4.and_then(|v4| v4.ip_range),
            subnet6: ipv6.map(|v6| v6.subnet),
            gateway6: ipv6.map(|v6| v6.gateway),
            ip_range6: ipv6.and_then(|v6| v6.ip_range),
            mtu: network.mtu_over(host.mtu()),
            mac: mac.to_string(),
            internal: *internal,
            masquerade: *masquerade,
            icc: *icc,
            gateway_modes: *modes,
            nat_mapping: mapping.unwrap_or(self.options.nat.mapping),
            nat_filtering: filtering.unwrap_or(self.options.nat.filtering),
            interface: names::anchor_label(network),
            endpoints: endpoints.filter_map(|e| endpoint(model, e)).collect(),
        }
    }

    pub fn namespaces(&self) -> Vec<types::Ns> {
        let model = self.model();
        model.sandboxes.values().map(|s| ns(&model, s)).collect()
    }

    pub fn ns(&self, name: &str) -> Result<types::Ns> {
        let model = self.model();
        let sandbox = model.sandboxes.get(name).ok_or_else(|| no_ns(name))?;
        Ok(ns(&model, sandbox))
    }

    /// By namespace, then in the order of publishing.
    pub fn ports(&self) -> Vec<types::Port> {
        let model = self.model();
        let mut ports: Vec<_> = model.ports.values().map(|p| port(&model, p)).collect();
        ports.sort_by(|a, b| (&a.ns, a.id).cmp(&(&b.ns, b.id)));
        ports
    }

    /// In this order.
    pub(super) fn ports_of(&self, ids: &[PortId]) -> Vec<types::Port> {
        let model = self.model();
        let found = ids.iter().filter_map(|id| model.ports.get(id));
        found.map(|p| port(&model, p)).collect()
    }

    /// Flows, of one namespace if it is named.
    pub fn flows(&self, ns: Option<&str>) -> Result<Vec<types::Flow>> {
        let model = self.model();
        if let Some(ns) = ns.filter(|ns| !model.sandboxes.contains_key(*ns)) {
            return Err(no_ns(ns));
        }
        let owners: HashMap<u32, &Endpoint> = model
            .endpoints
            .values()
            .map(|e| (names::host_side(e), e.as_ref()))
            .collect();
        let flows = self
            .engine
            .flows()
            .map_err(|e| Error::Failed(format!("the flow table cannot be read: {e}; try again")))?;
        let shown = flows.into_iter().map(|flow| {
            let owner = owners.get(&flow.endpoint);
            types::Flow {
                ns: owner.map(|e| e.sandbox.clone()),
                network: owner.and_then(|e| network_name(&model, e)),
                flow,
            }
        });
        Ok(shown
            .filter(|f| ns.is_none() || f.ns.as_deref() == ns)
            .collect())
    }

    pub fn drops(&self) -> Result<Vec<view::Drop>> {
        let failed = |e| Error::Failed(format!("the drop counters cannot be read: {e}; try again"));
        self.engine.drops().map_err(failed)
    }

    pub fn status(&self) -> types::Status {
        let model = self.model();
        let docker = self.engine_seen();
        let mut status = self.engine.status();
        // What the engine has and nobody serves.
        let problems = docker.iter().flat_map(|engine| &engine.problems);
        status.failures.extend(problems.cloned());
        status.healthy &= status.failures.is_empty();
        types::Status {
            version: crate::version::short().to_owned(),
            networks: model.networks.len(),
            namespaces: model.sandboxes.len(),
            endpoints: model.endpoints.len(),
            published_ports: model.ports.len(),
            docker,
            status,
        }
    }
}

fn endpoint(model: &Model, endpoint: &Endpoint) -> Option<types::Endpoint> {
    let network = model.networks.get(&endpoint.network)?;
    let (v4, v6) = (network.ipv4.as_ref(), network.ipv6.as_ref());
    let address = v4.zip(endpoint.addr);
    let address6 = v6.zip(endpoint.addr6);
    Some(types::Endpoint {
        id: endpoint.id,
        network: network.name.clone(),
        ns: endpoint.sandbox.clone(),
        ifname: endpoint.ifname.clone(),
        address: address.and_then(|(v4, ip)| Ipv4Net::new(ip, v4.subnet.prefix_len()).ok()),
        ip: endpoint.addr,
        gateway: v4.map(|v4| v4.gateway),
        address6: address6.and_then(|(v6, ip)| Ipv6Net::new(ip, v6.subnet.prefix_len()).ok()),
        ip6: endpoint.addr6,
        gateway6: v6.map(|v6| v6.gateway),
        mac: endpoint.mac.to_string(),
        host_interface: names::host_side_label(endpoint),
    })
}

fn ns(model: &Model, sandbox: &Sandbox) -> types::Ns {
    let Sandbox {
        name,
        netns,
        adopted,
    } = sandbox;
    let (path, inode) = match netns {
        Netns::Named => (format!("/run/netns/{name}").into(), None),
        Netns::Path { path, inode } => (path.clone(), Some(*inode)),
    };
    let endpoints = model.endpoints.values().filter(|e| e.sandbox == *name);
    let ports = model.ports.values().filter(|p| p.sandbox == *name);
    types::Ns {
        name: name.clone(),
        path,
        managed: inode.is_none(),
        inode,
        container: adopted.as_ref().and_then(container),
        endpoints: endpoints.filter_map(|e| endpoint(model, e)).collect(),
        ports: ports.map(|p| port(model, p)).collect(),
    }
}

/// None while nobody has said whose it is.
fn container(container: &adopted::Container) -> Option<types::Container> {
    let adopted::Container {
        id, name, compose, ..
    } = container;
    let given = |name: &String| (!name.is_empty()).then(|| name.clone());
    Some(types::Container {
        id: id.clone()?,
        name: name.clone(),
        compose_project: compose.as_ref().and_then(|c| given(&c.project)),
        compose_service: compose.as_ref().and_then(|c| given(&c.service)),
    })
}

fn port(model: &Model, port: &PublishedPort) -> types::Port {
    let owner = model.sandboxes.get(&port.sandbox);
    let way = model.published_endpoints(&port.sandbox);
    let targets = port.targets(way);
    let targets = targets.map(|(host_ip, container_ip, endpoint)| types::Target {
        host_ip,
        network: network_name(model, endpoint).unwrap_or_default(),
        container_ip,
    });
    let rules = port.rules.in_force();
    types::Port {
        id: port.id,
        ns: port.sandbox.clone(),
        container: owner.and_then(|owner| owner.adopted.as_ref().and_then(container)),
        host_ip: port.host_ip,
        host_port: port.host_port,
        container_port: port.container_port,
        count: port.count,
        proto: port.proto,
        spec: port.to_string(),
        from: rules.filter(|r| r.allow.is_some()).map(Shield::sources),
        limit: rules
            .filter(|r| !r.limit.is_none())
            .map(|r| r.limit.to_string()),
        targets: targets.collect(),
    }
}

fn network_name(model: &Model, endpoint: &Endpoint) -> Option<String> {
    model
        .networks
        .get(&endpoint.network)
        .map(|n| n.name.clone())
}
