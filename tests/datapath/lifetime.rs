//! A flow dies with the endpoint that it rests on, at once.

use netctl_tests::prog::{Bench, Endpoint};

use crate::{ANY, UDP, WEB};

const WEB_ENDPOINT: Endpoint = Endpoint {
    id: 1,
    network: 1,
    name: "web",
    addr: WEB,
};

#[test]
fn an_answer_to_an_endpoint_before_is_not_for_the_one_now() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53");
    bench.endpoint_value(&WEB_ENDPOINT, 1000);
    bench
        .from_uplink("lan>up udp 203.0.113.9:53>198.51.100.1:4000 len=77")
        .not_ours();
    assert!(bench.flows().is_empty(), "both halves are forgotten");
}

#[test]
fn a_client_that_keeps_its_port_reaches_the_new_endpoint_at_once() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    let line = "lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=3";
    let expected = "gw>web udp 203.0.113.9:5000>172.18.0.2:53 ttl=63 len=3";
    bench.from_uplink(line).redirected(expected);
    bench.endpoint_value(&WEB_ENDPOINT, 1000);
    bench.from_uplink(line).redirected(expected);
    assert_eq!(bench.flows().len(), 2);
    for (_, flow) in bench.flows() {
        assert_eq!(flow.generation, 1001);
    }
}

#[test]
fn a_published_port_without_its_endpoint_fails_closed() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench.forget_endpoint(1);
    bench
        .from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=3")
        .dropped(netctl_common::drop_reason::DropReason::NoEndpoint);
}
