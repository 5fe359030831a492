//! Acceptance 9: after `netctl purge` the machine is as it was.

use std::collections::BTreeSet;

use netctl_tests::{eventually::wait_for, lab::Lab, need::since};
use std::time::Duration;

use crate::usual::{CONFIG, Usual};

/// Ids of BPF programs that are loaded now, of the whole machine.
fn programs() -> BTreeSet<u32> {
    aya::programs::loaded_programs()
        .flatten()
        .map(|program| program.id())
        .collect()
}

fn check(config: &str) {
    let lab = Lab::bare();
    let before = lab.snapshot();
    std::fs::write(lab.config_path(), config).unwrap();
    lab.start_daemon();
    let usual = Usual::populate(lab);
    assert!(usual.answers());
    let own = usual.lab.own_programs();
    assert!(
        !own.is_empty(),
        "the daemon's programs are known by their links"
    );
    assert!(!before.differences(&usual.lab.snapshot()).is_empty());
    usual.into_lab().check_purges_to(&before);
    wait_for("the programs' end", Duration::from_secs(10), || {
        programs().is_disjoint(&own)
    });
}

#[test]
fn nothing_is_left() {
    check(CONFIG);
}

#[test]
fn nothing_is_left_of_clsact() {
    check(&format!("{CONFIG}attach = \"clsact\"\n"));
}

/// The uplink's qdisc is one daemon's, the link another's that finds it there.
#[test]
fn nothing_is_left_when_tcx_takes_the_place_of_clsact() {
    since((6, 6), "TCX");
    let lab = Lab::bare();
    let before = lab.snapshot();
    let qdiscs = || lab.sh(&["tc", "qdisc", "show", "dev", "up0"]);
    for (attach, has_clsact) in [("clsact", true), ("tcx", false)] {
        let config = format!("{CONFIG}attach = \"{attach}\"\n");
        std::fs::write(lab.config_path(), config).unwrap();
        lab.start_daemon();
        assert_eq!(qdiscs().contains("clsact"), has_clsact, "{attach}");
        lab.kill_daemon();
    }
    lab.start_daemon();
    lab.check_purges_to(&before);
}

#[test]
fn what_others_made_stays() {
    let lab = Lab::bare();
    lab.ip("netns add theirs");
    lab.ip("link add br-theirs type bridge");
    lab.ip("route add 10.99.0.0/16 via 198.51.100.2");
    lab.sh(&["tc", "qdisc", "add", "dev", "up0", "clsact"]);
    lab.sh(&[
        "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP",
    ]);
    let before = lab.snapshot();
    // lo, and what a tunnel's module, if one is loaded, makes in every namespace.
    let links = || lab.ip_in("theirs", "-o link show").lines().count();
    let own = links();
    std::fs::write(lab.config_path(), format!("{CONFIG}attach = \"clsact\"\n")).unwrap();
    lab.start_daemon();
    lab.populate("net1", &[("web", "-p 8080:80")]);
    lab.netctl("ns create theirs-in-net1 --network net1 --netns /run/netns/theirs")
        .ok();
    lab.check_purges_to(&before);
    assert_eq!(links(), own, "nothing of ours is left in it");
}

#[test]
fn removing_one_by_one_leaves_nothing_either() {
    let lab = Lab::with_config(CONFIG);
    let before = lab.snapshot();
    let usual = Usual::populate(lab);
    let lab = usual.into_lab();
    lab.netctl("ns rm web client other").ok();
    lab.netctl("network rm net1 net2").ok();
    lab.check_is_as(&before);
    assert_eq!(lab.netctl("flows -o json").json(), serde_json::json!([]));
}
