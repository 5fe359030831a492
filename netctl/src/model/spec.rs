//! Docker's words for a published port: `[hostIP:][hostPort[-end]:]port[-end][/tcp|udp|sctp]`.
//!
//! Only the syntax: whether a host IP is local or a port is free is for the service to find out.

use std::{
    fmt::{self, Display},
    net::IpAddr,
    str::FromStr,
};

use thiserror::Error;

use super::Proto;

/// A parsed SPEC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// None: every address of the host.
    pub host_ip: Option<IpAddr>,
    pub host: HostPorts,
    /// First container port.
    pub container_port: u16,
    /// Ports from there on.
    pub count: u16,
    pub proto: Proto,
}

/// Which host ports a SPEC asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPorts {
    /// Free ones.
    Any,
    /// As many as there are container ports, from this one on.
    From(u16),
    /// A free one of these, for a single container port.
    OneOf { first: u16, last: u16 },
}

/// A SPEC that cannot be understood, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("published port {input:?}: {reason}")]
pub struct SpecError {
    input: String,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Reason {
    #[error("the container port is missing; write [hostIP:][hostPort:]port[/protocol]")]
    NoContainerPort,
    #[error("too many parts; write [hostIP:][hostPort:]port, an IPv6 host address in [brackets]")]
    TooManyParts,
    #[error("{0:?} is not a port; a port is a number from 1 to 65535")]
    Port(String),
    #[error("the {side} range {first}-{last} runs backwards; write {last}-{first}")]
    Reversed {
        side: &'static str,
        first: u16,
        last: u16,
    },
    #[error(
        "{host} host ports cannot lead to {container} container ports; give both ranges the same length"
    )]
    Unequal { host: u32, container: u32 },
    #[error("{0:?} is not an IP address; give one of the host's, or none for all of them")]
    HostIp(String),
    #[error("the \"[\" of the host address is not closed; write [address]:hostPort:port")]
    Bracket,
    #[error("the host address is empty; leave out its colon, or give one of the host's addresses")]
    NoHostIp,
    #[error("{0:?} is not a protocol that can be published; use tcp, udp or sctp")]
    Protocol(String),
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(input: &str) -> Result<Self, SpecError> {
        parse(input).map_err(|reason| SpecError {
            input: input.chars().take(100).collect(),
            reason,
        })
    }
}

fn parse(input: &str) -> Result<Spec, Reason> {
    let (ports, proto) = match input.split_once('/') {
        None => (input, Proto::Tcp),
        Some((ports, proto)) => (ports, parse_proto(proto)?),
    };
    let (host_ip, host, container) = split(ports)?;
    let host_ip = host_ip
        .map(|ip| ip.parse().map_err(|_not_an_ip| Reason::HostIp(ip.into())))
        .transpose()?;
    if container.is_empty() {
        return Err(Reason::NoContainerPort);
    }
    let (container_port, container_last) = parse_range("container", container)?;
    let count = container_last - container_port + 1;
    let host = match host {
        None | Some("") => HostPorts::Any,
        Some(text) => host_ports(parse_range("host", text)?, count)?,
    };
    Ok(Spec {
        host_ip,
        host,
        container_port,
        count,
        proto,
    })
}

/// Host address, host ports and container ports as text.
fn split(ports: &str) -> Result<(Option<&str>, Option<&str>, &str), Reason> {
    if let Some(rest) = ports.strip_prefix('[') {
        let (ip, rest) = rest.split_once(']').ok_or(Reason::Bracket)?;
        let rest = rest.strip_prefix(':').ok_or(Reason::NoContainerPort)?;
        return match rest.split_once(':') {
            Some((_, container)) if container.contains(':') => Err(Reason::TooManyParts),
            Some((host, container)) => Ok((Some(ip), Some(host), container)),
            None => Ok((Some(ip), None, rest)),
        };
    }
    let parts: Vec<&str> = ports.split(':').collect();
    match *parts.as_slice() {
        [container] => Ok((None, None, container)),
        // Unlike Docker, which takes "1.2.3.4:80" for a bad port, say what is meant.
        [host, container] if host.contains('.') => Ok((Some(host), None, container)),
        [host, container] => Ok((None, Some(host), container)),
        ["", _, _] => Err(Reason::NoHostIp),
        [ip, host, container] => Ok((Some(ip), Some(host), container)),
        _ => Err(Reason::TooManyParts),
    }
}

fn host_ports((first, last): (u16, u16), count: u16) -> Result<HostPorts, Reason> {
    let host_count = last - first + 1;
    if host_count == count {
        Ok(HostPorts::From(first))
    } else if count == 1 {
        Ok(HostPorts::OneOf { first, last })
    } else {
        Err(Reason::Unequal {
            host: host_count.into(),
            container: count.into(),
        })
    }
}

fn parse_proto(text: &str) -> Result<Proto, Reason> {
    [Proto::Tcp, Proto::Udp, Proto::Sctp]
        .into_iter()
        .find(|p| p.name().eq_ignore_ascii_case(text))
        .ok_or_else(|| Reason::Protocol(text.into()))
}

fn parse_range(side: &'static str, text: &str) -> Result<(u16, u16), Reason> {
    let (first, last) = match text.split_once('-') {
        None => (parse_port(text)?, parse_port(text)?),
        Some((first, last)) => (parse_port(first)?, parse_port(last)?),
    };
    if first > last {
        return Err(Reason::Reversed { side, first, last });
    }
    Ok((first, last))
}

fn parse_port(text: &str) -> Result<u16, Reason> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(Reason::Port(text.into())),
    }
}

impl Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_ip {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            None => {}
        }
        match self.host {
            HostPorts::From(first) => write!(f, "{}:", range(first, self.count))?,
            HostPorts::OneOf { first, last } => write!(f, "{first}-{last}:")?,
            HostPorts::Any if self.host_ip.is_some() => f.write_str(":")?,
            HostPorts::Any => {}
        }
        let container = range(self.container_port, self.count);
        write!(f, "{container}/{}", self.proto.name())
    }
}

/// `first` or `first-last`.
pub fn range(first: u16, count: u16) -> String {
    match count {
        1 => first.to_string(),
        _ => format!("{first}-{}", first + (count - 1)),
    }
}

#[cfg(test)]
mod tests;
