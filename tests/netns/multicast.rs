//! Broadcast and multicast: to every member of the network, to nobody else, and not too much.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
};

use crate::usual::{self, CLIENT, CLIENT6, Usual, WEB, WEB6};

/// What endpoints may say to many in a second (`reconcile::lower`).
const RATE: usize = 1_000;

fn group(addr: &str, port: u16) -> SocketAddr {
    SocketAddr::new(addr.parse().unwrap(), port)
}

/// Broadcasts, the groups that everybody is in, mDNS, those of an administrator; of IPv6 also a
/// solicited-node group, which discovery of others than ours uses.
fn groups() -> [SocketAddr; 9] {
    [
        group("255.255.255.255", 6_001),
        group("172.18.0.255", 6_002),
        group("224.0.0.1", 6_003),
        group("224.0.0.251", 5_353),
        group("239.1.2.3", 6_004),
        group("ff02::1", 6_005),
        group("ff02::fb", 5_354),
        group("ff02::1:ff00:2", 6_006),
        group("ff05::1:3", 6_007),
    ]
}

fn is_link_local(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local())
}

#[test]
fn members_hear_each_other_and_nobody_else_does() {
    let usual = Usual::start();
    usual.lab.lan().sniff("lan0");
    let text = "said to many";
    for group in groups() {
        for listener in [&usual.web, &usual.other] {
            listener.listen(group);
        }
        usual.client.say(group, text, 1);
        let heard = usual.web.heard(group, 1, 3000);
        assert_eq!(heard.len(), 1, "{group}: {heard:?}");
        assert_eq!(heard[0].text, text, "{group}");
        let from = heard[0].from;
        let is_own = match from {
            IpAddr::V4(from) => from == CLIENT,
            IpAddr::V6(from) => from == CLIENT6 || is_link_local(from.into()),
        };
        assert!(is_own, "{group}: from {from}");
    }
    // What was to be heard was heard: now the others.
    for group in groups() {
        let heard = usual.other.heard(group, 1, 50);
        assert!(heard.is_empty(), "in another network, {group}: {heard:?}");
    }
    let outside = usual.lab.lan().sniffed("lan0", text.as_bytes(), 1, 50);
    assert!(outside.is_empty(), "outside: {outside:x?}");
}

#[test]
fn an_internal_network_hears_itself_alone() {
    let lab = usual::lab();
    let members = [("a", "--ip6 fd00:20::2"), ("b", "--ip6 fd00:20::3")];
    let subnets = "--subnet 172.20.0.0/24 --subnet fd00:20::/64";
    lab.populate(&format!("inside {subnets} --internal"), &members);
    let (a, b) = (lab.agent_in("a"), lab.agent_in("b"));
    lab.lan().sniff("lan0");
    for group in groups() {
        if group.ip() == IpAddr::from([172, 18, 0, 255]) {
            continue;
        }
        b.listen(group);
        a.say(group, "inside", 1);
        assert_eq!(b.heard(group, 1, 3000).len(), 1, "{group}");
    }
    let outside = lab.lan().sniffed("lan0", b"inside", 1, 50);
    assert!(outside.is_empty(), "outside: {outside:x?}");
}

#[test]
fn members_that_may_not_talk_do_not_hear_each_other() {
    let lab = usual::lab();
    let members = [("a", "--ip6 fd00:20::2"), ("b", "--ip6 fd00:20::3")];
    let subnets = "--subnet 172.18.0.0/24 --subnet fd00:20::/64";
    lab.populate(&format!("apart {subnets} --no-icc"), &members);
    let (a, b) = (lab.agent_in("a"), lab.agent_in("b"));
    for group in groups() {
        b.listen(group);
        let before = lab.drops("icc_disabled");
        a.say(group, "apart", 1);
        let heard = b.heard(group, 1, 50);
        assert!(heard.is_empty(), "{group}: {heard:?}");
        assert!(lab.drops("icc_disabled") > before, "{group}");
    }
}

#[test]
fn what_one_says_to_many_is_limited_and_counted() {
    let usual = Usual::start();
    let many = [group("172.18.0.255", 6_001), group("ff02::1", 6_002)];
    for (group, web) in many.into_iter().zip([IpAddr::from(WEB), WEB6.into()]) {
        let said = 8 * RATE as u32;
        usual.web.listen(group);
        // The other family may have used up this second's.
        wait_for("a word to many", Duration::from_secs(5), || {
            usual.client.say(group, "first", 1);
            !usual.web.heard(group, 1, 50).is_empty()
        });
        let before = usual.lab.drops("flood_limit");
        usual.client.say(group, "flood", said);
        let heard = usual.web.heard(group, 1, 3000);
        let dropped = (usual.lab.drops("flood_limit") - before) as usize;
        // Every one was heard or is counted, and not all of them got through.
        assert_eq!(heard.len() + dropped, said as usize, "{group}");
        assert!(heard.len() + 1 >= RATE, "{group}: {} heard", heard.len());
        assert!(dropped > 0, "{group}");
        // It is the sender's own limit, and only of what goes to many.
        speaks(&usual.client, web);
        usual.client.listen(group);
        usual.web.say(group, "another", 1);
        let heard = usual.client.heard(group, 1, 3000);
        assert_eq!(heard.len(), 1, "{group}: {heard:?}");
    }
}

/// Unicast goes on.
#[track_caller]
fn speaks(from: &Agent, to: IpAddr) {
    let answer = from.connect(Connect::to(Proto::Udp, (to, 80)));
    assert!(answer.is_ok(), "{to}: {answer:?}");
}

/// Discovery is answered in place, also where nobody has the address.
#[test]
fn neighbour_discovery_is_not_said_to_many() {
    let usual = Usual::start();
    usual.web.sniff("eth0");
    let before = usual.lab.drops("nd_unanswered");
    let nobody = Ipv6Addr::new(0xfd00, 0x18, 0, 0, 0, 0, 0, 0x99);
    assert_eq!(usual.client.ping(nobody, 1, 200), 0);
    assert!(usual.lab.drops("nd_unanswered") > before);
    let seen = usual.web.sniffed("eth0", &nobody.octets(), 1, 50);
    assert!(seen.is_empty(), "{seen:x?}");
}
