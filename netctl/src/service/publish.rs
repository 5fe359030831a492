//! From a SPEC to a published port that nobody else holds.

use std::{net::IpAddr, sync::atomic::Ordering};

use super::{Error, Result, Service, taken::Taken};
use crate::model::{
    Model, PortId, Proto, PublishedPort, Rules, Way,
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
        let way = model.published_endpoints(ns);
        if way.endpoints().next().is_none() {
            let networks = model.endpoints.values().any(|e| e.sandbox == ns);
            let reason = match networks {
                true => "is on internal networks only, which have no way in",
                false => "is on no network",
            };
            return Err(Error::Invalid(format!(
                "published port {text:?}: namespace {ns:?} {reason}; connect it to a network that is not internal first"
            )));
        }
        let host_ip = host_ip
            .map(|ip| self.host_ip(model, text, ip))
            .transpose()?;
        check_family(text, ns, host_ip, way)?;
        let mut port = PublishedPort {
            id: model.last_port + 1,
            sandbox: ns.to_owned(),
            host_ip,
            host_port: container_port,
            container_port,
            count,
            proto,
            joined: None,
            adopted: false,
            rules: Rules::default(),
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
                        "published port {text:?}: no host port can be chosen: {e}; name one"
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

    /// One of the host's own addresses, or all of a family.
    fn host_ip(&self, model: &Model, text: &str, ip: IpAddr) -> Result<IpAddr> {
        // [::ffff:192.0.2.1] is the IPv4 address (RFC 4291, section 2.5.5.2).
        let ip = ip.to_canonical();
        if let IpAddr::V6(v6) = ip
            && v6.is_unicast_link_local()
        {
            return Err(Error::Invalid(format!(
                "published port {text:?}: {ip} is a link-local address, which packets cannot be led on from; leave it out for all addresses, or give a global or unique local one"
            )));
        }
        let local = || {
            self.engine.host().addresses.contains_key(&ip)
                || model
                    .networks
                    .values()
                    .any(|n| n.gateways().any(|gateway| gateway == ip))
        };
        if ip.is_unspecified() || ip.is_loopback() || local() {
            return Ok(ip);
        }
        Err(Error::Invalid(format!(
            "published port {text:?}: {ip} is not an address of this host; leave it out for all of them, or give one that `ip address` shows"
        )))
    }
}

/// Packets of one family cannot become those of the other: a container that has no address of the
/// host address's family cannot be reached by it. (Without a host address, processes of this host
/// reach an IPv4 container by [::1] as well: that is done at connect(), without any packet.)
fn check_family(text: &str, ns: &str, host_ip: Option<IpAddr>, way: Way<'_>) -> Result<()> {
    let missing = match host_ip {
        Some(IpAddr::V4(_)) if way.v4.is_none() => "IPv4",
        Some(IpAddr::V6(_)) if way.v6.is_none() => "IPv6",
        _ => return Ok(()),
    };
    Err(Error::Invalid(format!(
        "published port {text:?}: the host address is an {missing} one and namespace {ns:?} has no {missing} address with a way in, to which packets could be led without a change of their IP version; leave the host address out, or connect the namespace to a network with {missing}"
    )))
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
