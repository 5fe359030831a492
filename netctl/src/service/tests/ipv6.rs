use super::*;
use crate::{
    kernel::owner::Owner,
    model::{Filtering, Mapping, Proto},
};

fn dual(name: &str, subnets: &[&str]) -> types::NetworkCreate {
    types::NetworkCreate {
        subnet: subnets.iter().map(|s| (*s).into()).collect(),
        ipv6: true,
        ..network(name, None)
    }
}

#[tokio::test]
async fn a_network_gets_a_unique_local_subnet_of_the_hosts_prefix() {
    let (service, fake, dir) = service();
    let one = service.create_network(dual("one", &[])).await.unwrap();
    let (subnet, gateway) = (one.subnet6.unwrap(), one.gateway6.unwrap());
    assert_eq!(subnet.prefix_len(), 64);
    assert_eq!(subnet.addr().octets()[0], 0xfd, "RFC 4193");
    assert_ne!(subnet.addr().octets()[1..6], [0; 5], "random bits");
    assert_eq!(gateway.to_bits(), subnet.addr().to_bits() + 1);
    assert_eq!(one.subnet.unwrap().to_string(), "10.208.0.0/20");
    let two = service.create_network(dual("two", &[])).await.unwrap();
    let distance = two.subnet6.unwrap().addr().to_bits() - subnet.addr().to_bits();
    assert_eq!(distance, 1 << 64, "the next /64");
    // The prefix is the host's for good, also when nothing of it is in use.
    service.remove_network("one").await.unwrap();
    service.remove_network("two").await.unwrap();
    drop(service);
    let service = crate::service::fake::reopen(&fake, dir.path());
    // A route of the host is in the way of the first one.
    fake.world(|w| w.host.routes.push(subnet.into()));
    let again = service.create_network(dual("again", &[])).await.unwrap();
    assert_eq!(again.subnet6, two.subnet6);
}

#[tokio::test]
async fn networks_of_either_family_and_their_members() {
    let (service, _fake, _dir) = service();
    let both = types::NetworkCreate {
        gateway: vec!["fd00:1::fe".into(), "10.1.0.9".into()],
        nat_mapping: Some(Mapping::AddressAndPortDependent),
        ..dual("both", &["10.1.0.0/24", "fd00:1::/64"])
    };
    let made = service.create_network(both).await.unwrap();
    assert_eq!(made.gateway.unwrap().to_string(), "10.1.0.9");
    assert_eq!(made.gateway6.unwrap().to_string(), "fd00:1::fe");
    assert_eq!(made.nat_mapping, Mapping::AddressAndPortDependent);
    assert_eq!(made.nat_filtering, Filtering::AddressAndPortDependent);
    let only_v6 = types::NetworkCreate {
        ipv4: false,
        ..dual("six", &["fd00:2::/64"])
    };
    let made = service.create_network(only_v6).await.unwrap();
    assert_eq!((made.subnet, made.gateway), (None, None));
    // An IPv6 subnet says by itself that IPv6 is wanted.
    let implied = types::NetworkCreate {
        ipv6: false,
        ..dual("implied", &["fd00:3::/64"])
    };
    let made = service.create_network(implied).await.unwrap();
    assert!(made.subnet.is_some() && made.subnet6.is_some());

    let web = service.create_ns(ns("web", Some("both"), &[])).await;
    let endpoint = web.unwrap().endpoints[0].clone();
    assert_eq!(endpoint.address.unwrap().to_string(), "10.1.0.1/24");
    assert_eq!(endpoint.address6.unwrap().to_string(), "fd00:1::1/64");
    assert_eq!(endpoint.mac, "02:6e:0a:01:00:01");
    let wanted = types::NsCreate {
        ip6: Some("fd00:1::77".into()),
        ..ns("client", Some("both"), &[])
    };
    let client = service.create_ns(wanted).await.unwrap();
    assert_eq!(client.endpoints[0].ip6.unwrap().to_string(), "fd00:1::77");
    assert_eq!(client.endpoints[0].ip.unwrap().to_string(), "10.1.0.2");
    let six = service
        .create_ns(ns("six", Some("six"), &[]))
        .await
        .unwrap();
    assert_eq!(six.endpoints[0].ip, None);
    assert_eq!(six.endpoints[0].ip6.unwrap().to_string(), "fd00:2::2");
    assert!(six.endpoints[0].mac.starts_with("02:6f:"), "{six:?}");
}

