//! Everything of the host that netctl might change, to prove that it is as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, setns};

use super::Lab;
use crate::prog::attached;

/// What was found, by a name for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    /// Lines that differ, for a person; empty when nothing does.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut keys: Vec<&String> = self.0.keys().chain(now.0.keys()).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter()
            .filter(|key| self.0.get(*key) != now.0.get(*key))
            .map(|key| {
                let show = |of: &Self| {
                    of.0.get(key)
                        .cloned()
                        .unwrap_or_else(|| "absent".to_owned())
                };
                format!("{key}:\n  was: {}\n  now: {}", show(self), show(now))
            })
            .collect()
    }
}

impl Lab {
    /// Links, addresses, routes, rules, qdiscs, filters, sysctls, firewall rules, named
    /// namespaces, pins and the programs of the cgroup.
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot {
        let mut found = BTreeMap::new();
        for (name, words) in [
            ("links", "ip -o link show"),
            ("addresses", "ip -o -4 addr show"),
            ("IPv6 addresses", "ip -o -6 addr show"),
            ("routes", "ip -4 route show table all"),
            ("IPv6 routes", "ip -6 route show table all"),
            ("rules", "ip -4 rule show"),
            ("qdiscs", "tc qdisc show"),
            ("filters of up0", "tc filter show dev up0 ingress"),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            found.insert(name.to_owned(), steady(&self.sh(&words)));
        }
        for (name, words) in [
            ("nft", "nft list ruleset"),
            ("iptables", "iptables-save -t nat"),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            // Only where the machine has the tool; without it there are no rules either.
            if let Ok(output) = self.host_place.command(words[0]).args(&words[1..]).output() {
                let text = String::from_utf8_lossy(&output.stdout);
                let rules = text.lines().filter(|line| !line.starts_with('#'));
                found.insert(name.to_owned(), rules.collect::<Vec<_>>().join("\n"));
            }
        }
        let sysctls = self.sh(&["sh", "-c", SYSCTLS]);
        for line in sysctls.lines() {
            if let Some((name, value)) = line.split_once(':') {
                found.insert(name.to_owned(), value.to_owned());
            }
        }
        found.insert("namespaces".to_owned(), list(&self.inside("/run/netns")));
        found.insert("pins".to_owned(), list(&self.inside(self.bpffs())));
        let attached: Vec<String> = self
            .attached()
            .iter()
            .map(|(place, hook, _)| format!("{place} {hook}"))
            .collect();
        found.insert("programs".to_owned(), attached.join("\n"));
        Snapshot(found)
    }

    /// The host is as it was.
    #[track_caller]
    pub fn check_is_as(&self, before: &Snapshot) {
        let left = before.differences(&self.snapshot());
        assert!(left.is_empty(), "{}", left.join("\n"));
    }

    /// `netctl purge` leaves the host as it was before.
    #[track_caller]
    pub fn check_purges_to(&self, before: &Snapshot) {
        self.netctl("purge").ok();
        // It may have ended by itself; what it leaves is the same either way.
        self.kill_daemon();
        self.check_is_as(before);
    }

    /// Programs on the lab's cgroup and by TCX on the host's interfaces: place, hook, id.
    pub fn attached(&self) -> Vec<(String, &'static str, u32)> {
        let on_cgroup = attached::cgroup_programs(self.cgroup.path());
        let mut all: Vec<_> = on_cgroup
            .into_iter()
            .map(|(hook, id)| ("cgroup".to_owned(), hook, id))
            .collect();
        let links = self.host.links();
        let net = File::open(format!("/proc/{}/ns/net", self.host.pid())).unwrap();
        // A thread of its own, since its namespace is for good.
        let on_links = thread::spawn(move || {
            setns(net, CloneFlags::CLONE_NEWNET).unwrap();
            let mut found = Vec::new();
            for link in links {
                for (hook, id) in attached::tcx_programs(link.index) {
                    found.push((link.name.clone(), hook, id));
                }
            }
            found
        });
        all.extend(on_links.join().unwrap());
        all
    }

    /// Ids of the programs that [`Self::attached`] finds.
    pub fn own_programs(&self) -> BTreeSet<u32> {
        self.attached().into_iter().map(|(_, _, id)| id).collect()
    }
}

/// Settings of IPv4 and IPv6 forwarding and of each interface. Counters and secrets beside them
/// change by themselves or cannot be read.
const SYSCTLS: &str = "grep -s . /proc/sys/net/ipv4/ip_forward \
     /proc/sys/net/ipv4/ip_local_reserved_ports /proc/sys/net/ipv4/conf/*/* \
     /proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/disable_ipv6 \
     /proc/sys/net/ipv6/conf/*/accept_ra /proc/sys/net/ipv6/conf/*/addr_gen_mode; true";

/// Without the carrier's state: a bridge without ports loses it a moment after its creation. And
/// without the queue's length: the kernel gives one to an interface that has none when it gets a
/// clsact qdisc (qdisc_create), and it means nothing to one that does not queue.
fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line
            .replace("NO-CARRIER,", "")
            .replace(" linkdown", "")
            .replace(" qlen 1000", " ");
        let mut words = line.split(' ').peekable();
        let mut kept = Vec::new();
        while let Some(word) = words.next() {
            if word == "state" {
                words.next();
            } else {
                kept.push(word);
            }
        }
        kept.join(" ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn list(folder: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names.join(" ")
}
