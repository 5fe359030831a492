//! What a network is asked to be, in the words of Docker's own bridge driver: whoever replaces
//! `-d bridge` by `-d netctl` keeps the options.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::wire::{CreateNetwork, IpamData, Options};
use crate::{
    docker::read::{gateway_mode, is_false, is_true, option},
    model::{GatewayMode, Modes, Subnet, driver, family::Family, ipam},
    service::{Error, Result, driver::NewNetwork},
};

/// Present, and true, of a network without a way out.
const INTERNAL: &str = "com.docker.network.internal";
/// Everything that `-o` gave.
const GENERIC: &str = "com.docker.network.generic";
/// Which families there are shows in the subnets as well.
const FAMILIES: [&str; 2] = [
    "com.docker.network.enable_ipv4",
    "com.docker.network.enable_ipv6",
];
/// Options of an endpoint that Docker deals with itself, or tells again where they are needed.
const ENDPOINT: [&str; 6] = [
    "com.docker.network.endpoint.exposedports",
    "com.docker.network.portmap",
    "com.docker.network.endpoint.dnsservers",
    "com.docker.network.endpoint.macaddress",
    "com.docker.network.endpoint.sysctls",
    "com.docker.network.endpoint.ifname",
];
const PREFIX: &str = "eth";
/// Of `--aux-address`: another router than the host.
const ROUTERS: [&str; 2] = ["DefaultGatewayIPv4", "DefaultGatewayIPv6"];

/// The network that is asked for. What is not served as asked is named in the log.
pub(super) fn network(request: CreateNetwork) -> Result<NewNetwork> {
    let CreateNetwork {
        id,
        options,
        ipv4,
        ipv6,
    } = request;
    let mut given = Options::new();
    if let Some(Value::Object(generic)) = options.get(GENERIC) {
        given.extend(generic.clone());
    }
    let given = Given {
        network: &id,
        options: &given,
    };
    given.log_unserved(&options, [&ipv4, &ipv6].into_iter().flatten());
    let internal = options
        .get(INTERNAL)
        .is_some_and(|on| *on == Value::Bool(true));
    Ok(NewNetwork {
        ipv4: subnet::<Ipv4Addr>(&ipv4)?,
        ipv6: subnet::<Ipv6Addr>(&ipv6)?,
        mtu: given.parse(option::MTU, "a number of bytes, such as 1450")?,
        internal,
        masquerade: given.is_on(option::MASQUERADE)?,
        icc: given.is_on(option::ICC)?,
        modes: Modes {
            v4: given.mode(option::MODES[0]),
            v6: given.mode(option::MODES[1]),
        },
        driver: driver::Network {
            host_ip: given.parse(option::HOST_IP, "an address of this host")?,
            prefix: given.text(option::PREFIX).unwrap_or(PREFIX).to_owned(),
            id: id.clone(),
        },
    })
}

/// Names what an endpoint is asked for by `--driver-opt` and is not served.
pub(super) fn log_endpoint(id: &str, options: &Options) {
    let unknown = options
        .keys()
        .filter(|key| !ENDPOINT.contains(&key.as_str()));
    for key in unknown {
        tracing::info!(endpoint = id, "option {key} is nothing to netctl");
    }
}

/// The options of a network.
struct Given<'r> {
    network: &'r str,
    options: &'r Options,
}

impl Given<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        let text = self.options.get(key)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    fn parse<T: std::str::FromStr>(&self, key: &str, what: &str) -> Result<Option<T>> {
        let parsed = self.text(key).map(|text| {
            let bad = |_| Error::Invalid(format!("option {key}={text:?} is not {what}"));
            text.parse().map_err(bad)
        });
        parsed.transpose()
    }

    /// A switch that is on where nobody says otherwise.
    fn is_on(&self, key: &str) -> Result<bool> {
        match self.text(key) {
            None => Ok(true),
            Some(text) if is_true(text) => Ok(true),
            Some(text) if is_false(text) => Ok(false),
            Some(text) => Err(Error::Invalid(format!(
                "option {key}={text:?} is neither true nor false"
            ))),
        }
    }

    /// One that is not served is named in the log.
    fn mode(&self, key: &str) -> GatewayMode {
        let mode = self.text(key).and_then(gateway_mode);
        mode.unwrap_or_default()
    }

    fn log_unserved<'d>(&self, labels: &Options, data: impl Iterator<Item = &'d IpamData>) {
        let network = self.network;
        let labels = labels.iter().filter(|(key, _)| {
            let known = [INTERNAL, GENERIC];
            !known.contains(&key.as_str()) && !FAMILIES.contains(&key.as_str())
        });
        for (key, value) in self.options.iter().chain(labels) {
            let key = key.as_str();
            let is_served = option::SERVED.contains(&key)
                || [option::HOST_IP, option::PREFIX].contains(&key)
                || FAMILIES.contains(&key)
                || (option::MODES.contains(&key)
                    && self.text(key).and_then(gateway_mode).is_some());
            if is_served {
                continue;
            }
            if key.starts_with(option::DOCKERS) {
                tracing::warn!(
                    network,
                    "option {key}={value} is not served; the network is as without it"
                );
            } else {
                tracing::info!(network, "option {key}={value} is nothing to netctl");
            }
        }
        for (name, address) in data.flat_map(|data| &data.aux_addresses) {
            if ROUTERS.contains(&name.as_str()) {
                tracing::warn!(
                    network,
                    "{name}={address} is not served: the containers' router is the host"
                );
            }
        }
    }
}

/// Docker gives one of a family, or none.
fn subnet<F: Family>(data: &[IpamData]) -> Result<Option<Subnet<F>>> {
    let (data, more) = match data {
        [] => return Ok(None),
        [data, more @ ..] => (data, more),
    };
    if !more.is_empty() {
        return Err(Error::Invalid(format!(
            "{} subnets of {} are given; give one",
            more.len() + 1,
            F::NAME
        )));
    }
    let subnet = ipam::parse_subnet::<F>(&data.pool)?;
    let gateway = match data.gateway.split('/').next().unwrap_or_default() {
        "" => ipam::usable::<F>(&subnet).0,
        text => ipam::parse_address::<F>(text)?,
    };
    ipam::check_address(gateway, &subnet).map_err(|e| Error::Invalid(format!("gateway: {e}")))?;
    Ok(Some(Subnet {
        subnet,
        gateway,
        ip_range: None,
    }))
}
