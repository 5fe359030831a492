//! What is told of subnets that the host uses as well.

use std::sync::Arc;

use ipnet::IpNet;

use super::wanted;
use crate::{
    kernel::names::anchor_ifindex,
    model::{Model, Network},
    reconcile::conflict::{Conflicts, find},
    view::Host,
};

fn model() -> (Model, Network) {
    let network = wanted::network(1);
    let model = Model {
        networks: [(network.id, Arc::new(network.clone()))].into(),
        ..Model::default()
    };
    (model, network)
}

#[test]
fn an_address_in_a_subnet_is_a_failure() {
    let (model, network) = model();
    let subnet = network.subnets().next().unwrap();
    let mut host = Host::default();
    let gateway = network.gateways().next().unwrap();
    host.addresses.insert(gateway, anchor_ifindex(network.id));
    assert_eq!(find(&model, &host), Conflicts::default(), "our own");
    host.addresses.insert(subnet.hosts().nth(7).unwrap(), 5);
    let found = find(&model, &host);
    assert_eq!(found.failures.len(), 1, "{found:?}");
    assert!(found.failures[0].contains(&network.name), "{found:?}");
}

#[test]
fn a_route_is_as_bad_as_what_it_takes_away() {
    let (model, network) = model();
    let subnet = network.subnets().next().unwrap();
    let with = |route: IpNet| {
        let host = Host {
            routes: vec![route],
            ..Host::default()
        };
        let found = find(&model, &host);
        (found.failures.len(), found.warnings.len())
    };
    assert_eq!(with(subnet), (1, 0));
    let longer = subnet.prefix_len() + 1;
    assert_eq!(with(IpNet::new(subnet.network(), longer).unwrap()), (1, 0));
    assert_eq!(with(subnet.supernet().unwrap()), (0, 1));
    assert_eq!(with("203.0.113.0/24".parse().unwrap()), (0, 0));
}
