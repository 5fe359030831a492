use proptest::prelude::*;

use super::*;

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn network(subnet: &str, gateway: &str, ip_range: Option<&str>) -> Network {
    let gateway = gateway.parse().unwrap();
    Network {
        id: 1,
        name: "n".into(),
        subnet: net(subnet),
        gateway,
        ip_range: ip_range.map(net),
        mtu: None,
        mac: mac_of(gateway),
        internal: false,
        masquerade: true,
        icc: true,
    }
}

#[test]
fn malformed_subnets_are_refused_with_reason_and_remedy() {
    for (text, reason) in [
        ("", "is not an IPv4 CIDR; write for example"),
        ("10.1.2.0", "is not an IPv4 CIDR"),
        ("10.1.2.0/33", "is not an IPv4 CIDR"),
        ("10.1.2/24", "is not an IPv4 CIDR"),
        ("fd00::/64", "is not an IPv4 CIDR"),
        ("10.1.2.3/24", "has host bits set; write 10.1.2.0/24"),
        ("10.0.0.0/7", "prefix length is not between /8 and /30"),
        ("10.0.0.0/31", "prefix length is not between /8 and /30"),
        ("10.0.0.0/32", "prefix length is not between /8 and /30"),
        ("127.1.0.0/16", "contains loopback addresses"),
        ("0.0.0.0/8", "contains unspecified addresses"),
        ("239.0.0.0/24", "contains multicast addresses"),
        ("250.0.0.0/24", "contains reserved addresses"),
    ] {
        let error = parse_subnet(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert_eq!(parse_subnet("10.1.2.0/24"), Ok(net("10.1.2.0/24")));
}

#[test]
fn addresses_that_a_member_cannot_have() {
    let subnet = net("10.1.2.0/24");
    for (addr, reason) in [
        (
            "10.1.3.1",
            "is outside of 10.1.2.0/24; choose one of 10.1.2.1 to 10.1.2.254",
        ),
        ("10.1.2.0", "is the network address"),
        ("10.1.2.255", "is the broadcast address"),
    ] {
        let error = check_address(addr.parse().unwrap(), subnet)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(check_address("10.1.2.254".parse().unwrap(), subnet), Ok(()));
}

#[test]
fn subnets_are_taken_in_order_around_what_is_there() {
    let pools = [
        Pool {
            base: net("10.8.0.0/22"),
            size: 24,
        },
        Pool {
            base: net("10.9.0.0/24"),
            size: 25,
        },
    ];
    let mut taken = vec![net("10.8.0.128/25"), net("10.8.2.0/23")];
    let expected = ["10.8.1.0/24", "10.9.0.0/25", "10.9.0.128/25"];
    for expected in expected {
        let free = free_subnet(&pools, &taken).unwrap();
        assert_eq!(free, net(expected));
        taken.push(free);
    }
    assert_eq!(free_subnet(&pools, &taken), None);
    assert_eq!(free_subnet(&pools, &[net("10.0.0.0/8")]), None);
}

#[test]
fn the_end_of_the_address_space_is_no_trap() {
    let pools = [Pool {
        base: net("255.255.255.0/24"),
        size: 24,
    }];
    assert_eq!(free_subnet(&pools, &[net("255.255.255.255/32")]), None);
    assert_eq!(free_subnet(&pools, &[]), Some(net("255.255.255.0/24")));
}

#[test]
fn the_lowest_address_is_given_but_not_the_gateways() {
    let n = network("10.1.2.0/29", "10.1.2.2", None);
    let mut taken = HashSet::new();
    let mut given = Vec::new();
    while let Some(addr) = free_address(&n, &taken) {
        given.push(addr.to_string());
        taken.insert(addr);
    }
    assert_eq!(
        given,
        ["10.1.2.1", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"]
    );
    taken.remove(&"10.1.2.4".parse().unwrap());
    assert_eq!(free_address(&n, &taken), Some("10.1.2.4".parse().unwrap()));
}

#[test]
fn a_range_limits_what_is_chosen() {
    let n = network("10.1.2.0/24", "10.1.2.1", Some("10.1.2.252/30"));
    let taken = HashSet::from(["10.1.2.252".parse().unwrap()]);
    assert_eq!(
        free_address(&n, &taken),
        Some("10.1.2.253".parse().unwrap())
    );
}

proptest! {
    #[test]
    fn a_chosen_subnet_overlaps_nothing(
        base in any::<u32>(),
        base_len in 8..=20_u8,
        more in 0..=10_u8,
        taken in proptest::collection::vec((any::<u16>(), 16..=32_u8), 0..20),
    ) {
        let base = Ipv4Net::new(Ipv4Addr::from_bits(base), base_len).unwrap().trunc();
        let pool = Pool { base, size: base_len + more };
        let taken: Vec<_> = taken
            .into_iter()
            .map(|(low, len)| {
                let bits = base.network().to_bits() | u32::from(low);
                Ipv4Net::new(Ipv4Addr::from_bits(bits), len).unwrap().trunc()
            })
            .collect();
        if let Some(free) = free_subnet(&[pool], &taken) {
            prop_assert!(base.contains(&free));
            prop_assert!(taken.iter().all(|net| !overlap(net, &free)));
        }
    }
}
