use ipnet::Ipv4Net;
use proptest::prelude::*;

use super::*;

fn net<N: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> N {
    text.parse().unwrap()
}

fn subnet(subnet: &str, gateway: &str, ip_range: Option<&str>) -> Subnet<Ipv4Addr> {
    Subnet {
        subnet: net(subnet),
        gateway: gateway.parse().unwrap(),
        ip_range: ip_range.map(net),
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
        let error = parse_subnet::<Ipv4Addr>(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert_eq!(
        parse_subnet::<Ipv4Addr>("10.1.2.0/24"),
        Ok(net("10.1.2.0/24"))
    );
}

#[test]
fn addresses_that_a_member_cannot_have() {
    let subnet: Ipv4Net = net("10.1.2.0/24");
    for (addr, reason) in [
        (
            "10.1.3.1",
            "is outside of 10.1.2.0/24; choose one of 10.1.2.1 to 10.1.2.254",
        ),
        ("10.1.2.0", "is the network address"),
        ("10.1.2.255", "is the broadcast address"),
    ] {
        let error = check_address::<Ipv4Addr>(addr.parse().unwrap(), &subnet)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
    let last: Ipv4Addr = "10.1.2.254".parse().unwrap();
    assert_eq!(check_address(last, &subnet), Ok(()));
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
        let free = free_subnet::<Ipv4Addr>(&pools, &taken).unwrap();
        assert_eq!(free, net(expected));
        taken.push(free.into());
    }
    assert_eq!(free_subnet::<Ipv4Addr>(&pools, &taken), None);
    assert_eq!(free_subnet::<Ipv4Addr>(&pools, &[net("10.0.0.0/8")]), None);
}

#[test]
fn the_end_of_the_address_space_is_no_trap() {
    let pools = [Pool {
        base: net("255.255.255.0/24"),
        size: 24,
    }];
    assert_eq!(
        free_subnet::<Ipv4Addr>(&pools, &[net("255.255.255.255/32")]),
        None
    );
    assert_eq!(
        free_subnet::<Ipv4Addr>(&pools, &[]),
        Some(net("255.255.255.0/24"))
    );
}

#[test]
fn the_lowest_address_is_given_but_not_the_gateways() {
    let n = subnet("10.1.2.0/29", "10.1.2.2", None);
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
    let n = subnet("10.1.2.0/24", "10.1.2.1", Some("10.1.2.252/30"));
    let taken = HashSet::from(["10.1.2.252".parse().unwrap()]);
    assert_eq!(
        free_address(&n, &taken),
        Some("10.1.2.253".parse().unwrap())
    );
}

#[test]
fn malformed_ipv6_subnets_are_refused_with_reason_and_remedy() {
    for (text, reason) in [
        ("fd00::", "is not an IPv6 CIDR; write for example fd12:"),
        ("fd00::/129", "is not an IPv6 CIDR"),
        ("fd00::1/64", "has host bits set; write fd00::/64"),
        ("fc00::/7", "prefix length is not between /16 and /126"),
        ("fd00::/127", "prefix length is not between /16 and /126"),
        ("::/96", "contains loopback or v4-mapped addresses"),
        ("::ffff:0:0/96", "contains loopback or v4-mapped addresses"),
        ("fe80::/64", "contains link-local addresses"),
        ("fec0::/16", "contains deprecated site-local addresses"),
        ("ff02::/64", "contains multicast addresses"),
    ] {
        let error = parse_subnet::<Ipv6Addr>(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    for text in ["fd00::/64", "2001:db8::/32", "fd00::/126"] {
        assert_eq!(parse_subnet::<Ipv6Addr>(text), Ok(net(text)));
    }
}

#[test]
fn ipv6_addresses_are_given_in_order() {
    let n = Subnet::<Ipv6Addr> {
        subnet: net("fd00:1::/126"),
        gateway: "fd00:1::1".parse().unwrap(),
        ip_range: None,
    };
    let mut taken = HashSet::new();
    while let Some(addr) = free_address(&n, &taken) {
        taken.insert(addr);
    }
    let mut given: Vec<String> = taken.iter().map(Ipv6Addr::to_string).collect();
    given.sort();
    // There is no broadcast address; the first is the routers' anycast address.
    assert_eq!(given, ["fd00:1::2", "fd00:1::3"]);
    let first: Ipv6Addr = "fd00:1::".parse().unwrap();
    let error = check_address(first, &n.subnet).unwrap_err().to_string();
    assert!(
        error.contains(
            "is the network address of fd00:1::/126; choose one of fd00:1::1 to fd00:1::3"
        ),
        "{error}"
    );
}

#[test]
fn unique_local_subnets_are_of_the_hosts_prefix() {
    let pool = unique_local(0xa1_b2c3_d4e5);
    assert_eq!(pool.base, net::<IpNet>("fda1:b2c3:d4e5::/48"));
    let first: IpNet = net("fda1:b2c3:d4e5::/64");
    let free = free_subnet::<Ipv6Addr>(&[pool], &[first, net("10.0.0.0/8")]);
    assert_eq!(free, Some(net("fda1:b2c3:d4e5:1::/64")));
    let all: IpNet = net("fd00::/8");
    assert_eq!(free_subnet::<Ipv6Addr>(&[pool], &[all]), None);
}

#[test]
fn macs_of_ipv6_addresses_differ_inside_a_network() {
    let mut taken = HashSet::new();
    for addr in ["fd00:1::2", "fd00:1::3", "fd00:1::1:0:0:3", "fd00:1::1:2"] {
        let mac = mac_of_v6(addr.parse().unwrap(), |mac| taken.contains(&mac));
        assert!(!mac.is_group() && taken.insert(mac), "{addr} {mac}");
    }
    assert_eq!(taken.len(), 4);
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
        let pool = Pool { base: base.into(), size: base_len + more };
        let taken: Vec<IpNet> = taken
            .into_iter()
            .map(|(low, len)| {
                let bits = base.network().to_bits() | u32::from(low);
                Ipv4Net::new(Ipv4Addr::from_bits(bits), len).unwrap().trunc().into()
            })
            .collect();
        if let Some(free) = free_subnet::<Ipv4Addr>(&[pool], &taken) {
            prop_assert!(base.contains(&free));
            let free: IpNet = free.into();
            prop_assert!(taken.iter().all(|net| !overlap_any(net, &free)));
        }
    }
}
