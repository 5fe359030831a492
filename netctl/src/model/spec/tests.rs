use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn spec(host_ip: Option<&str>, host: HostPorts, container_port: u16, count: u16) -> Spec {
    Spec {
        host_ip: host_ip.map(|ip| ip.parse().unwrap()),
        host,
        container_port,
        count,
        proto: Proto::Tcp,
    }
}

#[test]
fn dockers_forms_are_understood() {
    use HostPorts::{Any, From, OneOf};
    for (text, expected) in [
        ("80", spec(None, Any, 80, 1)),
        ("80-82", spec(None, Any, 80, 3)),
        ("8080:80", spec(None, From(8080), 80, 1)),
        (":80", spec(None, Any, 80, 1)),
        ("8080-8082:80-82", spec(None, From(8080), 80, 3)),
        (
            "8000-8010:80",
            spec(
                None,
                OneOf {
                    first: 8000,
                    last: 8010,
                },
                80,
                1,
            ),
        ),
        (
            "127.0.0.1:8080:80",
            spec(Some("127.0.0.1"), From(8080), 80, 1),
        ),
        ("127.0.0.1::80", spec(Some("127.0.0.1"), Any, 80, 1)),
        ("127.0.0.1:80", spec(Some("127.0.0.1"), Any, 80, 1)),
        ("[::1]:8080:80", spec(Some("::1"), From(8080), 80, 1)),
        ("[::1]::80", spec(Some("::1"), Any, 80, 1)),
        ("[::]:80", spec(Some("::"), Any, 80, 1)),
        ("1-65535:1-65535", spec(None, From(1), 1, 65535)),
        ("80/tcp", spec(None, Any, 80, 1)),
        ("80/TCP", spec(None, Any, 80, 1)),
    ] {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
    assert_eq!("53:53/udp".parse::<Spec>().unwrap().proto, Proto::Udp);
    assert_eq!("9:9/sctp".parse::<Spec>().unwrap().proto, Proto::Sctp);
}

#[test]
fn every_refusal_names_input_reason_and_remedy() {
    for (text, reason) in [
        ("", "the container port is missing"),
        ("8080:", "the container port is missing"),
        ("127.0.0.1:8080:", "the container port is missing"),
        ("/tcp", "the container port is missing"),
        ("[::1]", "the container port is missing"),
        ("0", "\"0\" is not a port"),
        ("8080:0", "\"0\" is not a port"),
        (
            "65536",
            "\"65536\" is not a port; a port is a number from 1 to 65535",
        ),
        ("65536:80", "\"65536\" is not a port"),
        ("99999999999999999999:80", "is not a port"),
        ("+80", "\"+80\" is not a port"),
        ("-80", "\"\" is not a port"),
        ("80-", "\"\" is not a port"),
        ("http", "\"http\" is not a port"),
        ("80 ", "\"80 \" is not a port"),
        (
            "90-80",
            "the container range 90-80 runs backwards; write 80-90",
        ),
        ("8090-8080:80", "the host range 8090-8080 runs backwards"),
        (
            "8080-8081:80-82",
            "2 host ports cannot lead to 3 container ports",
        ),
        (
            "8080:80-82",
            "1 host ports cannot lead to 3 container ports",
        ),
        ("localhost:8080:80", "\"localhost\" is not an IP address"),
        ("1.2.3:8080:80", "\"1.2.3\" is not an IP address"),
        ("1.2.3.4.5:80", "\"1.2.3.4.5\" is not an IP address"),
        (":8080:80", "the host address is empty"),
        ("::1:8080:80", "an IPv6 host address in [brackets]"),
        ("1.2.3.4:1:2:3", "too many parts"),
        ("[::1:8080:80", "is not closed"),
        ("[::1]:1:2:3", "too many parts"),
        ("80/icmp", "\"icmp\" is not a protocol"),
        ("80/", "\"\" is not a protocol"),
        ("80/tcp/udp", "\"tcp/udp\" is not a protocol"),
        ("80🦀", "is not a port"),
    ] {
        let error = text.parse::<Spec>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(
            error.starts_with(&format!("published port {text:?}")),
            "{error}"
        );
    }
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let ip = prop_oneof![
        Just(None),
        any::<u32>().prop_map(|bits| Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))),
        any::<u128>().prop_map(|bits| Some(IpAddr::V6(bits.into()))),
    ];
    let proto = prop_oneof![Just(Proto::Tcp), Just(Proto::Udp), Just(Proto::Sctp)];
    (ip, proto, 1..=65535_u16, 1..=65535_u16, 1..=65535_u16, 0..3).prop_map(
        |(host_ip, proto, a, b, size, kind)| {
            let room = (65535 - a.max(b)).saturating_add(1);
            let count = size.min(room);
            let (host, count) = match kind {
                0 => (HostPorts::Any, count),
                1 => (HostPorts::From(a), count),
                _ if count > 1 => (
                    HostPorts::OneOf {
                        first: a,
                        last: a + (count - 1),
                    },
                    1,
                ),
                _ => (HostPorts::From(a), 1),
            };
            Spec {
                host_ip,
                host,
                container_port: b,
                count,
                proto,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed_back(spec in any_spec()) {
        prop_assert_eq!(spec.to_string().parse::<Spec>(), Ok(spec));
    }

    #[test]
    fn no_text_panics(text in "[0-9:/\\[\\]a-z.-]{0,24}") {
        let _parsed = text.parse::<Spec>();
    }
}
