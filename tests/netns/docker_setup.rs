//! `netctl docker check`, `enable` and `disable` on a machine's files and in a namespace's rules.
//! No Engine and no daemon take part.

use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
};

use netctl::kernel::bpf::{link, program};
use netctl_tests::lab::Lab;
use nix::sched::{CloneFlags, setns};
use serde_json::Value;

const STOCK: &str = "{\n\t\"log-driver\": \"local\",\n\t\"iptables\": true\n}\n";

/// A lab whose files are below a folder of its own.
struct Machine {
    lab: Lab,
    root: PathBuf,
}

impl Machine {
    fn new(daemon_json: &str) -> Self {
        let lab = Lab::bare();
        let root = lab.scratch().join("root");
        let machine = Self { lab, root };
        machine.write("etc/docker/daemon.json", daemon_json);
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn run(&self, words: &str) -> netctl_tests::cli::Outcome {
        let root = self.root.display();
        self.lab.netctl(&format!("docker {words} --root {root}"))
    }

    /// Exit code, and the findings.
    #[track_caller]
    fn check(&self) -> (i32, Vec<Value>) {
        let outcome = self.run("check -o json");
        let report: Value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        assert_eq!(report["ready"], outcome.code == 0, "{report:#}");
        (outcome.code, report["findings"].as_array().unwrap().clone())
    }

    /// Findings of that topic that are not fine: levels and what was found.
    #[track_caller]
    fn told(&self, topic: &str) -> Vec<(String, String)> {
        let (_, findings) = self.check();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        findings
            .iter()
            .filter(|finding| finding["topic"] == topic && finding["level"] != "ok")
            .map(|finding| (text(&finding["level"]), text(&finding["found"])))
            .collect()
    }
}

#[test]
fn a_host_goes_there_and_back() {
    let machine = Machine::new(STOCK);
    let (code, findings) = machine.check();
    assert_eq!(code, 1);
    let missing = findings
        .iter()
        .find(|finding| finding["topic"] == "daemon.json")
        .unwrap();
    assert_eq!(missing["level"], "change");
    let lines = missing["remedy"].to_string();
    for line in ["iptables", "ip6tables", "userland-proxy"] {
        assert!(lines.contains(&format!("\\\"{line}\\\": false")), "{lines}");
    }
    assert_eq!(machine.told("netctl.toml").len(), 1);

    // A dry run shows it, and writes nothing.
    let shown = machine.run("enable --dry-run").ok().stdout;
    for line in [
        "-\t\"iptables\": true",
        "+\t\"iptables\": false",
        "+adopt = true",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(machine.read("etc/docker/daemon.json").unwrap(), STOCK);
    assert_eq!(machine.read("etc/netctl/netctl.toml"), None);

    let shown = machine.run("enable").ok().stdout;
    for line in [
        "systemctl restart docker",
        "reload is not enough",
        "daemon.json.before-netctl",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(
        machine.read("etc/docker/daemon.json").unwrap(),
        "{\n\t\"log-driver\": \"local\",\n\t\"iptables\": false,\n\t\"ip6tables\": false,\n\t\"userland-proxy\": false\n}\n"
    );
    assert_eq!(
        machine
            .read("etc/docker/daemon.json.before-netctl")
            .unwrap(),
        STOCK
    );
    let (code, findings) = machine.check();
    assert_eq!(code, 0, "{findings:#?}");
    let text = machine.run("check").ok().stdout;
    assert!(text.contains("Nothing has to be changed."), "{text}");
    assert!(
        machine
            .run("enable")
            .ok()
            .stdout
            .contains("nothing to change")
    );

    machine.run("disable").ok();
    assert_eq!(machine.read("etc/docker/daemon.json").unwrap(), STOCK);
    assert_eq!(machine.read("etc/netctl/netctl.toml"), None);
    assert!(
        machine
            .run("disable")
            .ok()
            .stdout
            .contains("nothing to take back")
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let broken = "{\n  \"iptables\": true,\n  \"dns\": [\"1.1.1.1\"\n}\n";
    let machine = Machine::new(broken);
    machine
        .run("enable")
        .fails_with(1, &["daemon.json, line 4, column 1", "nothing was changed"]);
    assert_eq!(machine.read("etc/docker/daemon.json").unwrap(), broken);
    assert_eq!(machine.told("daemon.json")[0].0, "change");
    machine.write("etc/docker/daemon.json", STOCK);
    machine.write("etc/netctl/netctl.toml", "[docker]\nadopt = \"yes\"\n");
    machine
        .run("enable")
        .fails_with(1, &["netctl.toml, line 2"]);
    assert_eq!(machine.read("etc/docker/daemon.json").unwrap(), STOCK);
    machine.write(
        "etc/systemd/system/docker.service",
        "[Service]\nExecStart=/usr/bin/dockerd --userland-proxy=false\n",
    );
    machine.write("etc/netctl/netctl.toml", "");
    machine
        .run("enable")
        .fails_with(1, &["--userland-proxy=false", "docker.service"]);
    assert_eq!(machine.read("etc/docker/daemon.json").unwrap(), STOCK);
}

#[test]
fn rules_and_programs_of_others_are_found() {
    let machine = Machine::new("{}");
    machine.run("enable").ok();
    assert_eq!(machine.check().0, 0);
    let lab = &machine.lab;
    // As iptables makes what the Engine asks for.
    for rule in ["-N DOCKER-USER", "-A DOCKER-USER -j RETURN", "-N DOCKER"] {
        let words: Vec<&str> = ["iptables"].into_iter().chain(rule.split(' ')).collect();
        lab.sh(&words);
    }
    let told = machine.told("netfilter");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].0 == "note" && told[0].1.contains("2 chains"),
        "{told:?}"
    );
    assert_eq!(machine.check().0, 0, "what is left is in nobody's way");
    // What keeps somebody out would not any more.
    lab.sh(&[
        "iptables",
        "-I",
        "DOCKER-USER",
        "-s",
        "198.51.100.9",
        "-j",
        "DROP",
    ]);
    let told = machine.told("netfilter");
    assert!(
        told[0].0 == "change" && told[0].1.contains("1 rules of yours"),
        "{told:?}"
    );
    assert_eq!(machine.check().0, 1);
    lab.sh(&["iptables", "-F", "DOCKER-USER"]);
    assert_eq!(machine.check().0, 0);

    rules_on_the_way_are_told(&machine);

    lab.sh(&["tc", "qdisc", "add", "dev", "up0", "clsact"]);
    let filter = "filter add dev up0 ingress prio 7 protocol ip u32 match u32 0 0 classid 1:1";
    let words: Vec<&str> = ["tc"].into_iter().chain(filter.split(' ')).collect();
    lab.sh(&words);
    let told = machine.told("bpf");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("u32 on up0 (tc ingress)"), "{told:?}");
    assert_eq!(machine.check().0, 0);

    if link::tcx_supported() {
        let _link = tcx_link(lab);
        let told = machine.told("bpf");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].1.contains("on up0 (tcx ingress)"), "{told:?}");
    }
    // What netctl itself has there is none of others'.
    fs::write(lab.config_path(), "[datapath]\nxdp = 'on'\n").unwrap();
    lab.start_daemon();
    lab.populate("net1", &[("web", "-p 8080:80")]);
    lab.netctl("port allow web 8080:80 --from 198.51.100.0/24")
        .ok();
    assert!(lab.ip("link show up0").contains("xdp"));
    assert_eq!(machine.told("bpf").len(), 1);
}

