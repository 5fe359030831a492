//! Endpoints of the network driver: created, joined by a container, left, deleted.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use netctl_common::wire::Mac;

use super::{no_endpoint, no_network, short};
use crate::{
    kernel::names,
    model::{
        Endpoint, EndpointId, Model, Netns, Network, NetworkId, Sandbox, adopted,
        driver::{Joined, Member},
    },
    service::{
        Error, Result, Service,
        endpoints::{Held, Wanted, choose, next_number},
    },
};

/// What Docker has chosen for an endpoint; the rest is chosen here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub addr: Option<String>,
    pub addr6: Option<String>,
    pub mac: Option<String>,
}

/// What an endpoint has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub mac: Mac,
    pub addr: Option<String>,
    pub addr6: Option<String>,
}

/// The interface that a container is given, and what it finds behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Of the end that waits in the host's network namespace.
    pub name: String,
    /// Of what it is to be called inside, without the number.
    pub prefix: String,
    /// Of both families; none of a network that leads nowhere.
    pub gateways: Vec<IpAddr>,
}

impl Service {
    pub async fn driver_create_endpoint(
        self: &Arc<Self>,
        network: &str,
        id: &str,
        interface: Interface,
    ) -> Result<Created> {
        let _open = self.open().await?;
        let _network = self.locks.networks([network.to_owned()]).await;
        let (network, id) = (network.to_owned(), id.to_owned());
        let add = move |_: &Self, model: &mut Model| add_member(model, &network, id, &interface);
        // Nothing of it is on the machine before it is joined.
        let (created, _change) = self.change(add).await?;
        Ok(created)
    }

    /// `sandbox`: file of the container's network namespace, which is one for all its endpoints
    /// and need not be there yet.
    pub async fn driver_join(
        self: &Arc<Self>,
        network: &str,
        id: &str,
        sandbox: &Path,
    ) -> Result<Join> {
        let _open = self.open().await?;
        let _network = self.locks.networks([network.to_owned()]).await;
        let _endpoint = self.locks.ns(id).await;
        let (id, sandbox) = (id.to_owned(), sandbox.to_owned());
        let join = move |service: &Self, model: &mut Model| service.join(model, &id, sandbox);
        let (join, change) = self.change(join).await?;
        self.carry_out(change).await?;
        Ok(join)
    }

    /// Takes the interface away, and the ports with it.
    pub async fn driver_leave(self: &Arc<Self>, id: &str) -> Result<()> {
        let _endpoint = self.locks.ns(id).await;
        let id = id.to_owned();
        self.fact(move |_, model| leave(model, &id)).await
    }

    pub async fn driver_delete_endpoint(self: &Arc<Self>, id: &str) -> Result<()> {
        let _endpoint = self.locks.ns(id).await;
        let id = id.to_owned();
        self.fact(move |_, model| delete(model, &id)).await
    }

    /// The endpoint's MAC.
    pub fn driver_endpoint_mac(&self, id: &str) -> Option<Mac> {
        self.model().members.get(id).map(|member| member.mac)
    }

    fn join(&self, model: &mut Model, id: &str, sandbox: PathBuf) -> Result<Join> {
        let member = model.members.get(id).ok_or_else(|| no_endpoint(id))?;
        let member = Member::clone(member);
        let network = model.networks.get(&member.network);
        let network = network.ok_or_else(|| no_endpoint(id))?;
        let (prefix, gateways) = inside(network);
        if let Some(known) = model.joined(id) {
            return Ok(answer(known.id, prefix, gateways));
        }
        self.check_room(model, short(id))?;
        let number = next_number(model);
        let endpoint = Endpoint {
            id: number,
            network: member.network,
            sandbox: put_sandbox(model, id, sandbox),
            // Docker numbers the interfaces of a container.
            ifname: String::new(),
            mac: member.mac,
            addr: member.addr,
            addr6: member.addr6,
            adopted: None,
            driver: Some(Joined {
                id: id.to_owned(),
                gateway: false,
            }),
        };
        model.endpoints.insert(number, endpoint.into());
        Ok(answer(number, prefix, gateways))
    }
}

fn answer(number: EndpointId, prefix: String, gateways: Vec<IpAddr>) -> Join {
    Join {
        name: names::waiting_name(number),
        prefix,
        gateways,
    }
}

