//! What the tests want: hosts, networks, endpoints, ports, and any model of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use netctl_common::wire::Mac;
use proptest::prelude::*;

use super::super::lower::Constants;
use crate::{
    config::Nat,
    kernel::{host::Host, probe::Facts},
    model::{
        Endpoint, Filtering, Model, Netns, Network, Proto, PublishedPort, Rules, Sandbox, Subnet,
        adopted, driver,
        shield::{Shield, parse_limit, parse_sources},
    },
    view::Uplink,
};

pub(super) fn constants() -> Constants {
    Constants {
        facts: Facts {
            kernel: "6.12.0".into(),
            tcx: true,
            redirect_peer: true,
            set_retval: true,
            netns_cookie: 1,
            local_ports: (32768, 60999),
        },
        hz: 250,
        nat_seed: 7,
        generic_seconds: 600,
        nat_ports: (61000, 65535),
        nat: Nat::default(),
    }
}

pub(super) fn host(uplinks: u32) -> Host {
    let mut host = Host::default();
    for index in 2..2 + uplinks {
        let addr = Ipv4Addr::from(0x0a00_0000 + index);
        let addr6 = Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(index));
        host.local.insert(addr.into(), index);
        host.local.insert(addr6.into(), index);
        // The last one has no Ethernet header.
        let mac = (index < 4).then_some(Mac([2, 0, 0, 0, 0, index as u8]));
        host.macs.extend(mac.map(|mac| (index, mac)));
        host.view.uplinks.insert(
            index,
            Uplink {
                name: format!("eth{index}"),
                mtu: 1500,
                mac: mac.map(|mac| mac.to_string()),
                address: Some(addr),
                address6: Some(addr6),
            },
        );
    }
    host
}

/// IPv4, IPv6 or both, by its number.
pub(super) fn network(id: u32) -> Network {
    let v4 = Subnet {
        subnet: Ipv4Net::new(Ipv4Addr::new(10, 200, id as u8, 0), 24).unwrap(),
        gateway: Ipv4Addr::new(10, 200, id as u8, 1),
        ip_range: None,
    };
    let base = Ipv6Addr::from(0xfd00 << 112 | u128::from(id) << 64);
    let v6 = Subnet {
        subnet: Ipv6Net::new(base, 64).unwrap(),
        gateway: Ipv6Addr::from(base.to_bits() + 1),
        ip_range: None,
    };
    Network {
        id,
        name: format!("net{id}"),
        ipv4: (id != 4).then_some(v4),
        ipv6: id.is_multiple_of(2).then_some(v6),
        mtu: None,
        mac: Mac([2, 1, 0, 0, 0, id as u8]),
        internal: id.is_multiple_of(3),
        masquerade: true,
        icc: true,
        modes: Default::default(),
        mapping: None,
        filtering: Some(Filtering::EndpointIndependent),
        // One that Docker asked for, and one that it made itself.
        driver: (id == 3).then(|| driver::Network {
            id: "3".into(),
            host_ip: None,
            prefix: "eth".into(),
        }),
        adopted: (id == 5).then(|| adopted::Bridge {
            id: "5".into(),
            name: "docker0".into(),
            ifindex: 50,
        }),
    }
}

pub(super) fn endpoint(id: u32, on: u32, sandbox: &str) -> Endpoint {
    let network = network(on);
    let low = 2 + id;
    let addr = |v4: Subnet<Ipv4Addr>| Ipv4Addr::from(v4.subnet.network().to_bits() + low);
    let addr6 =
        |v6: Subnet<Ipv6Addr>| Ipv6Addr::from(v6.subnet.network().to_bits() + u128::from(low));
    Endpoint {
        id,
        network: on,
        sandbox: sandbox.into(),
        ifname: format!("eth{id}"),
        mac: Mac([2, 2, 0, 0, (id >> 8) as u8, id as u8]),
        addr: network.ipv4.map(addr),
        addr6: network.ipv6.map(addr6),
        driver: network.driver.map(|_| driver::Joined {
            id: id.to_string(),
            gateway: !id.is_multiple_of(3),
        }),
        adopted: network.adopted.map(|_| adopted::Veth {
            id: id.to_string(),
            name: format!("veth{id}"),
            ifindex: 100 + id,
            default4: true,
            default6: true,
        }),
    }
}

pub(super) fn port(id: u32, sandbox: &str, host_port: u16, count: u16) -> PublishedPort {
    PublishedPort {
        id,
        sandbox: sandbox.into(),
        host_ip: match id % 4 {
            0 => None,
            1 => Some(Ipv6Addr::from(0x2001_0db8 << 96 | 2).into()),
            low => Some(Ipv4Addr::new(10, 0, 0, low as u8).into()),
        },
        host_port,
        container_port: 80,
        count,
        proto: if id.is_multiple_of(2) {
            Proto::Tcp
        } else {
            Proto::Udp
        },
        joined: None,
        adopted: id.is_multiple_of(5),
        rules: Rules {
            operator: None,
            labels: id.is_multiple_of(3).then(|| Shield {
                allow: parse_sources("10.0.0.0/8,2001:db8::/32,up1").unwrap(),
                limit: parse_limit("20conn/s").unwrap(),
            }),
        },
    }
}

pub(super) fn add_sandbox(model: &mut Model, name: &str) {
    let sandbox = Sandbox {
        name: name.into(),
        netns: Netns::Named,
        adopted: None,
    };
    model.sandboxes.insert(name.into(), sandbox.into());
}

/// Networks 1 to 5, sandboxes s0 to s3, each endpoint and port by its number: two models of this
/// kind share objects, as the steps of a life do.
pub(super) fn model() -> impl Strategy<Value = Model> {
    let networks = proptest::collection::btree_set(1_u32..6, 1..5);
    let endpoints = proptest::collection::btree_set(1_u32..40, 0..24);
    let ports = proptest::collection::btree_set(1_u32..20, 0..10);
    (networks, endpoints, ports).prop_map(|(networks, endpoints, ports)| {
        let mut model = Model::default();
        let sandbox = |id: u32| format!("s{}", id % 4);
        for id in &networks {
            model.networks.insert(*id, network(*id).into());
        }
        for id in endpoints {
            // A function of the number, as an endpoint never changes its network.
            let on = 1 + id % 5;
            if networks.contains(&on) {
                let name = sandbox(id);
                model.endpoints.insert(id, endpoint(id, on, &name).into());
                add_sandbox(&mut model, &name);
            }
        }
        for id in ports {
            let name = sandbox(id);
            if model.sandboxes.contains_key(&name) {
                let host_port = 8000 + (id as u16 % 5) * 10;
                let count = if id % 4 == 0 { 25 } else { 1 };
                model
                    .ports
                    .insert(id, port(id, &name, host_port, count).into());
            }
        }
        model
    })
}