/// Rules that stock Docker's traffic passes and netctl's does not; the Engine's own are not counted.
#[track_caller]
fn rules_on_the_way_are_told(machine: &Machine) {
    let lab = &machine.lab;
    let others = || {
        let told = machine.told("netfilter").into_iter();
        let mut others = told.filter(|(_, found)| found.contains("rules of others"));
        others.next()
    };
    let iptables = |rule: &str| {
        let words: Vec<&str> = ["iptables"].into_iter().chain(rule.split(' ')).collect();
        lab.sh(&words);
    };
    for engines in [
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -o docker0 -j DOCKER",
        "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
        "-t raw -A PREROUTING -d 172.17.0.2 ! -i docker0 -j DROP",
        "-t nat -A PREROUTING -j ACCEPT",
        "-A INPUT -s 198.51.100.9 -j DROP",
    ] {
        iptables(engines);
    }
    assert_eq!(others(), None);
    for own in [
        "-I FORWARD -s 198.51.100.9 -j ACCEPT",
        "-I FORWARD -i up0 -o docker0 -j DROP",
        "-I FORWARD -o docker0 -s 198.51.100.9 -j REJECT",
    ] {
        iptables(own);
    }
    lab.sh(&["nft", "add table inet mine"]);
    lab.sh(&[
        "nft",
        "add chain inet mine early { type filter hook prerouting priority -300; }",
    ]);
    lab.sh(&["nft", "add rule inet mine early ip saddr 198.51.100.9 drop"]);
    let (level, found) = others().unwrap();
    assert_eq!(level, "note");
    assert_eq!(
        found,
        "4 rules of others (inet mine early, ip filter FORWARD): what netctl serves does not pass them"
    );
    assert_eq!(
        machine.check().0,
        0,
        "whom they are about nobody else knows"
    );
    lab.sh(&["nft", "flush ruleset"]);
}

/// A program of somebody's on the uplink, until this is dropped.
fn tcx_link(lab: &Lab) -> OwnedFd {
    let netns = fs::File::open(format!("/proc/{}/ns/net", lab.host().pid())).unwrap();
    let index = lab.host().link("up0").index;
    let attach = move || {
        setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
        let program = program::pass().unwrap();
        link::create(program.as_fd(), index, link::TCX_INGRESS).unwrap()
    };
    // A thread of its own, which ends in that namespace.
    std::thread::spawn(attach).join().unwrap()
}