#[tokio::test]
async fn bad_ipv6_networks_are_refused_and_change_nothing() {
    let (service, fake, _dir) = service();
    let there = dual("there", &["10.1.0.0/24", "fd00:1::/64"]);
    service.create_network(there).await.unwrap();
    let before = Before::of(&service, &fake);
    let with = |f: &dyn Fn(&mut types::NetworkCreate)| {
        let mut request = dual("new", &["10.2.0.0/24", "fd00:2::/64"]);
        f(&mut request);
        request
    };
    let cases: Vec<(types::NetworkCreate, &[&str])> = vec![
        (
            dual("new", &["fd00:1::/48"]),
            &[
                "fd00:1::/48 overlaps fd00:1::/64 of network \"there\"",
                "choose another",
            ],
        ),
        (
            dual("new", &["2001:db8:64::/80"]),
            &[
                "overlaps 2001:db8:64::",
                "the host has a route or an address in",
            ],
        ),
        (
            dual("new", &["fd00:2::1/64"]),
            &["has host bits set; write fd00:2::/64"],
        ),
        (
            dual("new", &["fd00:2::/127"]),
            &["prefix length is not between /16 and /126"],
        ),
        (
            dual("new", &["fe80::/64"]),
            &["contains link-local addresses"],
        ),
        (
            dual("new", &["fd00:2::/64", "fd00:3::/64"]),
            &[
                "subnet \"fd00:2::/64\" and \"fd00:3::/64\" are both IPv6",
                "at most one of each",
            ],
        ),
        (
            dual("new", &["10.2.0.0/24", "10.3.0.0/24"]),
            &["are both IPv4"],
        ),
        (
            with(&|r| r.gateway = vec!["fd00:9::1".into()]),
            &["gateway: address fd00:9::1 is outside of fd00:2::/64"],
        ),
        (
            with(&|r| r.gateway = vec!["fd00:2::".into()]),
            &["gateway: address fd00:2:: is the network address"],
        ),
        (
            with(&|r| r.ip_range = vec!["fd00:3::/80".into()]),
            &["ip range \"fd00:3::/80\" is outside of the subnet fd00:2::/64"],
        ),
        (
            with(&|r| r.ipv4 = false),
            &["\"10.2.0.0/24\" is given for a network without IPv4"],
        ),
        (
            with(&|r| {
                r.subnet.clear();
                (r.ipv4, r.ipv6) = (false, false);
            }),
            &["would have neither IPv4 nor IPv6", "give --ipv6"],
        ),
        (
            with(&|r| r.mtu = Some(1279)),
            &["mtu 1279 is not between 1280 and 65535, as a network with IPv6 needs it"],
        ),
        (
            types::NetworkCreate {
                ip_range: vec!["fd00::/80".into()],
                ..network("new", None)
            },
            &["ip range \"fd00::/80\" is given without a subnet"],
        ),
    ];
    for (request, parts) in cases {
        let error = service.create_network(request).await.unwrap_err();
        says(&error, parts);
        before.unchanged(&service, &fake);
    }
    for (ip6, network, parts) in [
        ("fd00:1::1", "there", "fd00:1::1 is the gateway of network"),
        ("fd00:2::1", "there", "fd00:2::1 is outside of fd00:1::/64"),
        ("10.1.0.2", "there", "\"10.1.0.2\" is not an IPv6 address"),
    ] {
        let request = types::NsCreate {
            ip6: Some(ip6.into()),
            ..ns("new", Some(network), &[])
        };
        let error = service.create_ns(request).await.unwrap_err();
        says(&error, &[parts]);
        before.unchanged(&service, &fake);
    }
    service.create_network(network("four", None)).await.unwrap();
    let request = types::NsCreate {
        ip6: Some("fd00:1::2".into()),
        ..ns("new", Some("four"), &[])
    };
    let error = service.create_ns(request).await.unwrap_err();
    says(&error, &["network \"four\" has no IPv6; leave it out"]);
}

#[tokio::test]
async fn a_host_without_ipv6_has_ipv4_networks_only() {
    let (service, fake, _dir) = service();
    fake.world(|w| w.host.no_ipv6 = Some("its kernel has no IPv6".into()));
    let before = Before::of(&service, &fake);
    let error = service.create_network(dual("six", &[])).await.unwrap_err();
    says(
        &error,
        &[
            "network \"six\" cannot have IPv6 on this host: its kernel has no IPv6",
            "leave out --ipv6",
        ],
    );
    before.unchanged(&service, &fake);
    service.create_network(network("four", None)).await.unwrap();
}

/// `web` on a network of both families, `four` and `six` on one of one.
async fn publishing() -> (Arc<Service>, Fake, tempfile::TempDir) {
    let (service, fake, dir) = service();
    let both = dual("both", &["10.1.0.0/24", "fd00:1::/64"]);
    let six = types::NetworkCreate {
        ipv4: false,
        ..dual("six", &["fd00:2::/64"])
    };
    for request in [both, six, network("four", Some("10.2.0.0/24"))] {
        service.create_network(request).await.unwrap();
    }
    for (name, network) in [("web", "both"), ("four", "four"), ("six", "six")] {
        let made = service.create_ns(ns(name, Some(network), &[])).await;
        made.unwrap();
    }
    (service, fake, dir)
}

