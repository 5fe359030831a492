//! NetworkSettings.Ports as published ports: families put together, rows of ports joined.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bollard::models::PortMap;

use crate::model::{PortRow, Proto};

/// Host port, container port, protocol.
type Pair = (Proto, u16, u16);

/// The ports that are published, and what cannot be understood. An exposed port that is not
/// published has no binding.
pub(super) fn published(map: &PortMap) -> (Vec<PortRow>, Vec<String>) {
    let mut pairs: BTreeMap<Pair, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut strange = Vec::new();
    for (inner, bindings) in map {
        for binding in bindings.iter().flatten() {
            let ip = binding.host_ip.as_deref().unwrap_or_default();
            let host = binding.host_port.as_deref().unwrap_or_default();
            match pair(inner, host, ip) {
                Some((pair, ips)) => pairs.entry(pair).or_default().extend(ips),
                None => strange.push(format!("published port {ip}:{host}:{inner}")),
            }
        }
    }
    let mut singles = Vec::new();
    for ((proto, host_port, container_port), mut ips) in pairs {
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let both = any.iter().all(|ip| ips.contains(ip));
        ips.retain(|ip| !(both && any.contains(ip)));
        let all = both.then_some(None);
        singles.extend(
            all.into_iter()
                .chain(ips.into_iter().map(Some))
                .map(|host_ip| PortRow {
                    proto,
                    host_ip,
                    host_port,
                    container_port,
                    count: 1,
                }),
        );
    }
    (joined(singles), strange)
}

/// What a container that is not started yet asks for by number, on one address of IPv4 each:
/// what stays open is for the Engine to choose.
pub(super) fn asked(map: &PortMap) -> Vec<PortRow> {
    let mut singles = Vec::new();
    for (inner, bindings) in map {
        for binding in bindings.iter().flatten() {
            let ip = binding.host_ip.as_deref().unwrap_or_default();
            let host = binding.host_port.as_deref().unwrap_or_default();
            let Some(((proto, host_port, container_port), _)) = pair(inner, host, ip) else {
                continue;
            };
            if host_port == 0 {
                continue;
            }
            singles.push(PortRow {
                proto,
                host_ip: ip.parse().ok(),
                host_port,
                container_port,
                count: 1,
            });
        }
    }
    joined(singles)
}

fn pair(inner: &str, host: &str, ip: &str) -> Option<(Pair, Vec<IpAddr>)> {
    let (port, proto) = inner.split_once('/')?;
    let proto = [Proto::Tcp, Proto::Udp, Proto::Sctp]
        .into_iter()
        .find(|known| known.name() == proto)?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    let ips = match ip {
        // As the Engine writes it where nobody gave an address.
        "" => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        given => vec![given.parse().ok()?],
    };
    // The Engine gives none in a network that is reached by routing (since 27).
    let host = match host {
        "" | "0" => 0,
        given => number(given)?,
    };
    Some(((proto, host, number(port)?), ips))
}

/// `-p 8000-8100:8000-8100` arrives as 101 ports and is one to the datapath.
pub(super) fn joined(mut singles: Vec<PortRow>) -> Vec<PortRow> {
    singles.sort_unstable();
    let mut rows: Vec<PortRow> = Vec::new();
    for port in singles {
        let follows = |row: &&mut PortRow| {
            (row.proto, row.host_ip) == (port.proto, port.host_ip)
                && row.host_port.checked_add(row.count) == Some(port.host_port)
                && row.container_port.checked_add(row.count) == Some(port.container_port)
        };
        match rows.last_mut().filter(follows) {
            Some(row) => row.count += 1,
            None => rows.push(port),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use bollard::models::PortBinding;

    use super::*;

    fn map(bindings: &[(&str, &[(&str, &str)])]) -> PortMap {
        let binding = |(ip, port): &(&str, &str)| PortBinding {
            host_ip: Some((*ip).into()),
            host_port: Some((*port).into()),
        };
        let entry = |(inner, hosts): &(&str, &[(&str, &str)])| {
            let hosts: Vec<_> = hosts.iter().map(binding).collect();
            ((*inner).to_owned(), (!hosts.is_empty()).then_some(hosts))
        };
        bindings.iter().map(entry).collect()
    }

    fn shown(bindings: &[(&str, &[(&str, &str)])]) -> Vec<String> {
        let (ports, strange) = published(&map(bindings));
        assert!(strange.is_empty(), "{strange:?}");
        let show = |port: PortRow| {
            let PortRow {
                proto,
                host_ip,
                host_port,
                container_port,
                count,
            } = port;
            let ip = host_ip.map_or("*".to_owned(), |ip| ip.to_string());
            format!(
                "{} {ip} {host_port}->{container_port} x{count}",
                proto.name()
            )
        };
        ports.into_iter().map(show).collect()
    }

    #[test]
    fn every_form_of_a_binding() {
        let both: &[(&str, &str)] = &[("0.0.0.0", "8080"), ("::", "8080")];
        assert_eq!(shown(&[("80/tcp", both)]), ["tcp * 8080->80 x1"]);
        assert_eq!(shown(&[("80/tcp", &[("", "8080")])]), ["tcp * 8080->80 x1"]);
        assert_eq!(
            shown(&[("53/udp", &[("127.0.0.1", "53"), ("::1", "5353")])]),
            ["udp 127.0.0.1 53->53 x1", "udp ::1 5353->53 x1"]
        );
        assert_eq!(
            shown(&[("80/tcp", &[("0.0.0.0", "80")])]),
            ["tcp 0.0.0.0 80->80 x1"],
            "one family only"
        );
        assert!(shown(&[("80/tcp", &[])]).is_empty(), "exposed only");
    }

    #[test]
    fn rows_are_joined_where_both_sides_go_in_step() {
        let found = shown(&[
            ("8000/tcp", &[("0.0.0.0", "9000")]),
            ("8001/tcp", &[("0.0.0.0", "9001")]),
            ("8002/tcp", &[("0.0.0.0", "9002")]),
            ("8004/tcp", &[("0.0.0.0", "9003")]),
            ("8003/tcp", &[("127.0.0.1", "9003")]),
            ("8003/udp", &[("0.0.0.0", "9003")]),
        ]);
        let expected = [
            "tcp 0.0.0.0 9000->8000 x3",
            "tcp 0.0.0.0 9003->8004 x1",
            "tcp 127.0.0.1 9003->8003 x1",
            "udp 0.0.0.0 9003->8003 x1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let (ports, strange) = published(&map(&[
            ("80/tcp", &[("0.0.0.0", "eighty")]),
            ("80", &[("0.0.0.0", "80")]),
            ("80/tcp6", &[("no address", "0")]),
        ]));
        assert!(ports.is_empty(), "{ports:?}");
        assert_eq!(strange.len(), 3, "{strange:?}");
        assert!(strange.iter().any(|text| text.contains("eighty")));
    }
}
