//! Namespaces: create, remove, connect, disconnect.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Error, Result, Service,
    adopt::own_sandbox,
    endpoints::Wanted,
    error::{no_network, no_ns},
};
use crate::{
    api::types,
    model::{Model, Netns, Sandbox, names},
};

impl Service {
    pub async fn create_ns(self: &Arc<Self>, request: types::NsCreate) -> Result<types::Ns> {
        let _open = self.enter().await?;
        let _name = self.locks.ns(&request.name).await;
        let _network = self.locks.networks(request.network.clone()).await;
        let name = request.name.clone();
        let add = move |service: &Self, model: &mut Model| {
            service.add_ns(model, &request)?;
            service.publish(model, &request.name, &request.publish)
        };
        let (ports, change) = self.change(add).await?;
        self.carry_out_ports(change, ports).await?;
        self.ns(&name)
    }

    /// Removes a namespace with its endpoints and published ports.
    pub async fn remove_ns(self: &Arc<Self>, name: &str) -> Result<()> {
        let _open = self.enter().await?;
        let _name = self.locks.ns(name).await;
        let _networks = self.locks.networks(self.networks_of(name)).await;
        let name = name.to_owned();
        let remove = move |_: &Self, model: &mut Model| {
            let sandbox = model.sandboxes.remove(&name).ok_or_else(|| no_ns(&name))?;
            own_sandbox(&sandbox)?;
            model.endpoints.retain(|_, e| e.sandbox != name);
            model.ports.retain(|_, p| p.sandbox != name);
            Ok(())
        };
        let ((), change) = self.change(remove).await?;
        self.carry_out(change).await
    }

    pub async fn connect(
        self: &Arc<Self>,
        network: &str,
        request: types::Connect,
    ) -> Result<types::Ns> {
        let _open = self.enter().await?;
        let _name = self.locks.ns(&request.ns).await;
        let mut networks = self.networks_of(&request.ns);
        networks.push(network.to_owned());
        let _networks = self.locks.networks(networks).await;
        let (network, name) = (network.to_owned(), request.ns.clone());
        let add = move |service: &Self, model: &mut Model| {
            let types::Connect { ns, ip, ip6 } = &request;
            own_sandbox(model.sandboxes.get(ns).ok_or_else(|| no_ns(ns))?)?;
            let wanted = Wanted {
                ip: ip.as_deref(),
                ip6: ip6.as_deref(),
                mac: None,
            };
            service.add_endpoint(model, ns, &network, wanted)
        };
        let ((), change) = self.change(add).await?;
        self.carry_out(change).await?;
        self.ns(&name)
    }

    pub async fn disconnect(self: &Arc<Self>, network: &str, ns: &str) -> Result<()> {
        let _open = self.enter().await?;
        let _name = self.locks.ns(ns).await;
        let _networks = self.locks.networks(self.networks_of(ns)).await;
        let (network, ns) = (network.to_owned(), ns.to_owned());
        let remove = move |_: &Self, model: &mut Model| {
            own_sandbox(model.sandboxes.get(&ns).ok_or_else(|| no_ns(&ns))?)?;
            let id = model
                .network_named(&network)
                .ok_or_else(|| no_network(&network))?
                .id;
            let before = model.endpoints.len();
            model
                .endpoints
                .retain(|_, e| e.sandbox != ns || e.network != id);
            if model.endpoints.len() == before {
                return Err(Error::Missing(format!(
                    "namespace {ns:?} is not connected to network {network:?}; `netctl ns inspect {ns}` shows what it is connected to"
                )));
            }
            let way = model.published_endpoints(&ns);
            let mut ports = model.ports.values().filter(|p| p.sandbox == ns);
            match ports.find(|port| port.targets(way).next().is_none()) {
                None => Ok(()),
                Some(port) => Err(Error::Conflict(format!(
                    "namespace {ns:?} has port {port} published by way of network {network:?}, its last one that is not internal and has such addresses; remove the port first: `netctl port rm {ns} {port}`"
                ))),
            }
        };
        let ((), change) = self.change(remove).await?;
        self.carry_out(change).await
    }

