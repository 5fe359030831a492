//! What one operation changes in the model: for the store to write, and to undo.
//!
//! Operations run side by side, so an undo must not bring a whole old model back: it takes back
//! what its own operation did and leaves the others' alone.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use super::{
    Endpoint, EndpointId, Model, Network, NetworkId, PortId, PublishedPort, Sandbox,
    driver::{Member, Pool},
};

/// Before and after of one object.
pub type Change<V> = (Option<Arc<V>>, Option<Arc<V>>);

/// The difference between two models. The counters are not part of it: they only ever grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub networks: BTreeMap<NetworkId, Change<Network>>,
    pub sandboxes: BTreeMap<String, Change<Sandbox>>,
    pub endpoints: BTreeMap<EndpointId, Change<Endpoint>>,
    pub ports: BTreeMap<PortId, Change<PublishedPort>>,
    pub members: BTreeMap<String, Change<Member>>,
    pub pools: BTreeMap<String, Change<Pool>>,
    pub others: BTreeMap<String, Change<String>>,
}

impl Delta {
    /// What leads from `old` to `new`.
    pub fn between(old: &Model, new: &Model) -> Self {
        let Model {
            networks,
            sandboxes,
            endpoints,
            ports,
            members,
            pools,
            others,
            last_endpoint: _,
            last_port: _,
            global_id: _,
        } = new;
        Self {
            networks: changes(&old.networks, networks),
            sandboxes: changes(&old.sandboxes, sandboxes),
            endpoints: changes(&old.endpoints, endpoints),
            ports: changes(&old.ports, ports),
            members: changes(&old.members, members),
            pools: changes(&old.pools, pools),
            others: changes(&old.others, others),
        }
    }

    /// Takes the change back in a model that may have moved on. Returns what could not be put
    /// back since somebody else has its place by now.
    pub fn undo(self, model: &mut Model) -> Vec<String> {
        let mut lost = Vec::new();
        for (id, (before, _)) in self.networks {
            model.networks.remove(&id);
            let Some(network) = before else { continue };
            let taken = |n: &Arc<Network>| n.overlaps(&network);
            if model.networks.contains_key(&id) || model.networks.values().any(taken) {
                lost.push(format!("network {:?}", network.name));
            } else {
                model.networks.insert(id, network);
            }
        }
        put_back(&mut model.sandboxes, self.sandboxes);
        // Docker asks for one at a time, and waits for the answer.
        put_back(&mut model.members, self.members);
        put_back(&mut model.pools, self.pools);
        put_back(&mut model.others, self.others);
        for (id, (before, _)) in self.endpoints {
            model.endpoints.remove(&id);
            let Some(endpoint) = before else { continue };
            let same = |e: &Arc<Endpoint>| {
                e.network == endpoint.network
                    && (e.mac == endpoint.mac
                        || e.addresses().any(|a| endpoint.addresses().any(|b| a == b)))
            };
            if model.endpoints.values().any(same) {
                let addresses: Vec<_> = endpoint.addresses().map(|a| a.to_string()).collect();
                lost.push(format!(
                    "address {} of namespace {:?}",
                    addresses.join(" and "),
                    endpoint.sandbox
                ));
            } else {
                model.endpoints.insert(id, endpoint);
            }
        }
        for (id, (before, _)) in self.ports {
            model.ports.remove(&id);
            let Some(port) = before else { continue };
            if model.ports.values().any(|p| p.conflicts_with(&port)) {
                lost.push(format!(
                    "published port {port} of namespace {:?}",
                    port.sandbox
                ));
            } else {
                model.ports.insert(id, port);
            }
        }
        lost
    }
}

/// What nobody else can have taken the place of.
fn put_back<K: Ord, V>(objects: &mut BTreeMap<K, Arc<V>>, changes: BTreeMap<K, Change<V>>) {
    for (key, (before, _)) in changes {
        objects.remove(&key);
        objects.extend(before.map(|value| (key, value)));
    }
}

/// Walks both side by side. What they share is the same without a look at it.
fn changes<K: Ord + Clone, V: PartialEq>(
    old: &BTreeMap<K, Arc<V>>,
    new: &BTreeMap<K, Arc<V>>,
) -> BTreeMap<K, Change<V>> {
    let mut changes = BTreeMap::new();
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((before, _)), Some((after, _))) => before.cmp(after),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some((_, before)), Some((_, after)))
                if Arc::ptr_eq(before, after) || before == after => {}
            (before, after) => {
                if let Some((key, _)) = after.or(before) {
                    let change = (
                        before.map(|(_, value)| Arc::clone(value)),
                        after.map(|(_, value)| Arc::clone(value)),
                    );
                    changes.insert(key.clone(), change);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::{Netns, Proto, Rules, ipam};

    fn sandbox(model: &mut Model, name: &str, id: u32) {
        let sandbox = Sandbox {
            name: name.into(),
            netns: Netns::Named,
            adopted: None,
        };
        model.sandboxes.insert(name.into(), sandbox.into());
        let addr = Ipv4Addr::new(10, 0, 0, id as u8);
        let endpoint = Endpoint {
            id,
            network: 1,
            sandbox: name.into(),
            ifname: "eth0".into(),
            mac: ipam::mac_of(addr),
            addr: Some(addr),
            addr6: None,
            driver: None,
            adopted: None,
        };
        model.endpoints.insert(id, endpoint.into());
        let port = PublishedPort {
            id,
            sandbox: name.into(),
            host_ip: None,
            host_port: 8000 + id as u16,
            container_port: 80,
            count: 1,
            proto: Proto::Tcp,
            joined: None,
            adopted: false,
            rules: Rules::default(),
        };
        model.ports.insert(id, port.into());
    }

    #[test]
    fn undo_takes_back_its_own_and_nothing_else() {
        let old = Model::default();
        let mut mine = old.clone();
        sandbox(&mut mine, "mine", 1);
        let delta = Delta::between(&old, &mine);
        let mut now = mine.clone();
        sandbox(&mut now, "other", 2);
        assert!(delta.undo(&mut now).is_empty());
        let mut expected = Model::default();
        sandbox(&mut expected, "other", 2);
        assert_eq!(now, expected);
    }

    #[test]
    fn what_was_removed_comes_back_unless_its_place_is_taken() {
        let mut old = Model::default();
        sandbox(&mut old, "web", 1);
        let gone = Model::default();
        let delta = Delta::between(&old, &gone);
        let mut now = gone.clone();
        assert!(delta.clone().undo(&mut now).is_empty());
        assert_eq!(now, old);

        let mut now = gone;
        sandbox(&mut now, "thief", 2);
        if let Some(thief) = now.endpoints.get_mut(&2) {
            Arc::make_mut(thief).addr = Some(Ipv4Addr::new(10, 0, 0, 1));
        }
        if let Some(thief) = now.ports.get_mut(&2) {
            Arc::make_mut(thief).host_port = 8001;
        }
        let lost = delta.undo(&mut now);
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(
            lost[0].contains("10.0.0.1") && lost[1].contains("8001"),
            "{lost:?}"
        );
    }
}
