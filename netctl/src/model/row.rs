//! Ports in a row: what is published, and what rules are about.

use std::{
    fmt::{self, Display},
    net::IpAddr,
};

use super::{Proto, spec};

/// A published port, or several: `count` host ports from `host_port`, each leading to the container
/// port in step with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRow {
    pub proto: Proto,
    /// `None`: every address of the host, of both families.
    pub host_ip: Option<IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
    /// 1 or more.
    pub count: u16,
}

impl PortRow {
    /// In as many rows as there is something different to be said of: each of the longest that have
    /// the same answer.
    pub fn split<R: PartialEq>(self, of: impl Fn(Self) -> R) -> Vec<(Self, R)> {
        let mut rows: Vec<(Self, R)> = Vec::new();
        for offset in 0..self.count {
            let single = Self {
                host_port: self.host_port + offset,
                container_port: self.container_port + offset,
                count: 1,
                ..self
            };
            let answer = of(single);
            match rows.last_mut() {
                Some((row, known)) if *known == answer => row.count += 1,
                _ => rows.push((single, answer)),
            }
        }
        rows
    }

    /// Last host port.
    pub const fn host_last(self) -> u16 {
        self.host_port + (self.count - 1)
    }

    /// Last container port.
    pub const fn container_last(self) -> u16 {
        self.container_port + (self.count - 1)
    }

    /// Whether both are of one protocol and may be on one address.
    pub fn meets(self, other: Self) -> bool {
        self.proto == other.proto && addresses_meet(self.host_ip, other.host_ip)
    }

    /// Whether both want a host port that only one can have: a wildcard address covers all of its
    /// family.
    pub fn conflicts_with(self, other: Self) -> bool {
        self.meets(other)
            && self.host_port <= other.host_last()
            && other.host_port <= self.host_last()
    }

    /// Whether all of the other's ports are its own, on the same address.
    pub fn contains(self, other: Self) -> bool {
        (self.proto, self.host_ip) == (other.proto, other.host_ip)
            && self.host_port_of(other.container_port) == Some(other.host_port)
            && other.container_last() <= self.container_last()
    }

    /// The host port that leads to a container port.
    pub fn host_port_of(self, container_port: u16) -> Option<u16> {
        let step = container_port.checked_sub(self.container_port)?;
        (step < self.count).then(|| self.host_port + step)
    }
}

/// As a SPEC that leaves nothing out.
impl Display for PortRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spec::Spec {
            host_ip: self.host_ip,
            host: spec::HostPorts::From(self.host_port),
            container_port: self.container_port,
            count: self.count,
            proto: self.proto,
        }
        .fmt(f)
    }
}

/// Whether there is an address that both are or stand for: a wildcard stands for all of its family,
/// none at all for both families.
fn addresses_meet(a: Option<IpAddr>, b: Option<IpAddr>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            a == b || (a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()))
        }
        _ => true,
    }
}
