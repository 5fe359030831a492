//! Networks of IPv4, of IPv6 and of both.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    desired,
    wanted::{add_sandbox, endpoint, network, port},
};
use crate::{
    kernel::{
        netlink::link::Ipv6,
        state::{Key, Object},
    },
    model::Model,
    reconcile::touch::Touch,
};

/// An IPv4 network asks nothing of IPv6, and one of both has every object twice.
#[test]
fn each_family_has_its_own_objects() {
    let tables = |on: u32| {
        let mut model = Model::default();
        model.networks.insert(on, network(on).into());
        model.endpoints.insert(7, endpoint(7, on, "s").into());
        add_sandbox(&mut model, "s");
        // On every address.
        model.ports.insert(4, port(4, "s", 8080, 25).into());
        model.ports.insert(8, port(8, "s", 80, 1).into());
        let state = desired(&model, 0, &Touch::All);
        let mut found = BTreeSet::new();
        for key in state.0.keys() {
            match key {
                Key::Entry(table, _) => found.insert(table.name()),
                Key::Neighbour(_, addr) if addr.is_ipv4() => found.insert("neighbour4"),
                Key::Neighbour(..) => found.insert("neighbour6"),
                _ => false,
            };
        }
        (found, state)
    };
    let common = [
        "SETTINGS", "NETWORK", "ENDPOINT", "FDB", "FLOOD", "RESERVED",
    ];
    let v4 = [
        "SUBNET4",
        "LOCAL4",
        "NEIGH4",
        "PUBLISHED4",
        "PUBLISHED_RANGE4",
        "neighbour4",
    ];
    let v6 = [
        "SUBNET6",
        "LOCAL6",
        "NEIGH6",
        "PUBLISHED6",
        "PUBLISHED_RANGE6",
        "neighbour6",
    ];
    let set = |parts: &[&[&'static str]]| parts.concat().into_iter().collect::<BTreeSet<_>>();
    let (only_v4, state) = tables(1);
    assert_eq!(only_v4, set(&[&common, &v4]));
    let Some(Object::Anchor(anchor)) = state.get(&Key::Anchor(1)) else {
        panic!("no anchor");
    };
    assert_eq!((anchor.ipv6, anchor.addresses.len()), (Ipv6::Off, 1));
    assert_eq!(state.inside(7).unwrap().ipv6, Ipv6::Off);
    assert_eq!(tables(2).0, set(&[&common, &v4, &v6]));
    let (only_v6, state) = tables(4);
    assert_eq!(only_v6, set(&[&common, &v6]));
    let inside = state.inside(7).unwrap();
    assert_eq!(
        inside.gateways,
        ["fd00:0:0:4::1".parse::<IpAddr>().unwrap()]
    );
    assert_eq!(inside.addresses, ["fd00:0:0:4::9/64".parse().unwrap()]);
    assert_eq!(state.veth(7).unwrap().ipv6, Ipv6::Off, "the host's side");
    let Some(Object::Anchor(anchor)) = state.get(&Key::Anchor(4)) else {
        panic!("no anchor");
    };
    let addresses: Vec<String> = anchor.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["fd00:0:0:4::1/64", "fe80::1:ff:fe00:4/64"]);
}

/// Each family leaves by the first network that has it.
#[test]
fn ways_out_may_be_two() {
    let mut model = Model::default();
    for id in [1, 2] {
        model.networks.insert(id, network(id).into());
        model.endpoints.insert(id, endpoint(id, id, "s").into());
    }
    add_sandbox(&mut model, "s");
    model.ports.insert(4, port(4, "s", 8080, 25).into());
    let state = desired(&model, 0, &Touch::All);
    let gateways = |id| -> Vec<String> {
        let inside = state.inside(id).unwrap();
        inside.gateways.iter().map(ToString::to_string).collect()
    };
    assert_eq!(gateways(1), ["10.200.1.1"]);
    assert_eq!(gateways(2), ["fd00:0:0:2::1"]);
    let leads: BTreeSet<u32> = state
        .0
        .iter()
        .filter_map(|(key, object)| match (key, object) {
            (Key::Entry(table, _), Object::Entry(value)) => Some(table.published(value)?.1),
            _ => None,
        })
        .collect();
    assert_eq!(leads.len(), 2, "one for each family");
}
