//! The Engine's answers as facts: pure.

use std::{collections::BTreeMap, net::Ipv4Addr};

use bollard::models::{
    ContainerInspectResponse, EndpointSettings, Network as Answer, NetworkInspect,
};
use ipnet::IpNet;

use super::{
    driver,
    facts::{Container, Endpoint, Idle, Network},
    ports,
};
use crate::model::{GatewayMode, Modes, adopted::Compose, mac};

/// Options of the bridge driver (libnetwork, drivers/bridge/labels.go and netlabel/labels.go).
pub(super) mod option {
    /// What all of them begin with.
    pub(in crate::docker) const DOCKERS: &str = "com.docker.network.";
    pub(in crate::docker) const BRIDGE: &str = "com.docker.network.bridge.name";
    pub(in crate::docker) const ICC: &str = "com.docker.network.bridge.enable_icc";
    pub(in crate::docker) const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
    pub(in crate::docker) const MTU: &str = "com.docker.network.driver.mtu";
    pub(in crate::docker) const DEFAULT: &str = "com.docker.network.bridge.default_bridge";
    pub(in crate::docker) const HOST_IP: &str = "com.docker.network.bridge.host_binding_ipv4";
    pub(in crate::docker) const PREFIX: &str = "com.docker.network.container_iface_prefix";
    /// Served, whoever makes the network.
    pub(in crate::docker) const SERVED: [&str; 3] = [ICC, MASQUERADE, MTU];
    /// What the Engine deals with itself, before it tells of a port or an address.
    pub(in crate::docker) const ENGINES: [&str; 4] = [
        DEFAULT,
        HOST_IP,
        PREFIX,
        "com.docker.network.bridge.inhibit_ipv4",
    ];
    /// Gateway modes, of IPv4 and of IPv6.
    pub(in crate::docker) const MODES: [&str; 2] = [
        "com.docker.network.bridge.gateway_mode_ipv4",
        "com.docker.network.bridge.gateway_mode_ipv6",
    ];
    pub(in crate::docker) const NAT: &str = "nat";
    /// Of bridges to which the Engine (27.1 and newer) gives no address.
    pub(in crate::docker) const ISOLATED: &str = "isolated";
}

/// The network that Swarm keeps for itself.
const SWARM: &str = "docker_gwbridge";

/// Beginnings of the labels that are read: ours, and Compose's (docker/compose, pkg/api/labels.go).
const LABELS: [&str; 2] = ["netctl.", "com.docker.compose."];

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
/// Longest part of a label's value that is kept as a name. Compose's own names are shorter; a
/// label written by hand is whatever its author likes, and goes into every series of a port.
const LONGEST_NAME: usize = 128;

/// What the Engine does not tell of the network `bridge` when it makes no rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct DefaultBridge {
    pub(super) masquerade: bool,
    pub(super) icc: bool,
}

/// Id and network, if it is one that is adopted.
pub(super) fn network(answer: &Answer, default: DefaultBridge) -> Option<(String, Network)> {
    let (id, name) = (answer.id.clone()?, answer.name.clone()?);
    let (bridge, _) = bridge(answer).filter(|_| name != SWARM)?;
    let options = answer.options.clone().unwrap_or_default();
    let is_default = options
        .get(option::DEFAULT)
        .is_some_and(|text| is_true(text));
    let is_on = |key: &str| !options.get(key).is_some_and(|text| is_false(text));
    let mode = |key: &str| {
        let mode = options.get(key).and_then(|text| gateway_mode(text));
        mode.unwrap_or_default()
    };
    let is_served = |(key, value): &(&String, &String)| {
        let key = key.as_str();
        key == option::BRIDGE
            || option::SERVED.contains(&key)
            || option::ENGINES.contains(&key)
            || (option::MODES.contains(&key) && gateway_mode(value).is_some())
            || !key.starts_with(option::DOCKERS)
    };
    let mut unserved: Vec<String> = options
        .iter()
        .filter(|option| !is_served(option))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    unserved.sort_unstable();
    let network = Network {
        bridge,
        name,
        subnets: subnets(answer).collect(),
        internal: answer.internal.unwrap_or_default(),
        icc: if is_default {
            default.icc
        } else {
            is_on(option::ICC)
        },
        masquerade: if is_default {
            default.masquerade
        } else {
            is_on(option::MASQUERADE)
        },
        host_ip: options
            .get(option::HOST_IP)
            .and_then(|ip| ip.parse().ok())
            .unwrap_or(Ipv4Addr::UNSPECIFIED),
        modes: Modes {
            v4: mode(option::MODES[0]),
            v6: mode(option::MODES[1]),
        },
        mtu: options.get(option::MTU).and_then(|mtu| mtu.parse().ok()),
        isolated: option::MODES.iter().any(|key| {
            options
                .get(*key)
                .is_some_and(|mode| mode == option::ISOLATED)
        }),
        unserved,
    };
    Some((id, network))
}

