//! Who called a published port before it was served.
//!
//! Without docker-proxy the Engine keeps a port by a socket that listens and is never read: who
//! calls before the datapath has the port is connected to it, and would wait for ever.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use super::facts::Facts;
use crate::{
    kernel::netlink::queued,
    model::{PortRow, Proto},
};

/// Ports of running containers whose early callers were told, by the container's sandbox: another
/// one at each start.
#[derive(Default)]
pub(super) struct Early(BTreeSet<(PathBuf, PortRow)>);

impl Early {
    /// Resets the connections to ports that are served since the last time. Those that come from
    /// now on reach the datapath.
    pub(super) async fn reset(&mut self, facts: &Facts) {
        let running = facts.containers.values().filter_map(|container| {
            let sandbox = container.sandbox.as_ref()?;
            Some((
                sandbox,
                container.ports.iter().filter(|p| p.proto == Proto::Tcp),
            ))
        });
        let served =
            running.flat_map(|(sandbox, ports)| ports.map(|port| (sandbox.clone(), *port)));
        let served: BTreeSet<_> = served.collect();
        let fresh: Vec<PortRow> = served.difference(&self.0).map(|(_, port)| *port).collect();
        self.0 = served;
        if fresh.is_empty() {
            return;
        }
        let ends = move |end| fresh.iter().any(|port| has(port, end));
        let done = tokio::task::spawn_blocking(move || queued::reset(ends)).await;
        match done {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(
                count,
                "connections reset that came before their port was served"
            ),
            Ok(Err(error)) => {
                tracing::warn!(%error, "connections that came before their port was served may wait in vain")
            }
            Err(error) => tracing::error!(%error, "internal error"),
        }
    }
}

/// Whether that end of a connection is the port's.
fn has(port: &PortRow, end: SocketAddr) -> bool {
    let ip = end.ip().to_canonical();
    let is_on = |host_ip: IpAddr| {
        host_ip == ip || (host_ip.is_unspecified() && host_ip.is_ipv4() == ip.is_ipv4())
    };
    let offset = end.port().checked_sub(port.host_port);
    offset.is_some_and(|offset| offset < port.count) && port.host_ip.is_none_or(is_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_ports_by_address_and_number() {
        let port = |host_ip: Option<&str>| PortRow {
            proto: Proto::Tcp,
            host_ip: host_ip.map(|ip| ip.parse().unwrap()),
            host_port: 8080,
            container_port: 80,
            count: 2,
        };
        for (host_ip, end, expected) in [
            (None, "192.0.2.1:8080", true),
            (None, "[2001:db8::1]:8081", true),
            (None, "192.0.2.1:8082", false),
            (None, "192.0.2.1:8079", false),
            (Some("127.0.0.1"), "127.0.0.1:8080", true),
            (Some("127.0.0.1"), "192.0.2.1:8080", false),
            (Some("0.0.0.0"), "[::ffff:192.0.2.1]:8080", true),
            (Some("0.0.0.0"), "[2001:db8::1]:8080", false),
            (Some("::"), "[2001:db8::1]:8080", true),
        ] {
            assert_eq!(
                has(&port(host_ip), end.parse().unwrap()),
                expected,
                "{host_ip:?} {end}"
            );
        }
    }
}
