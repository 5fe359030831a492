//! What another engine made and netctl serves as it is: Docker's bridges and containers.
//!
//! Such objects stand in the model beside netctl's own, so that ports, addresses and numbers are
//! one set for both. Who made them removes them: netctl makes no link for them and takes none
//! away.

mod rules;

use serde::{Deserialize, Serialize};

pub use self::rules::{PortRules, Unclear};
use super::Model;

/// The bridge of an adopted network: the host's own interface in it, with the gateway addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// The engine's own name of the network (64 hex digits with Docker).
    pub id: String,
    /// The interface's name.
    pub name: String,
    /// The interface's index, chosen by the kernel.
    pub ifindex: u32,
}

/// The host side of an adopted endpoint's veth, a port of the network's [`Bridge`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Veth {
    /// The engine's own name of the endpoint.
    pub id: String,
    /// The interface's name.
    pub name: String,
    /// The interface's index, chosen by the kernel. Another interface may come to have it: flows
    /// tell the two apart by the endpoint's number, which is never used again.
    pub ifindex: u32,
    /// Whether the container's default route of IPv4 leads here, as its engine set it up:
    /// published ports lead where the answers come from.
    pub default4: bool,
    /// The same of IPv6.
    pub default6: bool,
}

/// The container that an adopted sandbox is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The engine's own name of it, which outlasts restarts and renaming. A network driver is told
    /// of endpoints only: None until the engine has said whose they are.
    pub id: Option<String>,
    /// What people call it; the sandbox's name but where something else has that. Empty until
    /// its engine is asked, if a netctl wrote it that did not keep it (store version 3).
    #[serde(default)]
    pub name: String,
    /// None: no Compose file made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<Compose>,
    /// Rules that an operator gave to ports that the engine publishes, which come and go with the
    /// container's starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PortRules>,
}

/// What a container is of in a Compose file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    pub project: String,
    pub service: String,
}

impl Model {
    /// Keeps what is adopted as far as its interface is there, by name and index, and takes the
    /// rest out. What a user said of a container stays with it, if the engine is `followed` and
    /// will tell which of them exist.
    pub fn keep_adopted(&mut self, followed: bool, is_there: impl Fn(&str, u32) -> bool) {
        self.networks.retain(|_, network| {
            let bridge = network.adopted.as_ref();
            bridge.is_none_or(|bridge| is_there(&bridge.name, bridge.ifindex))
        });
        let networks = &self.networks;
        self.endpoints.retain(|_, endpoint| {
            let veth = endpoint.adopted.as_ref();
            veth.is_none_or(|veth| {
                is_there(&veth.name, veth.ifindex) && networks.contains_key(&endpoint.network)
            })
        });
        self.drop_idle_containers(|container| followed && container.is_some());
    }

    /// Takes out containers that have no endpoint any more, with what their engine published. One
    /// that still exists keeps what a user published.
    pub(crate) fn drop_idle_containers(&mut self, exists: impl Fn(Option<&str>) -> bool) {
        let Self {
            sandboxes,
            endpoints,
            ports,
            ..
        } = self;
        let is_idle = |name: &str| endpoints.values().all(|endpoint| endpoint.sandbox != name);
        sandboxes.retain(|name, sandbox| {
            let Some(container) = &sandbox.adopted else {
                return true;
            };
            if !is_idle(name) {
                return true;
            }
            let is_kept = exists(container.id.as_deref());
            ports.retain(|_, port| port.sandbox != *name || (is_kept && !port.adopted));
            let has_ports = ports.values().any(|port| port.sandbox == *name);
            has_ports || (is_kept && !container.rules.is_empty())
        });
    }
}
