use super::*;

fn choose(only: &[String]) -> Choice<'_> {
    static NONE: BTreeSet<u32> = BTreeSet::new();
    static NO_OTHERS: BTreeMap<String, Arc<String>> = BTreeMap::new();
    static NO_XDP: BTreeMap<u32, u32> = BTreeMap::new();
    Choice {
        only,
        adopted: &NONE,
        others: &NO_OTHERS,
        no_docker: false,
        xdp: &NO_XDP,
    }
}

fn address(index: u32, net: &str) -> Address {
    Address {
        index,
        net: net.parse().unwrap(),
        global: true,
        secondary: false,
        deprecated: false,
        tentative: false,
    }
}

fn link(index: u32, name: &str, frame: Frame) -> Link {
    Link {
        index,
        name: name.into(),
        frame,
        loopback: name == "lo",
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        mtu: 1400,
        up: true,
        ..Link::default()
    }
}

#[test]
fn masquerade_takes_the_address_beside_the_gateway() {
    let addresses = [address(2, "10.0.0.5/24"), address(2, "10.9.0.5/24")];
    let own: Vec<&Address> = addresses.iter().collect();
    let of = |gateway: Option<[u8; 4]>| source_address4(&own, gateway.map(Into::into));
    assert_eq!(of(Some([10, 9, 0, 1])), Some([10, 9, 0, 5].into()));
    assert_eq!(of(Some([10, 7, 0, 1])), Some([10, 0, 0, 5].into()));
    assert_eq!(of(None), Some([10, 0, 0, 5].into()));
    assert_eq!(source_address4(&[], None), None);
}

#[test]
fn masquerade_takes_the_ipv6_address_that_serves_longest() {
    let tentative = Address {
        tentative: true,
        ..address(2, "2001:db8::1/64")
    };
    let deprecated = Address {
        deprecated: true,
        ..address(2, "2001:db8::2/64")
    };
    let temporary = Address {
        secondary: true,
        ..address(2, "2001:db8::3/64")
    };
    let link_local = Address {
        global: false,
        ..address(2, "fe80::1/64")
    };
    let unique_local = address(2, "fd00::4/64");
    let (first, second) = (address(2, "2001:db8::5/64"), address(2, "2001:db8::6/64"));
    let all = [
        link_local,
        tentative,
        deprecated,
        unique_local,
        temporary,
        first,
        second,
        address(2, "10.0.0.5/24"),
    ];
    let of = |all: &[Address]| {
        let own: Vec<&Address> = all.iter().collect();
        source_address6(&own).map(|addr| addr.to_string())
    };
    assert_eq!(of(&all).as_deref(), Some("2001:db8::5"));
    assert_eq!(of(&all[..5]).as_deref(), Some("2001:db8::3"));
    assert_eq!(of(&all[..4]).as_deref(), Some("fd00::4"));
    assert_eq!(of(&all[..3]).as_deref(), Some("2001:db8::2"));
    assert_eq!(of(&all[..2]), None);
}

