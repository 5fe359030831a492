use super::*;

#[tokio::test]
async fn a_network_gets_what_it_does_not_ask_for() {
    let (service, fake, _dir) = service();
    let made = service.create_network(network("one", None)).await.unwrap();
    assert_eq!(made.id, 1);
    assert_eq!(made.subnet.unwrap().to_string(), "10.208.0.0/20");
    assert_eq!(made.gateway.unwrap().to_string(), "10.208.0.1");
    assert_eq!(made.mac, "02:6e:0a:d0:00:01");
    assert_eq!(made.mtu, Some(1400));
    assert_eq!(made.interface, "nc-br1");
    let other = service.create_network(network("two", None)).await.unwrap();
    assert_eq!(other.subnet.unwrap().to_string(), "10.208.16.0/20");
    assert_eq!(fake.world(|w| w.model.networks.len()), 2);
    service.remove_network("one").await.unwrap();
    let again = service
        .create_network(network("three", None))
        .await
        .unwrap();
    assert_eq!((again.id, again.subnet), (1, made.subnet));
}

#[tokio::test]
async fn bad_networks_are_refused_and_change_nothing() {
    let (service, fake, _dir) = service();
    service
        .create_network(network("there", Some("10.1.0.0/16")))
        .await
        .unwrap();
    let before = Before::of(&service, &fake);
    let with = |f: &dyn Fn(&mut types::NetworkCreate)| {
        let mut request = network("new", Some("10.2.0.0/24"));
        f(&mut request);
        request
    };
    let long = "x".repeat(300);
    let cases: Vec<(types::NetworkCreate, &[&str])> = vec![
        (
            network("there", None),
            &["network \"there\" exists already", "choose another name"],
        ),
        (
            network("a/b", None),
            &["\"a/b\"", "contains '/'", "use 1 to 64"],
        ),
        (network("a\0", None), &["contains '\\0'"]),
        (network("🦀", None), &["contains '🦀'"]),
        (network(&long, None), &["has 300 characters"]),
        (network("", None), &["it is empty"]),
        (
            network("new", Some("10.1.2.0/24")),
            &[
                "10.1.2.0/24 overlaps 10.1.0.0/16 of network \"there\"",
                "choose another",
            ],
        ),
        (
            network("new", Some("10.0.0.0/8")),
            &["overlaps 10.1.0.0/16"],
        ),
        (
            network("new", Some("198.51.100.0/25")),
            &[
                "overlaps 198.51.100",
                "the host has a route or an address in",
            ],
        ),
        (
            network("new", Some("10.2.0.1/24")),
            &["has host bits set; write 10.2.0.0/24"],
        ),
        (
            network("new", Some("rubbish")),
            &["\"rubbish\" is not an IPv4 CIDR"],
        ),
        (
            with(&|r| r.gateway = vec!["10.3.0.1".into()]),
            &[
                "gateway: address 10.3.0.1 is outside of 10.2.0.0/24",
                "choose one of",
            ],
        ),
        (
            with(&|r| r.gateway = vec!["10.2.0.0".into()]),
            &["gateway: address 10.2.0.0 is the network address"],
        ),
        (
            with(&|r| r.gateway = vec!["10.2.0.255".into()]),
            &["is the broadcast address"],
        ),
        (
            with(&|r| r.gateway = vec!["fd00::1".into()]),
            &["gateway \"fd00::1\" is given without a subnet"],
        ),
        (
            with(&|r| r.ip_range = vec!["10.3.0.0/25".into()]),
            &["is outside of the subnet"],
        ),
        (
            with(&|r| r.ip_range = vec!["10.2.0.1/25".into()]),
            &["has host bits set; write 10.2.0.0/25"],
        ),
        (
            with(&|r| r.ip_range = vec!["10.2.0.255/32".into()]),
            &["contains no address for a member"],
        ),
        (
            with(&|r| r.ip_range = vec!["x".into()]),
            &["ip range \"x\" is not an IPv4 CIDR"],
        ),
        (
            with(&|r| r.mtu = Some(67)),
            &["mtu 67 is not between 68 and 65535", "leave it out"],
        ),
        (
            with(&|r| r.mtu = Some(65536)),
            &["mtu 65536 is not between"],
        ),
    ];
    for (request, parts) in cases {
        let error = service.create_network(request).await.unwrap_err();
        says(&error, parts);
        before.unchanged(&service, &fake);
    }
}

#[tokio::test]
async fn routes_of_our_own_anchors_are_not_in_the_way_of_others() {
    let (service, fake, _dir) = service();
    let anchor = crate::kernel::names::anchor_ifindex(3);
    fake.world(|w| {
        w.host
            .addresses
            .insert("10.208.0.1".parse().unwrap(), anchor)
    });
    let made = service.create_network(network("one", None)).await.unwrap();
    assert_eq!(made.subnet.unwrap().to_string(), "10.208.0.0/20");
}

#[tokio::test]
async fn without_a_free_subnet_the_pools_are_named() {
    let (service, fake, _dir) = service();
    fake.world(|w| {
        w.host.routes.push("10.0.0.0/8".parse().unwrap());
        w.host.routes.push("172.16.0.0/12".parse().unwrap());
    });
    let error = service
        .create_network(network("n", None))
        .await
        .unwrap_err();
    says(
        &error,
        &[
            "no free subnet is left in the pools 10.208.0.0/12",
            "--subnet",
        ],
    );
}

#[tokio::test]
async fn a_network_in_use_stays_and_its_users_are_named() {
    let (service, fake, _dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    service
        .create_ns(ns("web", Some("net"), &[]))
        .await
        .unwrap();
    let before = Before::of(&service, &fake);
    let error = service.remove_network("net").await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)));
    says(
        &error,
        &[
            "network \"net\" is in use",
            "\"web\"",
            "disconnect or remove them first",
        ],
    );
    before.unchanged(&service, &fake);
    let error = service.remove_network("nil").await.unwrap_err();
    assert!(matches!(error, Error::Missing(_)));
    says(
        &error,
        &["network \"nil\" does not exist", "netctl network ls"],
    );
}
