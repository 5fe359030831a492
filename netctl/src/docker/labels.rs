//! Labels of a container that give its published ports rules: `netctl.allow` and `netctl.limit`
//! for all of them, `netctl.allow.8443`, `netctl.limit.5353/udp` or `netctl.allow.9000-9100` for
//! those host ports.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    PortRow, Proto,
    shield::{Limit, Shield, Source, parse_limit, parse_sources},
};

const ALLOW: &str = "netctl.allow";
const LIMIT: &str = "netctl.limit";

/// Host ports that a label is about; the narrowest that has a port counts for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Selector {
    first: u16,
    last: u16,
    /// `None`: all.
    proto: Option<Proto>,
}

const ALL: Selector = Selector {
    first: 1,
    last: u16::MAX,
    proto: None,
};

/// What a container's labels say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    allow: Vec<(Selector, Option<Vec<Source>>)>,
    limit: Vec<(Selector, Limit)>,
}

/// Reads the labels; the first that cannot be understood, and why.
pub(super) fn read(labels: &BTreeMap<String, String>) -> Result<Rules, String> {
    let mut rules = Rules::default();
    for (key, value) in labels {
        let wrong = |error: String| format!("label {key}={value:?}: {error}");
        if let Some(selector) = selector(key, ALLOW).map_err(wrong)? {
            let sources = parse_sources(value).map_err(|error| wrong(error.to_string()))?;
            rules.allow.push((selector, sources));
        } else if let Some(selector) = selector(key, LIMIT).map_err(wrong)? {
            let limit = parse_limit(value).map_err(|error| wrong(error.to_string()))?;
            rules.limit.push((selector, limit));
        }
    }
    Ok(rules)
}

/// The host ports of a label of that name; `None`: it is another label. One that begins like it is
/// meant as it, and would leave its ports open.
fn selector(key: &str, name: &str) -> Result<Option<Selector>, String> {
    let start = key.get(..name.len()).unwrap_or_default();
    if !start.eq_ignore_ascii_case(name) {
        return Ok(None);
    }
    let forms = format!("{name}, {name}.8443, {name}.5353/udp or {name}.9000-9100");
    let ports = match key.strip_prefix(name) {
        Some("") => return Ok(Some(ALL)),
        Some(rest) => rest.strip_prefix('.'),
        None => None,
    };
    let ports = ports.ok_or_else(|| format!("netctl has no label of this name; write {forms}"))?;
    let wrong = || format!("{ports:?} names no host port; write {forms}");
    let (ports, proto) = match ports.split_once('/') {
        None => (ports, None),
        Some((ports, proto)) => {
            let known = [Proto::Tcp, Proto::Udp, Proto::Sctp];
            let proto = known.into_iter().find(|known| known.name() == proto);
            (ports, Some(proto.ok_or_else(wrong)?))
        }
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Some(Selector { first, last, proto })),
        _ => Err(wrong()),
    }
}

impl Selector {
    fn has(self, proto: Proto, port: u16) -> bool {
        (self.first..=self.last).contains(&port) && self.proto.is_none_or(|own| own == proto)
    }

    /// The narrowest first.
    fn width(self) -> (u16, bool) {
        (self.last - self.first, self.proto.is_none())
    }
}

impl Rules {
    /// Those of a single port; `None`: it has none.
    pub(super) fn of(&self, port: PortRow) -> Option<Shield> {
        let (proto, port) = (port.proto, port.host_port);
        let shield = Shield {
            allow: narrowest(&self.allow, proto, port).cloned().flatten(),
            limit: narrowest(&self.limit, proto, port)
                .copied()
                .unwrap_or_default(),
        };
        (shield != Shield::default()).then_some(shield)
    }

    /// Labels that are about no port of these, for a person.
    pub(super) fn unused(&self, ports: &[PortRow]) -> Vec<String> {
        let meets = |selector: &Selector, port: &PortRow| {
            let last = port.host_port + (port.count - 1);
            selector.first <= last
                && port.host_port <= selector.last
                && selector.proto.is_none_or(|own| own == port.proto)
        };
        let all = self.allow.iter().map(|(selector, _)| (ALLOW, selector));
        let all = all.chain(self.limit.iter().map(|(selector, _)| (LIMIT, selector)));
        let unused = all.filter(|(_, selector)| {
            **selector != ALL && !ports.iter().any(|port| meets(selector, port))
        });
        let texts: BTreeSet<String> = unused
            .map(|(name, selector)| {
                let ports = match selector.last - selector.first {
                    0 => selector.first.to_string(),
                    _ => format!("{}-{}", selector.first, selector.last),
                };
                let proto = selector.proto.map_or(String::new(), |p| format!("/{}", p.name()));
                format!("label {name}.{ports}{proto} is about no published port; name a host port as it is published")
            })
            .collect();
        texts.into_iter().collect()
    }
}

