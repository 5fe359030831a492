//! Rules of netfilter that the Engine has made, or that somebody has made for it.

use std::{collections::BTreeSet, fs, io};

use super::Finding;
use crate::kernel::netlink::netfilter::{self, Chain, Rule};

const TOPIC: &str = "netfilter";
/// Rules and chains of the Engine's, as iptables-save writes them: by their chains and interfaces;
/// and that by which a container asks itself by its published port, which names neither.
const ENGINES: &str = r"DOCKER|docker0|br-[0-9a-f]{12}|-s ([^ ]+) -d \1 .*-j MASQUERADE";
/// Tables of the Engine's own backend for nftables (29).
const TABLE: &str = "docker-bridges";
/// What the Engine leaves to the administrator.
const USER: &str = "DOCKER-USER";
/// Parts of names by which rules of the Engine's, and of firewalls that are told of by themselves,
/// are known: chains that they lead to, interfaces that they are about.
const KNOWN: [&str; 4] = ["DOCKER", "docker", "br-", "ufw"];
/// Tables that are told of by themselves.
const KNOWN_TABLES: [&str; 2] = [TABLE, "firewalld"];

pub(super) fn findings() -> Vec<Finding> {
    let chains = match netfilter::chains() {
        Ok(chains) => chains.unwrap_or_default(),
        Err(error) => return vec![Finding::unknown(TOPIC, "the rules of nftables", error)],
    };
    let mut found = Vec::new();
    for chain in chains.iter().filter(|chain| chain.name == USER) {
        match netfilter::rules(chain) {
            Err(error) => found.push(Finding::unknown(TOPIC, "the rules of DOCKER-USER", error)),
            Ok(rules) => found.extend(users(chain, &rules)),
        }
    }
    match others(&chains) {
        Err(error) => found.push(Finding::unknown(TOPIC, "the rules of nftables", error)),
        Ok(others) => found.extend(filtering(&others)),
    }
    let dockers: Vec<&Chain> = chains.iter().filter(|chain| is_dockers(chain)).collect();
    if !dockers.is_empty() {
        found.push(left(&dockers));
    }
    found.extend(legacy());
    if found.is_empty() {
        found.push(Finding::ok(TOPIC, "no rules of the Engine"));
    }
    found
}

fn is_dockers(chain: &Chain) -> bool {
    chain.table == TABLE || chain.name == "DOCKER" || chain.name.starts_with("DOCKER-")
}

/// Rules of the administrator, who relies on them.
fn users(chain: &Chain, rules: &[Rule]) -> Option<Finding> {
    // The Engine's own: a counter and a return.
    let is_engines = |rule: &Rule| rule.expressions == ["counter", "immediate"];
    let own = rules.iter().filter(|rule| !is_engines(rule)).count();
    let own = own.max(rules.len().saturating_sub(1));
    (own > 0).then(|| {
        let command = iptables(chain.family);
        Finding::change(
            TOPIC,
            format!(
                "{own} rules of yours in {USER} ({}): what netctl serves does not pass them, so whom they keep out gets in",
                chain.family
            ),
            [
                format!("sudo {command} -S {USER}   # what they say"),
                "# the same by netctl, on the host port: a label netctl.allow=10.0.0.0/8, or".to_owned(),
                "netctl port allow CONTAINER 8080:80 --from 10.0.0.0/8".to_owned(),
                format!("sudo {command} -F {USER}   # then"),
            ],
        )
    })
}

/// Chains that what is forwarded passes with stock Docker and not with netctl, with the number of
/// rules in them that are somebody else's.
fn others(chains: &[Chain]) -> io::Result<Vec<(&Chain, usize)>> {
    let passed = chains.iter().filter(|chain| is_passed(chain));
    let mut found = Vec::new();
    for chain in passed.filter(|chain| !KNOWN_TABLES.contains(&&*chain.table)) {
        let rules = netfilter::rules(chain)?;
        // The Engine itself lets through here, and refuses in chains of its own; but in `raw`,
        // where 28 and later keep those out who route to a container.
        let is_engines_kind = |rule: &Rule| chain.table == "raw" || !rule.refuses();
        let is_known =
            |rule: &Rule| is_engines_kind(rule) && KNOWN.iter().any(|name| rule.mentions(name));
        let count = rules.iter().filter(|rule| !is_known(rule)).count();
        if count > 0 {
            found.push((chain, count));
        }
    }
    Ok(found)
}

/// Filters on the way to a published port of stock Docker's: before routing, between interfaces,
/// and on an interface itself behind the place of netctl's programs.
fn is_passed(chain: &Chain) -> bool {
    /// NF_INET_PRE_ROUTING and NF_INET_FORWARD; NF_NETDEV_INGRESS.
    const PRE_ROUTING: u32 = 0;
    const FORWARD: u32 = 2;
    const INGRESS: u32 = 0;
    let hook = chain.hook.as_ref().filter(|hook| hook.kind == "filter");
    hook.is_some_and(|hook| match chain.family {
        "ip" | "ip6" | "inet" => [PRE_ROUTING, FORWARD].contains(&hook.number),
        "netdev" => hook.number == INGRESS,
        _ => false,
    })
}

