//! From a SPEC to a published port that nobody else holds.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::Ordering,
};

use super::{Error, Result, Service, taken::Taken};
use crate::model::{
    Model, PortId, Proto, PublishedPort,
    spec::{self, HostPorts, Spec},
};

impl Service {
    /// Adds the ports to the model.
    pub(super) fn publish(
        &self,
        model: &mut Model,
        ns: &str,
        specs: &[String],
    ) -> Result<Vec<PortId>> {
        let mut taken = Taken::new(self.engine(), model);
        specs
            .iter()
            .map(|text| self.publish_one(model, &mut taken, ns, text))
            .collect()
    }

    fn publish_one(
        &self,
        model: &mut Model,
        taken: &mut Taken<'_>,
        ns: &str,
        text: &str,
    ) -> Result<PortId> {
        let Spec {
            host_ip,
            host,
            container_port,
            count,
            proto,
        } = text.parse()?;
        if model.published_endpoint(ns).is_none() {
            let networks = model.endpoints.values().any(|e| e.sandbox == ns);
            let reason = match networks {
                true => "is on internal networks only, which have no way in",
                false => "is on no network",
            };
            return Err(Error::Invalid(format!(
                "published port {text:?}: namespace {ns:?} {reason}; connect it to a network that is not internal first"
            )));
        }
        let host_ip = self.host_ip(model, text, host_ip)?;
        let mut port = PublishedPort {
            id: model.last_port + 1,
            sandbox: ns.to_owned(),
            host_ip,
            host_port: container_port,
            container_port,
            count,
            proto,
        };
        match (host, proto) {
            (HostPorts::From(first), _) => {
                port.host_port = first;
                check_sctp(text, &port)?;
                taken.check(model, text, &port)?;
            }
            // SCTP has no choice (see check_sctp).
            (HostPorts::Any, Proto::Sctp) => taken.check(model, text, &port)?,
            (HostPorts::Any, _) => {
                let (first, last) = self.engine.free_ports().map_err(|e| {
                    Error::Failed(format!(
                        "published port {text:?}: no host port can be chosen: {e}"
                    ))
                })?;
                // Goes on behind the last one that was given out.
                let next = self.next_port.load(Ordering::Relaxed);
                let start = if (first..=last).contains(&next) {
                    next
                } else {
                    first
                };
                let around = (start..=last).chain(first..start);
                choose(model, taken, text, &mut port, around, (first, last))?;
                self.next_port
                    .store(port.host_last().saturating_add(1), Ordering::Relaxed);
            }
            (HostPorts::OneOf { first, last }, Proto::Sctp) => {
                if !(first..=last).contains(&container_port) {
                    port.host_port = first;
                }
                check_sctp(text, &port)?;
                taken.check(model, text, &port)?;
            }
            (HostPorts::OneOf { first, last }, _) => {
                choose(model, taken, text, &mut port, first..=last, (first, last))?;
            }
        }
        model.last_port = port.id;
        let id = port.id;
        taken.add(&port);
        model.ports.insert(id, port.into());
        Ok(id)
    }

    fn host_ip(&self, model: &Model, text: &str, ip: Option<IpAddr>) -> Result<IpAddr> {
        let ip = match ip {
            None => return Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Some(IpAddr::V6(ip)) => {
                return Err(Error::Invalid(format!(
                    "published port {text:?}: {ip} is an IPv6 address, and netctl publishes on IPv4 addresses only; use 0.0.0.0 or one of the host's"
                )));
            }
            Some(IpAddr::V4(ip)) => ip,
        };
        let local = || {
            self.engine.host().addresses.contains_key(&ip)
                || model.networks.values().any(|n| n.gateway == ip)
        };
        if ip.is_unspecified() || ip.is_loopback() || local() {
            return Ok(IpAddr::V4(ip));
        }
        Err(Error::Invalid(format!(
            "published port {text:?}: {ip} is not an address of this host; leave it out for all of them, or give one that `ip address` shows"
        )))
    }
}

/// The first of the candidates that is free.
fn choose(
    model: &Model,
    taken: &mut Taken<'_>,
    text: &str,
    port: &mut PublishedPort,
    candidates: impl Iterator<Item = u16>,
    (first, last): (u16, u16),
) -> Result<()> {
    for candidate in candidates {
        if u32::from(last) - u32::from(candidate) + 1 < u32::from(port.count) {
            continue;
        }
        port.host_port = candidate;
        if taken.check(model, text, port).is_ok() {
            return Ok(());
        }
    }
    Err(Error::Conflict(format!(
        "published port {text:?}: none of the host ports {first}-{last} is free; give another host port"
    )))
}

/// SCTP's checksum covers the ports and takes a pass over the whole packet to renew, which the
/// datapath has no means for.
fn check_sctp(text: &str, port: &PublishedPort) -> Result<()> {
    if port.proto == Proto::Sctp && port.host_port != port.container_port {
        return Err(Error::Invalid(format!(
            "published port {text:?}: an sctp port cannot be translated to another number, since its checksum covers the whole packet; use {}:{}/sctp",
            spec::range(port.container_port, port.count),
            spec::range(port.container_port, port.count)
        )));
    }
    Ok(())
}