#[test]
fn loopback_and_our_links_are_no_uplinks() {
    let ours = OurLink::Anchor(1);
    let idle = Link {
        mtu: 1280,
        ..link(4, "eth1", Frame::Ethernet)
    };
    let tunnel = Link {
        mtu: 1300,
        mac: None,
        ..link(3, "tun0", Frame::Ip)
    };
    let down = Link {
        up: false,
        ..link(5, "sit0", Frame::Ip)
    };
    let port = Link {
        master: Some(9),
        ..link(6, "eth2", Frame::Ethernet)
    };
    let links = [
        link(1, "lo", Frame::Other),
        link(2, "eth0", Frame::Ethernet),
        idle,
        tunnel,
        down,
        port,
        link(7, "can0", Frame::Other),
        link(ours.ifindex(), &ours.name(), Frame::Ethernet),
    ];
    let addresses = [
        address(1, "127.0.0.1/8"),
        address(1, "::1/128"),
        address(2, "10.0.0.5/24"),
        address(2, "fe80::5/64"),
        address(3, "2001:db8::5/128"),
        address(ours.ifindex(), "10.1.0.1/24"),
    ];
    let host = Host::from_parts(&links, &addresses, &[], choose(&[]));
    assert_eq!(host.view.uplinks.keys().collect::<Vec<_>>(), [&2, &3, &4]);
    assert_eq!(host.view.uplinks[&3].mac, None);
    assert_eq!(
        host.view.mtu(),
        Some(1400),
        "neither that of an interface without address nor that of a tunnel"
    );
    assert_eq!(host.warnings.len(), 1, "{:?}", host.warnings);
    let local: Vec<String> = host.local.keys().map(IpAddr::to_string).collect();
    assert_eq!(local, ["10.0.0.5", "2001:db8::5"], "what may be translated");
    assert_eq!(host.view.addresses.len(), 5, "all but fe80::/10");
    let default = Route {
        destination: "::/0".parse().unwrap(),
        gateway: None,
        index: Some(3),
        metric: 1024,
        main_table: true,
    };
    let host = Host::from_parts(&links, &addresses, &[default], choose(&[]));
    assert_eq!(host.view.default_uplink, None);
    assert_eq!(host.view.default_uplink6, Some(3));
    assert_eq!(host.view.mtu(), Some(1300), "what leaves by default fits");
    let host = Host::from_parts(&links, &addresses, &[], choose(&["wan0".into()]));
    assert!(host.view.uplinks.is_empty());
    assert_eq!(host.warnings, ["uplink wan0 is not there (yet)"]);
    let host = Host::from_parts(
        &links,
        &addresses,
        &[],
        choose(&["eth2".into(), "sit0".into()]),
    );
    assert_eq!(host.view.uplinks.keys().collect::<Vec<_>>(), [&5, &6]);
}

