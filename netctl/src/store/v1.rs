//! The intent as version 1 wrote it, before there was IPv6: read, and written anew.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use netctl_common::wire::Mac;
use serde::Deserialize;

use crate::model::{self, NetworkId, PublishedPort, Subnet, mac};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    id: NetworkId,
    name: String,
    subnet: Ipv4Net,
    gateway: Ipv4Addr,
    ip_range: Option<Ipv4Net>,
    mtu: Option<u32>,
    #[serde(with = "mac")]
    mac: Mac,
    internal: bool,
    masquerade: bool,
    icc: bool,
}

impl From<Network> for model::Network {
    fn from(old: Network) -> Self {
        Self {
            id: old.id,
            name: old.name,
            ipv4: Some(Subnet {
                subnet: old.subnet,
                gateway: old.gateway,
                ip_range: old.ip_range,
            }),
            ipv6: None,
            mtu: old.mtu,
            mac: old.mac,
            internal: old.internal,
            masquerade: old.masquerade,
            icc: old.icc,
            mapping: None,
            filtering: None,
            modes: model::Modes::default(),
            driver: None,
            adopted: None,
        }
    }
}

/// 0.0.0.0 stood for every address of the host, and there was no other family.
pub(super) fn port(mut port: PublishedPort) -> PublishedPort {
    port.host_ip = port.host_ip.filter(|ip| !ip.is_unspecified());
    port
}
