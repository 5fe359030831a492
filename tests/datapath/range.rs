//! Ranges of ports: a handful of entries whatever their length.

use std::net::Ipv4Addr;

use netctl_tests::prog::Bench;

use crate::{ANY, UDP, WEB, in_both};

#[test]
fn every_port_of_a_range_leads_to_its_own() {
    in_both(|mut bench| {
        bench.publish(
            1,
            UDP,
            (bench.addr("any"), 10000, 19999),
            (1, bench.addr("web"), 20000),
        );
        for port in [10000_u16, 10001, 12345, 16383, 16384, 19998, 19999] {
            bench
                .from_uplink(&format!("lan>up udp {{out}}:5000>{{up}}:{port}"))
                .redirected(&format!(
                    "gw>web udp {{out}}:5000>{{web}}:{} ttl=63 len=0",
                    port + 10000
                ));
            assert_eq!(bench.port_stats(1, port).opened, 1);
        }
        for port in [9999_u16, 20000, 30000] {
            let line = format!("lan>up udp {{out}}:5000>{{up}}:{port}");
            bench.from_uplink(&line).not_ours();
        }
        // Only ports that saw traffic have counters.
        assert_eq!(bench.port_stats(1, 10002).rx_packets, 0);
        assert_eq!(bench.ports_with_stats(), 7);
    });
}

#[test]
fn an_exact_address_comes_before_any() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 10000, 10099), (1, WEB, 10000));
    let host = Ipv4Addr::new(198, 51, 100, 1);
    bench.publish(
        2,
        UDP,
        (host, 10050, 10050),
        (3, Ipv4Addr::new(172, 19, 0, 2), 7),
    );
    bench
        .from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:10050")
        .redirected("gw2>far udp 203.0.113.9:5000>172.19.0.2:7 ttl=63 len=0");
    bench
        .from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:10051")
        .redirected("gw>web udp 203.0.113.9:5000>172.18.0.2:10051 ttl=63 len=0");
}