    /// Names of the networks that a namespace is connected to.
    fn networks_of(&self, ns: &str) -> Vec<String> {
        let model = self.model();
        let endpoints = model.endpoints.values().filter(|e| e.sandbox == ns);
        endpoints
            .filter_map(|e| model.networks.get(&e.network))
            .map(|n| n.name.clone())
            .collect()
    }

    fn add_ns(&self, model: &mut Model, request: &types::NsCreate) -> Result<()> {
        let types::NsCreate {
            name,
            network,
            ip,
            ip6,
            mac,
            publish: _,
            netns,
            pid,
        } = request;
        names::check(name)?;
        if model.sandboxes.contains_key(name) {
            return Err(Error::Conflict(format!(
                "namespace {name:?} exists already; choose another name, or remove it first"
            )));
        }
        let netns = match (netns, pid) {
            (None, None) if self.engine.foreign_netns(name) => {
                return Err(Error::Conflict(format!(
                    "namespace {name:?}: /run/netns/{name} exists and was not made by netctl; choose another name, or attach it with --netns /run/netns/{name}"
                )));
            }
            (None, None) => Netns::Named,
            (Some(path), None) => self.given_netns(model, path, None)?,
            (None, Some(pid)) => {
                let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
                self.given_netns(model, &path, Some(*pid))?
            }
            (Some(_), Some(_)) => {
                return Err(Error::Invalid(format!(
                    "namespace {name:?}: a path and a process id are both given; give one"
                )));
            }
        };
        let sandbox = Sandbox {
            name: name.clone(),
            netns,
            adopted: None,
        };
        model.sandboxes.insert(name.clone(), sandbox.into());
        let wanted = Wanted {
            ip: ip.as_deref(),
            ip6: ip6.as_deref(),
            mac: mac.as_deref(),
        };
        match (network, wanted.ip.or(wanted.ip6).or(wanted.mac)) {
            (Some(network), _) => self.add_endpoint(model, name, network, wanted),
            (None, None) => Ok(()),
            (None, Some(given)) => Err(Error::Invalid(format!(
                "namespace {name:?}: address {given} is of no use without a network; give one by --network"
            ))),
        }
    }

    /// Checks a network namespace that somebody else made.
    fn given_netns(&self, model: &Model, path: &Path, pid: Option<u32>) -> Result<Netns> {
        let what = match pid {
            Some(pid) => format!("process {pid}"),
            None => format!("network namespace {path:?}"),
        };
        if !path.is_absolute() {
            return Err(Error::Invalid(format!(
                "{what}: the path is not absolute; begin it with /"
            )));
        }
        let remedy = match pid {
            Some(_) => "give the id of a process that runs",
            None => "give a file such as /run/netns/NAME or /proc/PID/ns/net",
        };
        let inode = self
            .engine
            .netns(path)
            .map_err(|e| Error::Invalid(format!("{what}: {e}; {remedy}")))?;
        if self.engine.host_netns().is_ok_and(|host| host == inode) {
            return Err(Error::Invalid(format!(
                "{what} is in the host's own network namespace, which cannot be connected; {remedy} in another one"
            )));
        }
        let named = |s: &&Arc<Sandbox>| match &s.netns {
            Netns::Path { inode: other, .. } => *other == inode,
            Netns::Named => {
                let path = Path::new("/run/netns").join(&s.name);
                self.engine.netns(&path).is_ok_and(|other| other == inode)
            }
        };
        match model.sandboxes.values().find(named) {
            None => Ok(Netns::Path {
                path: path.to_owned(),
                inode,
            }),
            Some(other) => Err(Error::Conflict(format!(
                "{what} is the one of namespace {:?} already; use that, or `netctl ns rm {}` first",
                other.name, other.name
            ))),
        }
    }
}