/// Names of the bridge and of the network, if Docker's own bridge driver made it.
pub(super) fn bridge(answer: &Answer) -> Option<(String, String)> {
    let (id, name) = (answer.id.as_ref()?, answer.name.clone()?);
    if answer.driver.as_deref() != Some("bridge") {
        return None;
    }
    let chosen = answer
        .options
        .as_ref()
        .and_then(|all| all.get(option::BRIDGE));
    // The driver's own rule where nobody chose (libnetwork, drivers/bridge/bridge.go).
    let made = || format!("br-{}", id.get(..12).unwrap_or(id));
    Some((chosen.cloned().unwrap_or_else(made), name))
}

/// Id and name, if it is one that netctl's driver was asked for.
pub(super) fn driven(answer: &Answer) -> Option<(String, String)> {
    let is_ours = answer.driver.as_deref() == Some(driver::NAME);
    is_ours.then(|| answer.id.clone().zip(answer.name.clone()))?
}

fn subnets(answer: &Answer) -> impl Iterator<Item = IpNet> {
    let configs = answer.ipam.iter().flat_map(|ipam| &ipam.config).flatten();
    configs.filter_map(|config| config.subnet.as_deref()?.parse().ok())
}

/// Its subnets, if netctl's IPAM driver was asked for them.
pub(super) fn pools(answer: &Answer) -> impl Iterator<Item = IpNet> {
    let driver = answer.ipam.as_ref().and_then(|ipam| ipam.driver.as_deref());
    let is_ours = driver == Some(driver::NAME);
    subnets(answer).filter(move |_| is_ours)
}

/// `None`: not served.
pub(super) fn gateway_mode(text: &str) -> Option<GatewayMode> {
    match text {
        option::NAT => Some(GatewayMode::Nat),
        "routed" => Some(GatewayMode::Routed),
        "nat-unprotected" => Some(GatewayMode::NatUnprotected),
        _ => None,
    }
}

/// As Go's strconv.ParseBool reads it.
pub(super) fn is_true(text: &str) -> bool {
    ["1", "t", "T", "true", "TRUE", "True"].contains(&text)
}

/// See [`is_true`].
pub(super) fn is_false(text: &str) -> bool {
    ["0", "f", "F", "false", "FALSE", "False"].contains(&text)
}

/// The container if it runs and has a network namespace of its own, and what of it cannot be
/// understood.
pub(super) fn container(answer: &ContainerInspectResponse) -> Option<(Container, Vec<String>)> {
    let state = answer.state.as_ref()?;
    let settings = answer.network_settings.as_ref()?;
    let sandbox = settings.sandbox_key.as_deref().unwrap_or_default();
    let runs = state.running.unwrap_or_default();
    let name = name(answer)?;
    // One that shares another's or the host's namespace has no endpoint.
    if !runs || sandbox.is_empty() {
        return None;
    }
    let empty = Default::default();
    let (ports, strange) = ports::published(settings.ports.as_ref().unwrap_or(&empty));
    let networks = settings.networks.iter().flatten();
    let mut endpoints: Vec<Endpoint> = networks
        .filter_map(|(_, endpoint)| self::endpoint(endpoint))
        .collect();
    endpoints.sort_by(|a, b| a.id.cmp(&b.id));
    let container = Container {
        name,
        sandbox: Some(sandbox.into()),
        endpoints,
        ports,
        labels: Some(labels(answer)),
    };
    Some((container, strange))
}