/// Nobody but their author knows whether they are about containers.
fn filtering(others: &[(&Chain, usize)]) -> Option<Finding> {
    let mut names: Vec<String> = others
        .iter()
        .map(|(chain, _)| format!("{} {} {}", chain.family, chain.table, chain.name))
        .collect();
    names.sort_unstable();
    let count: usize = others.iter().map(|(_, count)| count).sum();
    (count > 0).then(|| {
        let shown = names
            .iter()
            .map(|name| format!("sudo nft list chain {name}   # what they say"));
        let instead = "# whom they are to keep out of a published port: the label netctl.allow=10.0.0.0/8, or netctl port allow";
        Finding::note(
            TOPIC,
            format!(
                "{count} rules of others ({}): what netctl serves does not pass them",
                names.join(", ")
            ),
            shown.chain([instead.to_owned()]),
        )
    })
}

/// What stays when the Engine stops to make rules.
fn left(chains: &[&Chain]) -> Finding {
    let tables: BTreeSet<(&str, &str)> = chains
        .iter()
        .map(|chain| (chain.family, chain.table.as_str()))
        .collect();
    let mut remedy = vec![
        "# nothing of it meets what netctl serves; after the Engine's restart, a reboot takes it away, or:"
            .to_owned(),
    ];
    let families: BTreeSet<&str> = tables
        .iter()
        .filter(|(_, table)| *table != TABLE)
        .map(|(family, _)| *family)
        .collect();
    for family in families {
        let command = iptables(family);
        remedy.push(format!(
            "sudo sh -c \"{command}-save | grep -vE '{ENGINES}' | {command}-restore\""
        ));
    }
    for (family, table) in tables.iter().filter(|(_, table)| *table == TABLE) {
        remedy.push(format!("sudo nft delete table {family} {table}"));
    }
    let named: Vec<String> = tables
        .iter()
        .map(|(family, table)| format!("{family} {table}"))
        .collect();
    let count = chains.len();
    let named = named.join(", ");
    Finding::note(
        TOPIC,
        format!("{count} chains of the Engine ({named})"),
        remedy,
    )
}

/// Rules of the old interface are not listed by the new one.
fn legacy() -> Option<Finding> {
    let tables = ["ip_tables_names", "ip6_tables_names"].map(|file| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"));
        // Absent where nobody has ever used it.
        text.unwrap_or_default()
    });
    let tables: BTreeSet<&str> = tables.iter().flat_map(|text| text.lines()).collect();
    (!tables.is_empty()).then(|| {
        let named = tables.into_iter().collect::<Vec<_>>().join(", ");
        Finding::note(
            TOPIC,
            format!("tables of iptables-legacy ({named}), which are not looked into"),
            ["sudo iptables-legacy-save | grep DOCKER"],
        )
    })
}

fn iptables(family: &str) -> &'static str {
    match family {
        "ip6" => "ip6tables",
        _ => "iptables",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::check::Level;

    fn rule(expressions: &[&str]) -> Rule {
        Rule::new(expressions, &[])
    }

    #[test]
    fn the_engines_own_rule_is_no_users() {
        let chain = Chain::new("ip", "filter", USER);
        let engines = rule(&["counter", "immediate"]);
        assert_eq!(users(&chain, &[]), None);
        assert_eq!(users(&chain, std::slice::from_ref(&engines)), None);
        let own = rule(&["meta", "cmp", "counter", "immediate"]);
        let found = users(&chain, &[own, engines.clone()]).unwrap();
        assert!(found.found.starts_with("1 rules"), "{found:?}");
        assert_eq!(found.level, Level::Change);
        // One without a condition has the same form.
        let found = users(&chain, &[engines.clone(), engines]).unwrap();
        assert!(found.found.starts_with("1 rules"), "{found:?}");
    }

    #[test]
    fn what_is_left_is_taken_away_by_the_tables_it_is_in() {
        let chains = [
            Chain::new("ip", "nat", "DOCKER"),
            Chain::new("ip", "filter", "DOCKER-USER"),
            Chain::new("ip6", TABLE, "filter-FORWARD"),
        ];
        let found = left(&chains.iter().collect::<Vec<_>>());
        assert_eq!(
            found.found,
            "3 chains of the Engine (ip filter, ip nat, ip6 docker-bridges)"
        );
        assert_eq!(found.remedy.len(), 3, "{found:?}");
        assert!(found.remedy[1].contains("iptables-save"), "{found:?}");
        assert_eq!(found.remedy[2], "sudo nft delete table ip6 docker-bridges");
        assert!(!is_dockers(&Chain::new("ip", "filter", "INPUT")));
    }
}
