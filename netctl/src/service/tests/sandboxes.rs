use netctl_common::endpoint::ENDPOINT_SLOTS;

use super::*;
use crate::{reconcile::controller::Scope, service::fake::reopen};

#[tokio::test]
async fn a_namespace_gets_an_address_and_one_pass() {
    let (service, fake, _dir) = service();
    service
        .create_network(network("net", Some("10.1.0.0/24")))
        .await
        .unwrap();
    let made = service
        .create_ns(ns("web", Some("net"), &["8080:80"]))
        .await
        .unwrap();
    assert!(made.managed);
    assert_eq!(made.path.to_str(), Some("/run/netns/web"));
    let endpoint = &made.endpoints[0];
    assert_eq!(endpoint.ifname, "eth0");
    assert_eq!(endpoint.address.unwrap().to_string(), "10.1.0.2/24");
    assert_eq!(endpoint.mac, "02:6e:0a:01:00:02");
    assert_eq!(made.ports[0].spec, "8080:80/tcp");
    let passes = fake.world(|w| w.passes.clone());
    assert_eq!(passes, [[Scope::Network(1)], [Scope::Endpoint(1)]]);

    service
        .create_network(network("other", None))
        .await
        .unwrap();
    let request = types::Connect {
        ns: "web".into(),
        ip6: None,
        ip: None,
    };
    let both = service.connect("other", request).await.unwrap();
    assert_eq!(both.endpoints[1].ifname, "eth1");
    service.disconnect("other", "web").await.unwrap();
    service.remove_ns("web").await.unwrap();
    let model = service.model();
    assert!(model.endpoints.is_empty() && model.ports.is_empty() && model.sandboxes.is_empty());

    // Numbers are never given twice, addresses are.
    let made = service
        .create_ns(ns("web", Some("net"), &["8080:80"]))
        .await
        .unwrap();
    assert_eq!((made.endpoints[0].id, made.ports[0].id), (3, 2));
    assert_eq!(made.endpoints[0].ip.unwrap().to_string(), "10.1.0.2");
}

