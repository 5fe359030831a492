use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf};

use netctl_common::wire::Mac;

use super::*;
use crate::{
    docker::facts::{Container, Idle, Network},
    kernel::adopted::{Bridge, Sandbox},
    model::{GatewayMode, PortRow, Proto, PublishedPort, Rules},
};

mod rules;

const BRIDGE: u32 = 3;

fn mac(last: u8) -> Mac {
    Mac([2, 0x42, 172, 17, 0, last])
}

fn network() -> Network {
    Network {
        name: "bridge".into(),
        bridge: "docker0".into(),
        subnets: vec!["172.17.0.0/16".parse().unwrap()],
        internal: false,
        icc: true,
        masquerade: true,
        modes: Default::default(),
        mtu: None,
        host_ip: Ipv4Addr::UNSPECIFIED,
        isolated: false,
        unserved: Vec::new(),
    }
}

fn container(name: &str, last: u8, ports: &[(u16, u16)]) -> Container {
    let port = |(host_port, container_port): &(u16, u16)| PortRow {
        proto: Proto::Tcp,
        host_ip: None,
        host_port: *host_port,
        container_port: *container_port,
        count: 1,
    };
    Container {
        name: name.into(),
        sandbox: Some(format!("/netns/{last}").into()),
        endpoints: vec![facts::Endpoint {
            id: format!("endpoint {last}"),
            network: "net".into(),
            mac: mac(last),
            addr: Some(Ipv4Addr::new(172, 17, 0, last)),
            addr6: None,
        }],
        ports: ports.iter().map(port).collect(),
        labels: Some(BTreeMap::new()),
    }
}

/// docker0 with these containers, by id, each with the interface of its last octet.
fn scene(containers: &[(&str, Container)]) -> (Facts, Found) {
    let bridge = Bridge {
        ifindex: BRIDGE,
        mac: mac(1),
        mtu: 1500,
        forwarding: true,
        addresses: vec!["172.17.0.1/16".parse().unwrap()],
    };
    let mut facts = Facts::default();
    facts.networks.insert("net".into(), network());
    let mut found = Found {
        bridges: [("docker0".to_owned(), bridge)].into(),
        ..Found::default()
    };
    for (id, container) in containers {
        let last = container.endpoints[0].mac.0[5];
        let veth = (format!("veth{last}"), 100 + u32::from(last));
        match &container.sandbox {
            Some(path) => {
                let sandbox = Sandbox {
                    inode: last.into(),
                    veths: [(BRIDGE, veth)].into(),
                    gateways: Default::default(),
                };
                found.sandboxes.insert(PathBuf::from(path), sandbox);
            }
            None => found
                .fresh
                .entry(BRIDGE)
                .or_default()
                .push((mac(last), veth)),
        }
        facts.containers.insert((*id).to_owned(), container.clone());
    }
    (facts, found)
}

fn put(model: &mut Model, containers: &[(&str, Container)]) -> Outcome {
    let (facts, found) = scene(containers);
    translate(model, &facts, &found, 100)
}

fn numbers(model: &Model) -> (Vec<u32>, Vec<u32>) {
    let endpoints = model.endpoints.keys().copied();
    (endpoints.collect(), model.ports.keys().copied().collect())
}

#[test]
fn what_stays_keeps_its_numbers_and_what_goes_is_gone() {
    let mut model = Model::default();
    let web = ("1", container("web", 2, &[(8080, 80)]));
    let other = ("2", container("other", 3, &[(8081, 80)]));
    assert_eq!(
        put(&mut model, &[web.clone(), other.clone()]),
        Outcome::default()
    );
    assert_eq!(numbers(&model), (vec![1, 2], vec![1, 2]));
    let before = model.clone();
    put(&mut model, &[web.clone(), other.clone()]);
    assert_eq!(model, before, "nothing is news");
    put(&mut model, &[other]);
    assert_eq!(numbers(&model), (vec![2], vec![2]));
    assert_eq!(model.sandboxes.keys().collect::<Vec<_>>(), ["other"]);
    put(&mut model, &[web]);
    assert_eq!(numbers(&model), (vec![3], vec![3]), "no number twice");
}

#[test]
fn a_new_interface_is_a_new_endpoint_with_the_old_ports() {
    let mut model = Model::default();
    put(&mut model, &[("1", container("web", 2, &[(8080, 80)]))]);
    let mut again = container("web", 2, &[(8080, 80)]);
    again.endpoints[0].id = "made anew".into();
    put(&mut model, &[("1", again)]);
    assert_eq!(numbers(&model), (vec![2], vec![1]));
}

