//! `--ipam-driver netctl`: subnets and addresses; and names between containers.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::{driven::Driven, mode::Mode as _};

fn subnet(driven: &Driven, network: &str) -> Ipv4Net {
    let format = "{{(index .IPAM.Config 0).Subnet}}";
    let text = driven
        .engine
        .docker(&["network", "inspect", "-f", format, network]);
    text.unwrap().parse().unwrap()
}

#[test]
fn networks_get_pools_of_their_own() {
    let driven = Driven::start();
    for name in ["one", "two"] {
        driven.engine.ok(&format!(
            "network create -d netctl --ipam-driver netctl {name}"
        ));
    }
    let (one, two) = (subnet(&driven, "one"), subnet(&driven, "two"));
    assert!(!one.contains(&two) && !two.contains(&one), "{one} {two}");
    let pool: Ipv4Net = "10.208.0.0/12".parse().unwrap();
    assert!(pool.contains(&one) && pool.contains(&two), "{one} {two}");
    // netctl's own networks keep clear of them.
    driven
        .lab
        .netctl(&format!("network create mine --subnet {one}"))
        .fails_with(1, &[&one.to_string()]);

    let a = driven.run("ca", "--network one");
    driven.run("cb", "--network one");
    let gateway = one.hosts().next().unwrap();
    let address = |name| driven.engine.address(name, "one").unwrap();
    assert_eq!(a.ping(gateway, 1, 1000), 1);
    assert_eq!(a.ping(address("cb"), 1, 1000), 1);
    assert_ne!(address("ca"), address("cb"));

    // An address comes back when its container goes.
    let first = address("ca");
    drop(a);
    driven.engine.ok("rm -f ca");
    driven.run("cc", "--network one");
    assert_eq!(address("cc"), first);
    driven.engine.ok("rm -f cb cc");
    driven.engine.ok("network rm one two");
    driven.engine.ok(&format!(
        "network create -d netctl --ipam-driver netctl --subnet {one} one"
    ));
    assert_eq!(subnet(&driven, "one"), one);
}

#[test]
fn what_a_user_asks_for_is_kept() {
    let driven = Driven::start();
    driven.engine.ok(
        "network create -d netctl --ipam-driver netctl --subnet 172.28.0.0/24 --gateway 172.28.0.254 \
         --ip-range 172.28.0.128/28 --aux-address router=172.28.0.128 --aux-address other=172.28.0.7 net1",
    );
    let address = |name| driven.engine.address(name, "net1").unwrap();
    let a = driven.run("ca", "--network net1");
    assert_eq!(
        address("ca"),
        Ipv4Addr::new(172, 28, 0, 129),
        "behind the one that is kept free"
    );
    assert_eq!(a.ping(Ipv4Addr::new(172, 28, 0, 254), 1, 1000), 1);
    driven.run(
        "cb",
        "--network net1 --ip 172.28.0.9 --mac-address 02:00:00:00:00:09",
    );
    assert_eq!(
        address("cb"),
        Ipv4Addr::new(172, 28, 0, 9),
        "outside of the range"
    );
    assert_eq!(a.ping(address("cb"), 1, 1000), 1);
    let mac = driven
        .engine
        .ok("exec cb /bin/busybox cat /sys/class/net/eth0/address");
    assert_eq!(mac, "02:00:00:00:00:09");
    for taken in ["172.28.0.9", "172.28.0.254", "172.28.0.7"] {
        let refused = driven
            .engine
            .run("late", &["--network", "net1", "--ip", taken]);
        let error = refused.unwrap_err();
        assert!(error.contains(taken), "{error}");
        driven.engine.ok("rm -f late");
    }
    // Kept over a restart.
    driven.lab.kill_daemon();
    driven.lab.start_daemon();
    driven.run("cc", "--network net1");
    assert_eq!(address("cc"), Ipv4Addr::new(172, 28, 0, 130));
}

/// Docker's own DNS, 127.0.0.11, of a network that is not Docker's own.
#[test]
fn containers_find_each_other_by_name() {
    let driven = Driven::with_network();
    driven.run("web", "--network net1 --network-alias shop");
    driven.run("client", "--network net1");
    for name in ["web", "shop"] {
        let sent = driven
            .engine
            .ok(&format!("exec client /bin/busybox ping -c 1 -W 2 {name}"));
        assert!(sent.contains("1 packets received"), "{sent}");
    }
}