fn labels(answer: &ContainerInspectResponse) -> BTreeMap<String, String> {
    let all = answer.config.iter().flat_map(|config| &config.labels);
    all.flatten()
        .filter(|(key, _)| LABELS.iter().any(|prefix| key.starts_with(prefix)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The Compose project and service that labels tell of.
pub(super) fn compose(labels: &BTreeMap<String, String>) -> Option<Compose> {
    let name = |key| -> Option<String> {
        let value = labels.get(key)?;
        Some(value.chars().take(LONGEST_NAME).collect())
    };
    let (project, service) = (name(PROJECT), name(SERVICE));
    (project.is_some() || service.is_some()).then(|| Compose {
        project: project.unwrap_or_default(),
        service: service.unwrap_or_default(),
    })
}

fn name(answer: &ContainerInspectResponse) -> Option<String> {
    let name = answer.name.as_deref()?;
    Some(name.trim_start_matches('/').to_owned())
}

/// What a container that does not run will ask for.
pub(super) fn idle(answer: &ContainerInspectResponse) -> Idle {
    let networks = answer
        .network_settings
        .as_ref()
        .and_then(|settings| settings.networks.as_ref());
    let host = answer.host_config.as_ref();
    let bindings = host.and_then(|config| config.port_bindings.as_ref());
    Idle {
        networks: networks.map_or(0, |networks| networks.len()),
        ports: bindings.map(ports::asked).unwrap_or_default(),
        labels: labels(answer),
    }
}

/// Name and endpoint of a network's container. Told of one that is being started, too, about
/// which the Engine answers no other question until it has.
pub(super) fn member(answer: &NetworkInspect, container: &str) -> Option<(String, Endpoint)> {
    let member = answer.containers.as_ref()?.get(container)?;
    let addr = |net: &Option<String>| net.as_deref()?.split('/').next().map(str::to_owned);
    let endpoint = Endpoint {
        id: member.endpoint_id.clone()?,
        network: answer.id.clone()?,
        mac: mac::parse(member.mac_address.as_deref()?)?,
        addr: addr(&member.ipv4_address).and_then(|ip| ip.parse().ok()),
        addr6: addr(&member.ipv6_address).and_then(|ip| ip.parse().ok()),
    };
    Some((member.name.clone()?, endpoint))
}

/// Ids of all endpoints of a network.
pub(super) fn endpoints(answer: NetworkInspect) -> Vec<String> {
    let members = answer.containers.into_iter().flatten();
    members
        .filter_map(|(_, member)| member.endpoint_id)
        .collect()
}

/// An endpoint that is set up.
fn endpoint(answer: &EndpointSettings) -> Option<Endpoint> {
    let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    Some(Endpoint {
        id: text(&answer.endpoint_id)?,
        network: text(&answer.network_id)?,
        mac: mac::parse(&text(&answer.mac_address)?)?,
        addr: text(&answer.ip_address).and_then(|ip| ip.parse().ok()),
        addr6: text(&answer.global_ipv6_address).and_then(|ip| ip.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, ContainerState, Ipam, IpamConfig, NetworkSettings};

    use super::*;

    #[test]
    fn labels_of_ours_and_of_compose_are_read_whether_it_runs_or_not() {
        let labels = [
            ("netctl.allow", "10.0.0.0/8"),
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose", "no key of Compose's"),
            ("netctl", "none of ours"),
            ("maintainer", "somebody"),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut answer = ContainerInspectResponse {
            name: Some("/web".into()),
            state: Some(ContainerState {
                running: Some(true),
                ..Default::default()
            }),
            config: Some(ContainerConfig {
                labels: Some(labels.into()),
                ..Default::default()
            }),
            network_settings: Some(NetworkSettings {
                sandbox_key: Some("/netns/1".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let read = [
            ("com.docker.compose.project", "shop"),
            ("netctl.allow", "10.0.0.0/8"),
        ];
        let read = BTreeMap::from(read.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let (running, _) = container(&answer).unwrap();
        assert_eq!(running.labels.as_ref(), Some(&read));
        assert_eq!(idle(&answer).labels, read);
        answer.config = None;
        assert!(idle(&answer).labels.is_empty());
    }

    #[test]
    fn subnets_of_our_ipam_driver_are_told_whatever_made_the_network() {
        let subnet = |subnet: &str| IpamConfig {
            subnet: Some(subnet.into()),
            ..Default::default()
        };
        let network = |driver: &str, ipam: &str| Answer {
            driver: Some(driver.into()),
            ipam: Some(Ipam {
                driver: Some(ipam.into()),
                config: Some(vec![subnet("172.28.0.0/24"), subnet("fd00:28::/64")]),
                options: None,
            }),
            ..Default::default()
        };
        for (driver, ipam, count) in [
            ("netctl", "default", 0),
            ("netctl", "netctl", 2),
            ("bridge", "netctl", 2),
        ] {
            let found = pools(&network(driver, ipam)).count();
            assert_eq!(found, count, "{driver} {ipam}");
        }
    }

    #[test]
    fn what_compose_made_is_told_by_two_labels() {
        let labels = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            all.iter().map(owned).collect()
        };
        let both = labels(&[(PROJECT, "shop"), (SERVICE, "web"), ("netctl.allow", "x")]);
        let made = compose(&both).unwrap();
        assert_eq!((&*made.project, &*made.service), ("shop", "web"));
        assert_eq!(compose(&labels(&[("netctl.allow", "x")])), None);
        // By hand.
        let long = "é".repeat(5000);
        let made = compose(&labels(&[(PROJECT, &long)])).unwrap();
        assert_eq!(made.project, "é".repeat(LONGEST_NAME));
        assert_eq!(made.service, "");
    }
}