fn narrowest<T>(rules: &[(Selector, T)], proto: Proto, port: u16) -> Option<&T> {
    let mut found: Vec<_> = rules.iter().filter(|(s, _)| s.has(proto, port)).collect();
    found.sort_by_key(|(selector, _)| selector.width());
    found.first().map(|(_, rule)| rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(labels: &[(&str, &str)]) -> Result<Rules, String> {
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        read(&labels.iter().map(owned).collect())
    }

    fn port(host_port: u16, count: u16) -> PortRow {
        PortRow {
            proto: Proto::Tcp,
            host_ip: None,
            host_port,
            container_port: 80,
            count,
        }
    }

    fn shown(labels: &[(&str, &str)], port: &PortRow) -> Vec<String> {
        let rules = rules(labels).unwrap();
        let rows = port.split(|port| rules.of(port));
        let show = |(port, shield): (PortRow, Option<Shield>)| {
            let shield = shield.map_or("-".to_owned(), |s| format!("{} {}", s.sources(), s.limit));
            format!(
                "{}->{} x{}: {shield}",
                port.host_port, port.container_port, port.count
            )
        };
        rows.into_iter().map(show).collect()
    }

    #[test]
    fn the_narrowest_label_counts() {
        let labels = [
            ("netctl.allow", "10.0.0.0/8,wg0"),
            ("netctl.allow.9000-9001", "any"),
            ("netctl.allow.9001/udp", "eth7"),
            ("netctl.limit.9000", "5conn/s"),
            ("other", "x"),
            ("net.allowed", "of somebody else"),
        ];
        assert_eq!(
            shown(&labels, &port(80, 1)),
            ["80->80 x1: 10.0.0.0/8,wg0 none"]
        );
        assert_eq!(
            shown(&labels, &port(8999, 5)),
            [
                "8999->80 x1: 10.0.0.0/8,wg0 none",
                "9000->81 x1: any 5conn/s",
                "9001->82 x1: -",
                "9002->83 x2: 10.0.0.0/8,wg0 none",
            ]
        );
        assert_eq!(shown(&[], &port(80, 9)), ["80->80 x9: -"]);
    }

    #[test]
    fn what_is_wrong_with_a_label_is_said() {
        for (key, value, says) in [
            (
                "netctl.allow",
                "10.0.0.300",
                "label netctl.allow=\"10.0.0.300\": source",
            ),
            ("netctl.limit", "20", "label netctl.limit=\"20\": limit"),
            ("netctl.allow.web", "any", "\"web\" names no host port"),
            ("netctl.allow.0", "any", "\"0\" names no host port"),
            ("netctl.allow.90-80", "any", "\"90-80\" names no host port"),
            (
                "netctl.limit.80/icmp",
                "none",
                "\"80/icmp\" names no host port",
            ),
            (
                "netctl.allows",
                "10.0.0.0/8",
                "label netctl.allows=\"10.0.0.0/8\": netctl has no label of this name; write netctl.allow, netctl.allow.8443,",
            ),
            ("netctl.allow-8443", "any", "write netctl.allow, netctl"),
            ("netctl.allowed", "any", "no label of this name"),
            ("netctl.Allow", "any", "write netctl.allow, netctl"),
            ("netctl.limits", "1conn/s", "write netctl.limit, netctl"),
            ("netctl.limit:80", "1conn/s", "write netctl.limit, netctl"),
        ] {
            let error = rules(&[(key, value)]).unwrap_err();
            assert!(error.contains(says), "{key}={value}: {error}");
        }
        let found = rules(&[
            ("netctl.allow", "any"),
            ("netctl.allow.80", "10.0.0.0/8"),
            ("netctl.limit.81/udp", "1conn/s"),
            ("netctl.limit.90-99", "1conn/s"),
        ]);
        let unused = found
            .unwrap()
            .unused(&[port(80, 1), port(95, 1), port(81, 1)]);
        assert_eq!(unused.len(), 1, "{unused:?}");
        assert!(unused[0].starts_with("label netctl.limit.81/udp is about no"));
    }
}
