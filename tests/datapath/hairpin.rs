//! Containers to published ports by the host's address: walks 5 and 6.

use std::net::Ipv4Addr;

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::{Bench, Endpoint};

use crate::{TCP, in_both};

fn publish(bench: &mut Bench) {
    let (any, web) = (bench.addr("any"), bench.addr("web"));
    bench.publish(1, TCP, (any, 8080, 8080), (1, web, 80));
}

/// A port that is moved is this one.
pub(crate) fn one_port(bench: &mut Bench) {
    bench.settings(|settings| (settings.nat_port_first, settings.nat_port_last) = (61_000, 61_000));
}

/// The port is none that a process of the host, which has the gateway's address too, may have.
#[test]
fn to_its_own_port_as_the_gateway() {
    in_both(|mut bench| {
        publish(&mut bench);
        one_port(&mut bench);
        bench
            .from_container(1, "web>gw tcp {web}:4000>{up}:8080 flags=S")
            .redirected("gw>web tcp {gw}:61000>{web}:80 flags=S ttl=63 len=0");
        bench
            .from_container(1, "web>gw tcp {web}:80>{gw}:61000 flags=SA")
            .redirected("gw>web tcp {up}:8080>{web}:4000 flags=SA ttl=63 len=0");
        bench
            .from_container(1, "web>gw tcp {web}:4000>{up}:8080 flags=A")
            .redirected("gw>web tcp {gw}:61000>{web}:80 flags=A ttl=63 len=0");
        let stats = bench.port_stats(1, 8080);
        assert_eq!(
            (stats.opened, stats.rx_packets, stats.tx_packets),
            (1, 2, 1)
        );
    });
}

#[test]
fn of_a_neighbour_with_its_address_kept() {
    in_both(|mut bench| {
        publish(&mut bench);
        one_port(&mut bench);
        bench
            .from_container(2, "cli>gw tcp {cli}:4000>{up}:8080 flags=S")
            .redirected("gw>web tcp {cli}:61000>{web}:80 flags=S ttl=63 len=0");
        // The answer goes to a neighbour directly, yet must come from the published address.
        bench
            .from_container(1, "web>cli tcp {web}:80>{cli}:61000 flags=SA")
            .redirected("gw>cli tcp {up}:8080>{cli}:4000 flags=SA ttl=63 len=0");
        // Traffic beside the flow is forwarded as it is: of the same client's port, too.
        let direct = "web>cli tcp {web}:80>{cli}:4000 flags=SA ttl=64 len=0";
        bench.from_container(1, direct).redirected(direct);
    });
}

#[test]
fn across_networks_with_the_source_kept() {
    in_both(|mut bench| {
        publish(&mut bench);
        bench
            .from_container(3, "far>gw2 tcp {far}:4000>{up}:8080 flags=S")
            .redirected("gw>web tcp {far}:4000>{web}:80 flags=S ttl=63 len=0");
        bench
            .from_container(1, "web>gw tcp {web}:80>{far}:4000 flags=SA")
            .redirected("gw2>far tcp {up}:8080>{far}:4000 flags=SA ttl=63 len=0");
        // By its own address it stays out of reach.
        bench
            .from_container(3, "far>gw2 tcp {far}:4001>{web}:80 flags=S")
            .dropped(DropReason::NetworkIsolated);
    });
}

/// The container of the port is on the client's own network as well: it answers by that one, so that
/// is where it is asked.
#[test]
fn of_a_container_that_is_on_the_network_as_well() {
    in_both(|mut bench| {
        publish(&mut bench);
        one_port(&mut bench);
        let web2 = Endpoint {
            id: 4,
            network: 2,
            name: "web2",
            addr: Ipv4Addr::new(172, 19, 0, 3),
        };
        bench.endpoint(web2);
        let web = bench.addr("web");
        bench.beside(&web2, web);
        bench
            .from_container(3, "far>gw2 tcp {far}:4000>{up}:8080 flags=S")
            .redirected("gw2>web2 tcp {far}:61000>{web2}:80 flags=S ttl=63 len=0");
        bench
            .from_container(4, "web2>far tcp {web2}:80>{far}:61000 flags=SA")
            .redirected("gw2>far tcp {up}:8080>{far}:4000 flags=SA ttl=63 len=0");
        let stats = bench.port_stats(1, 8080);
        assert_eq!((stats.rx_packets, stats.tx_packets), (1, 1));
        // Itself, by that network: as by the other one.
        bench.forget_flows();
        bench
            .from_container(4, "web2>gw2 tcp {web2}:4000>{up}:8080 flags=S")
            .redirected("gw2>web2 tcp {gw2}:61000>{web2}:80 flags=S ttl=63 len=0");
        // Those of the port's own network are led there.
        bench.forget_flows();
        bench
            .from_container(2, "cli>gw tcp {cli}:4000>{up}:8080 flags=S")
            .redirected("gw>web tcp {cli}:61000>{web}:80 flags=S ttl=63 len=0");
        // And the address stays out of reach.
        bench
            .from_container(3, "far>gw2 tcp {far}:4001>{web}:80 flags=S")
            .dropped(DropReason::NetworkIsolated);
    });
}

#[test]
fn by_any_address_of_the_host() {
    in_both(|mut bench| {
        publish(&mut bench);
        one_port(&mut bench);
        for (to, port) in [("{gw}", 4001), ("{gw2}", 4002)] {
            bench
                .from_container(2, &format!("cli>gw tcp {{cli}}:{port}>{to}:8080 flags=S"))
                .redirected("gw>web tcp {cli}:61000>{web}:80 flags=S ttl=63 len=0");
            bench.forget_flows();
        }
    });
}
