//! Published ports, and the endpoints that they lead to.

use std::{
    fmt::{self, Display},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Endpoint, EndpointId, Network, PortId, PortRow, shield::Rules};

/// Transport protocol of a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    Tcp,
    Udp,
    Sctp,
}

impl Proto {
    /// IP protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => netctl_common::packet::proto::TCP,
            Self::Udp => netctl_common::packet::proto::UDP,
            Self::Sctp => netctl_common::packet::proto::SCTP,
        }
    }

    /// As in a SPEC.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// One published SPEC: `count` ports from `host_port`, each leading to the container port in
/// step with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedPort {
    pub id: PortId,
    pub sandbox: String,
    /// None: every address of the host, of both families as far as the namespace has them.
    /// 0.0.0.0 and [::]: every one of that family.
    pub host_ip: Option<IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
    pub count: u16,
    pub proto: Proto,
    /// Published by the engine of the container, which holds the host port by a socket of its
    /// own: the kernel keeps others off it, and the engine must get it again when it is started
    /// anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Published by Docker through the network driver: the interface that it was told of, and goes
    /// with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<EndpointId>,
    /// Who may use it from outside, and how fast.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

impl PublishedPort {
    /// Which ports it is.
    pub const fn row(&self) -> PortRow {
        PortRow {
            proto: self.proto,
            host_ip: self.host_ip,
            host_port: self.host_port,
            container_port: self.container_port,
            count: self.count,
        }
    }

    /// Whether it is the engine's of the container, with whose starts it comes and goes.
    pub const fn is_engines(&self) -> bool {
        self.adopted || self.joined.is_some()
    }

    /// Last host port.
    pub const fn host_last(&self) -> u16 {
        self.row().host_last()
    }

    /// See [`PortRow::conflicts_with`].
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.row().conflicts_with(other.row())
    }

    /// What it leads to by a sandbox's way in: the host's address, which may be that of all of a
    /// family, the container's address, and whose it is.
    pub fn targets<'m>(
        &self,
        way: Way<'m>,
    ) -> impl Iterator<Item = (IpAddr, IpAddr, &'m Endpoint)> + use<'m> {
        let host4: Option<IpAddr> = match self.host_ip {
            None => Some(Ipv4Addr::UNSPECIFIED.into()),
            given => given.filter(IpAddr::is_ipv4),
        };
        let host6: Option<IpAddr> = match self.host_ip {
            None => Some(Ipv6Addr::UNSPECIFIED.into()),
            given => given.filter(IpAddr::is_ipv6),
        };
        let v4 = way.v4.and_then(|e| Some((host4?, e.addr?.into(), e)));
        let v6 = way.v6.and_then(|e| Some((host6?, e.addr6?.into(), e)));
        v4.into_iter().chain(v6)
    }
}

/// As a SPEC that leaves nothing out.
impl Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row().fmt(f)
    }
}

/// A sandbox's ways in and out, which its default routes and its published ports share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way<'m> {
    pub v4: Option<&'m Endpoint>,
    pub v6: Option<&'m Endpoint>,
}

impl<'m> Way<'m> {
    /// Takes an endpoint where there is none yet and its network leads outside.
    pub fn offer(&mut self, endpoint: &'m Endpoint, network: Option<&Arc<Network>>) {
        // Of a container the engine chose.
        let (may4, may6) = match (&endpoint.adopted, &endpoint.driver) {
            (Some(veth), _) => (veth.default4, veth.default6),
            (None, Some(joined)) => (joined.gateway, joined.gateway),
            (None, None) => (true, true),
        };
        if network.is_some_and(|network| !network.internal) {
            let has = |may: bool, has: bool| (may && has).then_some(endpoint);
            self.v4 = self.v4.or(has(may4, endpoint.addr.is_some()));
            self.v6 = self.v6.or(has(may6, endpoint.addr6.is_some()));
        }
    }

    /// The one of each family, without repetition.
    pub fn endpoints(self) -> impl Iterator<Item = &'m Endpoint> {
        let second = self.v6.filter(|v6| self.v4.is_none_or(|v4| v4.id != v6.id));
        self.v4.into_iter().chain(second)
    }
}