/// Prefix of the interface's name, and gateways.
fn inside(network: &Network) -> (String, Vec<IpAddr>) {
    let prefix = network.driver.as_ref().map(|driver| driver.prefix.clone());
    let gateways = match network.internal {
        true => Vec::new(),
        false => network.gateways().collect(),
    };
    (prefix.unwrap_or_default(), gateways)
}

fn add_member(
    model: &mut Model,
    network: &str,
    id: String,
    interface: &Interface,
) -> Result<Created> {
    let net = model
        .driver_network(network)
        .ok_or_else(|| no_network(network))?;
    let network = net.id;
    evict(model, network, &id, interface);
    let net = &model.networks[&network];
    let members = model.members.iter().filter(|(_, m)| m.network == net.id);
    let held: Vec<Held<'_>> = members
        .filter(|(other, _)| **other != id)
        .map(|(other, member)| Held {
            owner: short(other),
            mac: member.mac,
            addr: member.addr,
            addr6: member.addr6,
        })
        .collect();
    let wanted = Wanted {
        ip: interface.addr.as_deref(),
        ip6: interface.addr6.as_deref(),
        mac: interface.mac.as_deref(),
    };
    let (mac, addr, addr6) = choose(net, &held, wanted)?;
    let member = Member {
        network: net.id,
        mac,
        addr,
        addr6,
    };
    let known = model.members.get(&id);
    if known.is_some_and(|known| **known != member) {
        return Err(Error::Conflict(format!(
            "endpoint {:?} exists already, with other addresses; `docker network disconnect --force NETWORK CONTAINER` removes it",
            short(&id)
        )));
    }
    let net = |addr: IpAddr| {
        let mut subnets = net.subnets();
        let subnet = subnets.find(|subnet| subnet.contains(&addr));
        subnet.map(|subnet| format!("{addr}/{}", subnet.prefix_len()))
    };
    let created = Created {
        mac,
        addr: addr.and_then(|addr| net(addr.into())),
        addr6: addr6.and_then(|addr| net(addr.into())),
    };
    model.members.insert(id, member.into());
    Ok(created)
}

/// Who gives out the addresses gives none twice: a Docker that was killed has forgotten who had it
/// before, and says nothing.
fn evict(model: &mut Model, network: NetworkId, id: &str, interface: &Interface) {
    let given = [&interface.addr, &interface.addr6];
    let given: Vec<IpAddr> = given
        .into_iter()
        .filter_map(|text| text.as_ref()?.parse().ok())
        .collect();
    let is_former = |other: &str, member: &Member| {
        let mut addresses = member.addresses();
        other != id && member.network == network && addresses.any(|addr| given.contains(&addr))
    };
    let members = model.members.iter();
    let former = members.filter(|(other, member)| is_former(other, member));
    let former: Vec<String> = former.map(|(other, _)| other.clone()).collect();
    for other in former {
        tracing::info!(
            endpoint = short(&other),
            "gone: Docker has given its address to another"
        );
        delete(model, &other);
    }
}

fn leave(model: &mut Model, id: &str) {
    if let Some(number) = model.joined(id).map(|endpoint| endpoint.id) {
        model.part(number);
    }
}

pub(super) fn delete(model: &mut Model, id: &str) {
    leave(model, id);
    model.members.remove(id);
}

/// Name of the sandbox behind that file, made if there is none.
fn put_sandbox(model: &mut Model, endpoint: &str, path: PathBuf) -> String {
    let is_at = |sandbox: &Sandbox| match &sandbox.netns {
        Netns::Path { path: at, .. } => sandbox.adopted.is_some() && *at == path,
        Netns::Named => false,
    };
    if let Some(known) = model.sandboxes.values().find(|sandbox| is_at(sandbox)) {
        return known.name.clone();
    }
    let name = match model.sandboxes.contains_key(short(endpoint)) {
        false => short(endpoint).to_owned(),
        true => endpoint.to_owned(),
    };
    let sandbox = Sandbox {
        name: name.clone(),
        netns: Netns::Path { path, inode: 0 },
        adopted: Some(adopted::Container {
            id: None,
            name: name.clone(),
            compose: None,
            rules: Vec::new(),
        }),
    };
    model.sandboxes.insert(name.clone(), sandbox.into());
    name
}