async fn add(service: &Arc<Service>, ns: &str, spec: &str) -> Result<types::Port, Error> {
    let ports = service.add_ports(ns, vec![spec.into()]).await?;
    Ok(ports[0].clone())
}

#[tokio::test]
async fn a_port_leads_to_the_families_that_both_sides_have() {
    let (service, _fake, _dir) = publishing().await;
    for (ns, spec, printed, leads) in [
        (
            "web",
            "80:80",
            "80:80/tcp",
            &["0.0.0.0 10.1.0.2", ":: fd00:1::2"][..],
        ),
        (
            "web",
            "0.0.0.0:81:80",
            "0.0.0.0:81:80/tcp",
            &["0.0.0.0 10.1.0.2"],
        ),
        ("web", "[::]:81:80", "[::]:81:80/tcp", &[":: fd00:1::2"]),
        ("web", "[::1]:82:80", "[::1]:82:80/tcp", &["::1 fd00:1::2"]),
        (
            "web",
            "[2001:db8:64::7]:83:80",
            "[2001:db8:64::7]:83:80/tcp",
            &["2001:db8:64::7 fd00:1::2"],
        ),
        (
            "web",
            "[fd00:1::1]:84:80",
            "[fd00:1::1]:84:80/tcp",
            &["fd00:1::1 fd00:1::2"],
        ),
        (
            "web",
            "[::ffff:127.0.0.1]:85:80",
            "127.0.0.1:85:80/tcp",
            &["127.0.0.1 10.1.0.2"],
        ),
        ("four", "86:80", "86:80/tcp", &["0.0.0.0 10.2.0.2"]),
        ("six", "87:80", "87:80/tcp", &[":: fd00:2::2"]),
    ] {
        let port = add(&service, ns, spec).await.unwrap();
        assert_eq!(port.spec, printed);
        let found: Vec<String> = port
            .targets
            .iter()
            .map(|t| format!("{} {}", t.host_ip, t.container_ip))
            .collect();
        assert_eq!(found, leads, "{spec}");
    }
    // What is said of all addresses means them, in either family's words.
    for spec in ["0.0.0.0:80:80", "[::]:81:80"] {
        service
            .remove_ports("web", vec![spec.into()])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn bad_ipv6_ports_are_refused_and_change_nothing() {
    let (service, fake, _dir) = publishing().await;
    for spec in ["80:80", "0.0.0.0:81:80", "[::]:82:80"] {
        add(&service, "web", spec).await.unwrap();
    }
    let before = Before::of(&service, &fake);
    for (ns, spec, parts) in [
        (
            "four",
            "[::1]:90:80",
            &[
                "namespace \"four\" has no IPv6 address with a way in",
                "leave the host address out",
            ][..],
        ),
        (
            "six",
            "127.0.0.1:90:80",
            &["namespace \"six\" has no IPv4 address with a way in"],
        ),
        (
            "web",
            "[fe80::1]:90:80",
            &["fe80::1 is a link-local address"],
        ),
        (
            "web",
            "[2001:db8::9]:90:80",
            &["2001:db8::9 is not an address of this host"],
        ),
        (
            "web",
            "[::1]:80:80",
            &["[::1]:80/tcp: port is already allocated to namespace \"web\""],
        ),
        (
            "web",
            "81:80",
            &["81/tcp: port is already allocated", "0.0.0.0:81:80/tcp"],
        ),
        ("web", "[::1]:82:80", &["which published [::]:82:80/tcp"]),
        ("six", "82:80", &["port is already allocated"]),
    ] {
        says(&add(&service, ns, spec).await.unwrap_err(), parts);
        before.unchanged(&service, &fake);
    }
    // The other family's wildcard is another port.
    add(&service, "six", "[::]:81:80").await.unwrap();
    add(&service, "four", "0.0.0.0:82:80").await.unwrap();
}

#[tokio::test]
async fn a_process_is_in_the_way_of_its_own_families() {
    let (service, fake, _dir) = publishing().await;
    let holder = |address: &str| {
        let owner = Owner {
            pid: 42,
            comm: "nginx".into(),
            address: address.parse().unwrap(),
        };
        (Proto::Tcp, owner)
    };
    fake.world(|w| {
        w.owners
            .extend([holder("[::]:443"), holder("[::]:444"), holder("[::1]:445")]);
        w.only_v6.push("[::]:444".parse().unwrap());
    });
    for spec in [
        "0.0.0.0:443:80",
        "443:80",
        "444:80",
        "[::]:444:80",
        "445:80",
        "[::1]:445:80",
    ] {
        let error = add(&service, "web", spec).await.unwrap_err();
        says(&error, &["host process 42 (nginx)"]);
    }
    for spec in ["0.0.0.0:444:80", "0.0.0.0:445:80"] {
        add(&service, "web", spec).await.unwrap();
    }
}
