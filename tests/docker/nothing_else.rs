//! No netfilter rule, no docker-proxy: nothing but netctl carries a packet.

use std::{fs, io::ErrorKind, net::Ipv4Addr, path::Path, thread};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, LAN},
};

use crate::{
    adopted::Adopted,
    driven::Driven,
    mode::{Mode, proxies},
};

/// Nothing in the host's network namespace filters or translates, and nobody carries bytes.
#[track_caller]
pub(crate) fn check_nothing(mode: &impl Mode) {
    let lab = mode.lab();
    // By netlink, as nft asks the kernel: tables of every family.
    assert_eq!(lab.sh(&["nft", "list", "ruleset"]), "");
    let of_host = format!("/proc/{}/net", lab.host().pid());
    for names in ["ip_tables_names", "ip6_tables_names"] {
        // Absent where nobody has ever used them.
        match fs::read_to_string(Path::new(&of_host).join(names)) {
            Ok(tables) => assert_eq!(tables, "", "{names}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{names}: {error}"),
        }
    }
    assert_eq!(proxies(mode.engine()), 0);
}

/// Who somebody else's rules would keep out, or give another address.
const OTHERS: &str = "table inet others {
    chain forward { type filter hook forward priority 0; policy drop; }
    chain input { type filter hook input priority 0; policy drop; }
    chain postrouting { type nat hook postrouting priority 100; masquerade random; }
}";

fn check<M: Mode>() {
    let mode = M::start();
    let ports = "-p 8080:80 -p 8080:80/udp -p 9000-9050:9000-9050";
    let network = mode.first_network();
    let web = mode.run("web", &format!("--network {network} {ports}"));
    let client = mode.run("client", &format!("--network {network}"));
    mode.network("net2", "--subnet 172.29.0.0/24");
    let other = mode.run("other", "--network net2");
    web.serve_all(80);
    let lab = mode.lab();
    lab.lan().serve_all(7000);
    check_nothing(&mode);
    let [own, neighbour] = ["client", "web"].map(|name| mode.address(name, network));
    let sees = |from: &Agent, target: (Ipv4Addr, u16), seen: Ipv4Addr| {
        for proto in [Proto::Tcp, Proto::Udp] {
            let asked = from.connect(Connect::to(proto, target));
            let asked = asked.unwrap_or_else(|error| panic!("{proto:?} {target:?}: {error}"));
            assert_eq!(asked.seen.ip(), seen, "{proto:?} {target:?}");
        }
    };
    let as_ever = || {
        sees(lab.lan(), (HOST, 8080), LAN);
        sees(&client, (HOST, 8080), own);
        sees(&client, (LAN, 7000), HOST);
        let asked = other.connect(Connect::to(Proto::Tcp, (neighbour, 80)).within_ms(200));
        assert!(asked.is_err(), "{asked:?}");
    };
    // Rules that others make and flush are nothing to us.
    let file = lab.scratch().join("others.nft");
    fs::write(&file, OTHERS).unwrap();
    let load = format!("nft -f {}", file.display());
    for _ in 0..3 {
        lab.sh(&["sh", "-c", &load]);
        as_ever();
        lab.sh(&["nft", "flush", "ruleset"]);
        as_ever();
    }
    let again_and_again = format!("for i in $(seq 40); do {load}; nft flush ruleset; done");
    thread::scope(|scope| {
        let flushing = scope.spawn(|| lab.sh(&["sh", "-c", &again_and_again]));
        let mut rounds = 0;
        while rounds < 3 || !flushing.is_finished() {
            as_ever();
            rounds += 1;
        }
    });
}

#[test]
fn no_rule_and_no_proxy() {
    check::<Adopted>();
}

#[test]
fn no_rule_and_no_proxy_by_the_driver() {
    check::<Driven>();
}
