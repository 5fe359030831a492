//! What the tests want: hosts, networks, endpoints, ports, and any model of them.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use netctl_common::wire::Mac;
use proptest::prelude::*;

use super::super::lower::Constants;
use crate::{
    kernel::{host::Host, probe::Facts},
    model::{Endpoint, Model, Netns, Network, Proto, PublishedPort, Sandbox},
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
        nat_ports: (61000, 65535),
    }
}

pub(super) fn host(uplinks: u32) -> Host {
    let mut host = Host::default();
    for index in 2..2 + uplinks {
        let addr = Ipv4Addr::from(0x0a00_0000 + index);
        host.local.insert(addr, index);
        host.macs.insert(index, Mac([2, 0, 0, 0, 0, index as u8]));
        host.view.uplinks.insert(
            index,
            Uplink {
                name: format!("eth{index}"),
                mtu: 1500,
                mac: String::new(),
                address: Some(addr),
            },
        );
    }
    host
}

pub(super) fn network(id: u32) -> Network {
    let base = Ipv4Addr::new(10, 200, id as u8, 0);
    Network {
        id,
        name: format!("net{id}"),
        subnet: Ipv4Net::new(base, 24).unwrap(),
        gateway: Ipv4Addr::new(10, 200, id as u8, 1),
        ip_range: None,
        mtu: None,
        mac: Mac([2, 1, 0, 0, 0, id as u8]),
        internal: id.is_multiple_of(3),
        masquerade: true,
        icc: true,
    }
}

pub(super) fn endpoint(id: u32, network: u32, sandbox: &str) -> Endpoint {
    Endpoint {
        id,
        network,
        sandbox: sandbox.into(),
        ifname: format!("eth{id}"),
        mac: Mac([2, 2, 0, 0, (id >> 8) as u8, id as u8]),
        addr: Ipv4Addr::from(0x0ac8_0000 + (network << 8) + 2 + id),
    }
}

pub(super) fn port(id: u32, sandbox: &str, host_port: u16, count: u16) -> PublishedPort {
    PublishedPort {
        id,
        sandbox: sandbox.into(),
        host_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, (id % 3) as u8)),
        host_port,
        container_port: 80,
        count,
        proto: if id.is_multiple_of(2) {
            Proto::Tcp
        } else {
            Proto::Udp
        },
    }
}

pub(super) fn add_sandbox(model: &mut Model, name: &str) {
    let sandbox = Sandbox {
        name: name.into(),
        netns: Netns::Named,
    };
    model.sandboxes.insert(name.into(), sandbox.into());
}

/// Networks 1 to 4, sandboxes s0 to s3, each endpoint and port by its number: two models of this
/// kind share objects, as the steps of a life do.
pub(super) fn model() -> impl Strategy<Value = Model> {
    let networks = proptest::collection::btree_set(1_u32..5, 1..4);
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
            let on = 1 + id % 4;
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