#[test]
fn a_renamed_container_is_the_same() {
    let mut model = Model::default();
    put(&mut model, &[("1", container("web", 2, &[(8080, 80)]))]);
    put(&mut model, &[("1", container("shop", 2, &[(8080, 80)]))]);
    assert_eq!(numbers(&model), (vec![1], vec![1]));
    assert_eq!(model.sandboxes.keys().collect::<Vec<_>>(), ["shop"]);
    assert_eq!(model.endpoints[&1].sandbox, "shop");
    assert_eq!(model.ports[&1].sandbox, "shop");
}

#[test]
fn names_that_are_taken_become_others() {
    let mut model = Model::default();
    let own = crate::model::Sandbox {
        name: "web".into(),
        netns: crate::model::Netns::Named,
        adopted: None,
    };
    model.sandboxes.insert("web".into(), own.into());
    let outcome = put(
        &mut model,
        &[("0123456789abcdef", container("web", 2, &[]))],
    );
    assert_eq!(outcome, Outcome::default());
    assert_eq!(model.endpoints[&1].sandbox, "web-0123456789ab");
}

#[test]
fn what_cannot_be_served_is_named_and_the_rest_is() {
    let mut model = Model::default();
    let own = PublishedPort {
        id: 7,
        sandbox: "mine".into(),
        host_ip: None,
        host_port: 8080,
        container_port: 80,
        count: 1,
        proto: Proto::Tcp,
        joined: None,
        adopted: false,
        rules: Rules::default(),
    };
    model.ports.insert(7, own.into());
    model.last_port = 7;
    let (mut facts, mut found) = scene(&[
        ("1", container("web", 2, &[(8080, 80), (8081, 80)])),
        ("2", container("lost", 3, &[])),
    ]);
    found.sandboxes.remove(&PathBuf::from("/netns/3"));
    facts.networks.insert(
        "gone".into(),
        Network {
            name: "gone".into(),
            bridge: "br-gone".into(),
            ..network()
        },
    );
    let outcome = translate(&mut model, &facts, &found, 100);
    assert_eq!(numbers(&model), (vec![1], vec![7, 8]));
    let problems = outcome.problems.join("\n");
    for part in ["br-gone", "\"lost\"", "8080:80/tcp"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert_eq!(outcome.problems.len(), 3, "{problems}");
}

#[test]
fn a_container_has_its_name_and_what_compose_made_it_for() {
    let mut model = Model::default();
    let mut web = container("web", 2, &[]);
    put(&mut model, &[("1", web.clone())]);
    let of = |model: &Model, name: &str| model.sandboxes[name].adopted.clone().unwrap();
    assert_eq!(of(&model, "web").name, "web");
    assert_eq!(of(&model, "web").compose, None);
    let labels = [("project", "shop"), ("service", "front")];
    let labels = labels.map(|(key, value)| (format!("com.docker.compose.{key}"), value.to_owned()));
    web.labels = Some(labels.into());
    put(&mut model, &[("1", web.clone())]);
    let compose = of(&model, "web").compose.unwrap();
    assert_eq!((&*compose.project, &*compose.service), ("shop", "front"));
    // A namespace of ours has the name: the container keeps its own where people look for it.
    let mut model = Model::default();
    let ours = crate::model::Sandbox {
        name: "web".into(),
        netns: crate::model::Netns::Named,
        adopted: None,
    };
    model.sandboxes.insert("web".into(), ours.into());
    put(&mut model, &[("0123456789abcdef", web)]);
    assert_eq!(of(&model, "web-0123456789ab").name, "web");
}

#[test]
fn two_interfaces_of_one_slot_are_not_served_at_a_time() {
    let mut model = Model::default();
    let (mut facts, mut found) = scene(&[("1", container("web", 2, &[]))]);
    translate(&mut model, &facts, &found, 100);
    let (more, more_found) = scene(&[("0", container("late", 3, &[]))]);
    facts.containers.extend(more.containers);
    found.sandboxes.extend(more_found.sandboxes);
    let late = found.sandboxes.get_mut(&PathBuf::from("/netns/3")).unwrap();
    late.veths = BTreeMap::from([(BRIDGE, ("veth3".to_owned(), 102 + 65_536))]);
    let outcome = translate(&mut model, &facts, &found, 100);
    assert!(outcome.problems[0].contains("late"), "{outcome:?}");
    assert_eq!(numbers(&model).0, [1], "the one that was there stays");
}

#[test]
fn a_container_is_served_while_it_is_started() {
    let mut model = Model::default();
    let starting = Container {
        sandbox: None,
        ..container("web", 2, &[])
    };
    // The other end has its MAC when it is inside.
    let (facts, mut found) = scene(&[("1", starting.clone())]);
    found.fresh.get_mut(&BRIDGE).unwrap()[0].0 = mac(99);
    assert_eq!(
        translate(&mut model, &facts, &found, 100),
        Outcome::default()
    );
    assert_eq!(numbers(&model).0, [1], "the only one that can be meant");
    put(&mut model, &[("1", container("web", 2, &[(8080, 80)]))]);
    assert_eq!(numbers(&model), (vec![1], vec![1]), "and stays the same");

    let mut model = Model::default();
    let (facts, mut found) = scene(&[("1", starting)]);
    let fresh = found.fresh.get_mut(&BRIDGE).unwrap();
    fresh[0].0 = mac(99);
    fresh.push((mac(98), ("vethother".into(), 200)));
    let outcome = translate(&mut model, &facts, &found, 100);
    assert!(model.endpoints.is_empty(), "nobody is taken for another");
    assert!(outcome.waits && outcome.problems.is_empty(), "{outcome:?}");
}

#[test]
fn a_users_port_stays_with_the_container_and_goes_with_it() {
    let mut model = Model::default();
    put(&mut model, &[("1", container("web", 2, &[]))]);
    let added = PublishedPort {
        id: 5,
        sandbox: "web".into(),
        host_ip: None,
        host_port: 9000,
        container_port: 80,
        count: 1,
        proto: Proto::Tcp,
        joined: None,
        adopted: false,
        rules: Rules::default(),
    };
    model.ports.insert(5, added.into());
    let (mut facts, found) = scene(&[]);
    facts.idle.insert("1".into(), Idle::default());
    translate(&mut model, &facts, &found, 100);
    assert_eq!(numbers(&model), (vec![], vec![5]), "it is stopped");
    facts.idle.clear();
    translate(&mut model, &facts, &found, 100);
    assert_eq!(numbers(&model), (vec![], vec![]));
    assert!(model.sandboxes.is_empty());
}

/// As Engine 27 tells of it.
#[test]
fn a_port_without_a_host_port_is_for_a_routed_network() {
    let (mut facts, found) = scene(&[("1", container("web", 2, &[(0, 80)]))]);
    let mut model = Model::default();
    let outcome = translate(&mut model, &facts, &found, 100);
    assert!(model.ports.is_empty());
    assert!(outcome.problems[0].contains("80/tcp"), "{outcome:?}");
    let network = facts.networks.get_mut("net").unwrap();
    network.modes.v4 = GatewayMode::Routed;
    let outcome = translate(&mut model, &facts, &found, 100);
    assert_eq!(outcome, Outcome::default());
    assert_eq!(
        (model.ports[&1].host_port, model.ports[&1].container_port),
        (80, 80)
    );
    // Rules are kept for ports of the host.
    let web = facts.containers.get_mut("1").unwrap();
    let allow = ("netctl.allow".to_owned(), "10.0.0.0/8".to_owned());
    web.labels = Some([allow].into());
    let outcome = translate(&mut model, &facts, &found, 100);
    assert!(model.ports.is_empty());
    assert!(outcome.problems[0].contains("routing"), "{outcome:?}");
}

#[test]
fn an_isolated_network_is_its_bridges() {
    let (mut facts, mut found) = scene(&[("1", container("web", 2, &[]))]);
    let bridge = found.bridges.get_mut("docker0").unwrap();
    let addresses = std::mem::take(&mut bridge.addresses);
    let mut model = Model::default();
    // Without an address for any other reason, nothing can be served that was asked for.
    let outcome = translate(&mut model, &facts, &found, 100);
    assert!(outcome.problems[0].contains("no address"), "{outcome:?}");
    let network = facts.networks.get_mut("net").unwrap();
    network.isolated = true;
    network.unserved = vec!["gateway_mode_ipv4=isolated".into()];
    let outcome = translate(&mut model, &facts, &found, 100);
    assert_eq!(outcome, Outcome::default());
    assert_eq!(numbers(&model), (vec![], vec![]));
    // An Engine that does not know the mode gives it a gateway as any other.
    found.bridges.get_mut("docker0").unwrap().addresses = addresses;
    let outcome = translate(&mut model, &facts, &found, 100);
    assert!(outcome.problems[0].contains("isolated"), "{outcome:?}");
    assert_eq!(numbers(&model).0, [1]);
}