#[test]
fn next_hops_are_on_uplinks_by_what_the_routes_say() {
    let route = |destination: &str, gateway: Option<&str>, index, metric| Route {
        destination: destination.parse().unwrap(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        index: Some(index),
        metric,
        main_table: true,
    };
    let links = [
        link(2, "eth0", Frame::Ethernet),
        link(3, "wg0", Frame::Ip),
        link(1, "lo", Frame::Other),
    ];
    let other_table = Route {
        main_table: false,
        ..route("10.7.0.0/16", None, 3, 0)
    };
    let routes = [
        route("0.0.0.0/0", Some("10.0.0.1"), 2, 100),
        route("0.0.0.0/0", None, 3, 200),
        route("10.0.0.0/24", None, 3, 600),
        route("10.0.0.0/24", None, 2, 100),
        route("10.9.0.0/16", None, 3, 0),
        route("10.8.0.0/16", Some("10.0.0.7"), 2, 0),
        route("fe80::/64", None, 2, 256),
        route("::/0", Some("fe80::1"), 2, 1024),
        route("127.9.0.0/16", None, 1, 0),
        other_table,
    ];
    let host = Host::from_parts(&links, &[], &routes, choose(&[]));
    let seen: Vec<_> = host
        .onlink
        .iter()
        .map(|(net, index)| (net.to_string(), *index))
        .collect();
    let wanted = [
        ("0.0.0.0/0", 2),
        ("10.0.0.0/24", 2),
        ("10.9.0.0/16", 3),
        ("::/0", 2),
    ];
    assert_eq!(seen, wanted.map(|(net, index)| (net.to_owned(), index)));
    // More than there is room for: what covers most is kept, and the rest is told.
    let many = (0..5_000_u32).map(|n| {
        let host = std::net::Ipv4Addr::from(0x0b00_0000 + n);
        route(&format!("{host}/32"), None, 3, 0)
    });
    let all: Vec<Route> = many.chain(routes).collect();
    let host = Host::from_parts(&links, &[], &all, choose(&[]));
    assert_eq!(host.onlink.len(), 4_096 + 1, "and one of IPv6");
    assert_eq!(host.onlink[&"10.9.0.0/16".parse::<IpNet>().unwrap()], 3);
    let [told] = &*host.warnings else {
        panic!("{:?}", host.warnings);
    };
    assert!(
        told.starts_with("907 IPv4 routes without a gateway"),
        "{told}"
    );
}

#[test]
fn dockers_interfaces_are_no_uplinks() {
    let link = |index, name: &str, kind| Link {
        index,
        name: name.into(),
        frame: Frame::Ethernet,
        mac: Some(Mac([2, 0, 0, 0, 0, index as u8])),
        kind,
        ..Link::default()
    };
    let links = [
        link(2, "docker0", Kind::Bridge),
        link(3, "br-0123456789ab", Kind::Bridge),
        link(4, "veth01234af", Kind::Veth),
        link(5, "br-lan", Kind::Bridge),
        link(6, "custom", Kind::Bridge),
        link(7, "veth0", Kind::Veth),
    ];
    let addresses = [address(2, "172.17.0.1/16"), address(6, "172.18.0.1/16")];
    let adopted = BTreeSet::from([6]);
    let choice = Choice {
        adopted: &adopted,
        no_docker: true,
        ..choose(&[])
    };
    let route = |index, net: &str| Route {
        destination: net.parse().unwrap(),
        gateway: None,
        index: Some(index),
        metric: 0,
        main_table: true,
    };
    let routes = [route(2, "172.17.0.0/16"), route(6, "172.18.0.0/16")];
    let host = Host::from_parts(&links, &addresses, &routes, choice);
    assert_eq!(host.view.uplinks.keys().collect::<Vec<_>>(), [&5, &7]);
    let local: Vec<u32> = host.local.values().copied().collect();
    assert_eq!(local, [2], "an adopted network's gateway is that network's");
    assert_eq!(host.view.addresses.len(), 2, "what may be published on");
    let taken: Vec<String> = host.view.routes.iter().map(ToString::to_string).collect();
    assert_eq!(
        taken,
        ["172.17.0.0/16"],
        "the route to an adopted network is its own"
    );
    // Not adopted they are uplinks that containers of ours do not reach beyond, but where the
    // administrator says so.
    let all = Host::from_parts(&links, &addresses, &[], choose(&[]));
    assert_eq!(all.view.uplinks.len(), 6);
    assert_eq!(all.isolated, BTreeSet::from([2, 3]));
    let others = BTreeMap::from([("custom".to_owned(), Arc::new("shop".to_owned()))]);
    let choice = Choice {
        others: &others,
        ..choose(&[])
    };
    let told = Host::from_parts(&links, &addresses, &[], choice);
    assert_eq!(told.isolated, BTreeSet::from([2, 3, 6]));
    let named = Host::from_parts(&links, &addresses, &[], choose(&["docker0".into()]));
    assert_eq!(named.view.uplinks.keys().collect::<Vec<_>>(), [&2]);
    assert!(named.isolated.is_empty());
}

#[test]
fn what_uplinks_are_made_of_and_carry() {
    let links = [
        link(2, "bond0", Frame::Ethernet),
        Link {
            master: Some(2),
            ..link(3, "eth0", Frame::Ethernet)
        },
        Link {
            master: Some(2),
            ..link(4, "eth1", Frame::Ethernet)
        },
        link(5, "eth2", Frame::Ethernet),
        Link {
            kind: Kind::Vlan,
            peer: Some(5),
            ..link(6, "eth2.7", Frame::Ethernet)
        },
        // Carried in another namespace, by whatever has that number there.
        Link {
            kind: Kind::Vlan,
            peer: Some(2),
            peer_netns: Some(0),
            ..link(7, "eth9.7", Frame::Ethernet)
        },
    ];
    let host = Host::from_parts(&links, &[], &[], choose(&[]));
    let uplinks: Vec<u32> = host.view.uplinks.keys().copied().collect();
    assert_eq!(uplinks, [2, 5, 6, 7]);
    assert_eq!(host.parts, BTreeMap::from([(2, vec![3, 4])]));
    assert_eq!(host.carriers, BTreeMap::from([(5, "eth2.7".to_owned())]));
}
