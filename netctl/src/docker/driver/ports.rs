//! A port map as specs: rows of ports joined, what is open left open.

use std::net::IpAddr;

use super::wire::{Options, PortBinding};
use crate::{
    docker::ports::joined,
    model::{
        PortRow, Proto,
        spec::{HostPorts, Spec},
    },
    service::{Error, Result},
};

const MAP: &str = "com.docker.network.portmap";

/// What is to be published. `host_ip`: of those that name no host address.
pub(super) fn read(options: &Options, host_ip: Option<IpAddr>) -> Result<Vec<Spec>> {
    let Some(map) = options.get(MAP).filter(|map| !map.is_null()) else {
        return Ok(Vec::new());
    };
    let map: Vec<PortBinding> = serde_json::from_value(map.clone())
        .map_err(|e| Error::Invalid(format!("netctl does not understand the port map: {e}")))?;
    let mut singles = Vec::new();
    let mut specs = Vec::new();
    for binding in &map {
        let Some(proto) = proto(binding.proto) else {
            return Err(Error::Invalid(format!(
                "port {} of protocol {} cannot be published; use tcp, udp or sctp",
                binding.port, binding.proto
            )));
        };
        let host_ip = match binding.host_ip.as_str() {
            "" => host_ip,
            text => Some(text.parse().map_err(|_not_an_ip| {
                Error::Invalid(format!(
                    "host address {text:?} of port {} is not an IP address",
                    binding.port
                ))
            })?),
        };
        let (first, last) = (binding.host_port, binding.host_port_end);
        let host = match first {
            0 => HostPorts::Any,
            _ if last > first => HostPorts::OneOf { first, last },
            _ => {
                singles.push(PortRow {
                    proto,
                    host_ip,
                    host_port: first,
                    container_port: binding.port,
                    count: 1,
                });
                continue;
            }
        };
        specs.push(Spec {
            host_ip,
            host,
            container_port: binding.port,
            count: 1,
            proto,
        });
    }
    // Those whose host port is said come first: what is chosen must not take one of them.
    let rows = joined(singles).into_iter().map(|row| Spec {
        host_ip: row.host_ip,
        host: HostPorts::From(row.host_port),
        container_port: row.container_port,
        count: row.count,
        proto: row.proto,
    });
    Ok(rows.chain(specs).collect())
}

fn proto(number: u8) -> Option<Proto> {
    let all = [Proto::Tcp, Proto::Udp, Proto::Sctp];
    all.into_iter().find(|proto| proto.number() == number)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(map: Value, host_ip: Option<&str>) -> Vec<String> {
        let options = [(MAP.to_owned(), map)].into();
        let host_ip = host_ip.map(|ip| ip.parse().unwrap());
        let specs = read(&options, host_ip).unwrap();
        specs.iter().map(ToString::to_string).collect()
    }

    fn binding(proto: u8, ip: &str, host: (u16, u16), port: u16) -> Value {
        json!({ "Proto": proto, "IP": "", "Port": port, "HostIP": ip, "HostPort": host.0, "HostPortEnd": host.1 })
    }

    #[test]
    fn every_form_of_a_binding() {
        let map = json!([
            binding(6, "", (0, 0), 80),
            binding(6, "", (8000, 8100), 81),
            binding(17, "127.0.0.1", (53, 53), 53),
            binding(6, "::1", (8080, 8080), 80),
            binding(6, "", (8080, 8080), 80),
        ]);
        let expected = [
            "8080:80/tcp",
            "[::1]:8080:80/tcp",
            "127.0.0.1:53:53/udp",
            "80/tcp",
            "8000-8100:81/tcp",
        ];
        assert_eq!(shown(map, None), expected);
        assert!(shown(Value::Null, None).is_empty());
        assert_eq!(read(&Options::new(), None).unwrap(), Vec::new());
    }

    #[test]
    fn a_thousand_single_ports_are_one_range() {
        let map = (1000..2000).map(|port| binding(6, "", (port, port), port));
        let map = Value::Array(map.collect());
        assert_eq!(shown(map, None), ["1000-1999:1000-1999/tcp"]);
    }

    #[test]
    fn a_networks_default_host_address() {
        let map = json!([
            binding(6, "", (80, 80), 80),
            binding(6, "10.0.0.1", (81, 81), 80)
        ]);
        let found = shown(map, Some("127.0.0.1"));
        assert_eq!(found, ["10.0.0.1:81:80/tcp", "127.0.0.1:80:80/tcp"]);
    }

    #[test]
    fn what_cannot_be_published_is_named() {
        for (map, parts) in [
            (
                json!([binding(1, "", (80, 80), 80)]),
                ["protocol 1", "use tcp"],
            ),
            (
                json!([binding(6, "here", (80, 80), 80)]),
                ["here", "IP address"],
            ),
            (json!({ "Port": 80 }), ["port map", "sequence"]),
        ] {
            let options = [(MAP.to_owned(), map)].into();
            let error = read(&options, None).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