/// The datapath keeps endpoints by number in an array, whose slots come round again.
#[tokio::test]
async fn an_endpoint_gets_no_number_whose_slot_is_taken() {
    let (service, _fake, _dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    for (name, id) in [("a", 1), ("b", 2)] {
        let made = service.create_ns(ns(name, Some("net"), &[])).await.unwrap();
        assert_eq!(made.endpoints[0].id, id);
    }
    // As if all the others had been used and removed.
    let later = |_: &Service, model: &mut Model| {
        model.last_endpoint = ENDPOINT_SLOTS - 1;
        Ok(())
    };
    service.change(later).await.unwrap();
    for (name, id) in [("c", ENDPOINT_SLOTS), ("d", ENDPOINT_SLOTS + 3)] {
        let made = service.create_ns(ns(name, Some("net"), &[])).await.unwrap();
        assert_eq!(made.endpoints[0].id, id);
    }
    service.remove_ns("a").await.unwrap();
    let later = |_: &Service, model: &mut Model| {
        model.last_endpoint = 2 * ENDPOINT_SLOTS;
        Ok(())
    };
    service.change(later).await.unwrap();
    let made = service.create_ns(ns("e", Some("net"), &[])).await.unwrap();
    assert_eq!(made.endpoints[0].id, 2 * ENDPOINT_SLOTS + 1);
}

#[tokio::test]
async fn a_namespace_without_network_is_made_by_a_whole_pass() {
    let (service, fake, _dir) = service();
    service.create_ns(ns("lonely", None, &[])).await.unwrap();
    assert_eq!(fake.world(|w| w.passes.clone()), [[Scope::All]]);
}

#[tokio::test]
async fn bad_namespaces_are_refused_and_change_nothing() {
    let (service, fake, _dir) = service();
    service
        .create_network(network("net", Some("10.1.0.0/29")))
        .await
        .unwrap();
    let there = types::NsCreate {
        ip: Some("10.1.0.4".into()),
        mac: Some("02:00:00:00:00:09".into()),
        netns: Some("/run/netns/given".into()),
        ..ns("there", Some("net"), &[])
    };
    service.create_ns(there).await.unwrap();
    fake.world(|w| w.foreign.push("theirs".into()));
    let before = Before::of(&service, &fake);
    let with = |f: &dyn Fn(&mut types::NsCreate)| {
        let mut request = ns("new", Some("net"), &[]);
        f(&mut request);
        request
    };
    let ip = |ip: &'static str| with(&move |r| r.ip = Some(ip.into()));
    let mac = |mac: &'static str| with(&move |r| r.mac = Some(mac.into()));
    let cases: Vec<(types::NsCreate, &[&str])> = vec![
        (
            ns("there", None, &[]),
            &["namespace \"there\" exists already"],
        ),
        (ns("../x", None, &[]), &["\"../x\"", "contains '/'"]),
        (
            ns("theirs", None, &[]),
            &[
                "/run/netns/theirs exists and was not made by netctl",
                "--netns /run/netns/theirs",
            ],
        ),
        (
            ns("new", Some("nil"), &[]),
            &["network \"nil\" does not exist"],
        ),
        (
            ip("10.2.0.1"),
            &["address 10.2.0.1 is outside of 10.1.0.0/29; choose one of 10.1.0.1 to 10.1.0.6"],
        ),
        (ip("10.1.0.0"), &["is the network address"]),
        (ip("10.1.0.7"), &["is the broadcast address"]),
        (
            ip("10.1.0.1"),
            &["address 10.1.0.1 is the gateway of network \"net\""],
        ),
        (
            ip("10.1.0.4"),
            &["address 10.1.0.4 of network \"net\" is taken by namespace \"there\""],
        ),
        (ip("nowhere"), &["\"nowhere\" is not an IPv4 address"]),
        (
            mac("02:00"),
            &["mac \"02:00\" is not a MAC address; write for example"],
        ),
        (
            mac("01:00:5e:00:00:01"),
            &["is a multicast or zero address"],
        ),
        (
            mac("00:00:00:00:00:00"),
            &["is a multicast or zero address"],
        ),
        (
            mac("02:00:00:00:00:09"),
            &["is taken by namespace \"there\""],
        ),
        (mac("02:6e:0a:01:00:01"), &["is taken by the gateway"]),
        (
            with(&|r| {
                r.network = None;
                r.ip = Some("10.1.0.2".into())
            }),
            &["is of no use without a network", "--network"],
        ),
        (
            with(&|r| r.netns = Some("/run/netns/nil".into())),
            &[
                "network namespace \"/run/netns/nil\": No such file",
                "give a file such as",
            ],
        ),
        (
            with(&|r| r.netns = Some("given".into())),
            &["the path is not absolute"],
        ),
        (
            with(&|r| r.netns = Some("/run/netns/given".into())),
            &["is the one of namespace \"there\" already"],
        ),
        (
            with(&|r| r.pid = Some(4_000_000)),
            &[
                "process 4000000: No such file",
                "give the id of a process that runs",
            ],
        ),
        (
            with(&|r| r.pid = Some(1)),
            &["process 1 is in the host's own network namespace"],
        ),
        (
            with(&|r| {
                r.pid = Some(77);
                r.netns = Some("/x".into())
            }),
            &["are both given; give one"],
        ),
    ];
    for (request, parts) in cases {
        let error = service.create_ns(request).await.unwrap_err();
        says(&error, parts);
        before.unchanged(&service, &fake);
    }
    let request = types::Connect {
        ns: "there".into(),
        ip6: None,
        ip: None,
    };
    let error = service.connect("net", request).await.unwrap_err();
    says(
        &error,
        &["namespace \"there\" is connected to network \"net\" already"],
    );
    let request = types::Connect {
        ns: "nil".into(),
        ip6: None,
        ip: None,
    };
    says(
        &service.connect("net", request).await.unwrap_err(),
        &["namespace \"nil\" does not exist"],
    );
    says(
        &service.disconnect("net", "nil").await.unwrap_err(),
        &["namespace \"nil\" does not exist"],
    );
    says(
        &service.disconnect("nil", "there").await.unwrap_err(),
        &["network \"nil\" does not exist"],
    );
    says(
        &service.remove_ns("nil").await.unwrap_err(),
        &["namespace \"nil\" does not exist"],
    );
    before.unchanged(&service, &fake);
}

#[tokio::test]
async fn a_full_network_says_so() {
    let (service, _fake, _dir) = service();
    service
        .create_network(network("net", Some("10.1.0.0/30")))
        .await
        .unwrap();
    service.create_ns(ns("a", Some("net"), &[])).await.unwrap();
    let error = service
        .create_ns(ns("b", Some("net"), &[]))
        .await
        .unwrap_err();
    says(
        &error,
        &["network \"net\" has no free address left in 10.1.0.0/30"],
    );
}

#[tokio::test]
async fn disconnecting_does_not_strand_published_ports() {
    let (service, fake, _dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    let inner = types::NetworkCreate {
        internal: true,
        ..network("inner", None)
    };
    service.create_network(inner).await.unwrap();
    service
        .create_ns(ns("web", Some("net"), &["8080:80"]))
        .await
        .unwrap();
    let request = types::Connect {
        ns: "web".into(),
        ip6: None,
        ip: None,
    };
    service.connect("inner", request).await.unwrap();
    let before = Before::of(&service, &fake);
    let error = service.disconnect("net", "web").await.unwrap_err();
    says(&error, &["8080:80/tcp", "netctl port rm web"]);
    before.unchanged(&service, &fake);
    service
        .remove_ports("web", vec!["8080:80".into()])
        .await
        .unwrap();
    service.disconnect("net", "web").await.unwrap();
    let error = service.disconnect("net", "web").await.unwrap_err();
    says(
        &error,
        &["namespace \"web\" is not connected to network \"net\""],
    );
}

#[tokio::test]
async fn intent_outlives_the_daemon() {
    let (service, fake, dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    service
        .create_ns(ns("web", Some("net"), &["80", "53:53/udp"]))
        .await
        .unwrap();
    let model = service.model();
    drop(service);
    assert_eq!(reopen(&fake, dir.path()).model(), model);
}

#[tokio::test]
async fn thirty_two_at_once_get_different_addresses() {
    let (service, _fake, _dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                service
                    .create_ns(ns(&format!("ns{n}"), Some("net"), &["80"]))
                    .await
            })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.unwrap());
    }
    // The fake host hands out four ports only.
    let made: Vec<_> = made.into_iter().flatten().collect();
    assert_eq!(made.len(), 4);
    let mut addresses: Vec<_> = made.iter().map(|n| n.endpoints[0].ip).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 4);
}
