//! Who may use a published port from outside, and how fast, in an operator's words:
//! `10.0.0.0/8,tailscale0` and `20conn/s,1000pkt/s`.

use std::{
    fmt::{self, Display},
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The rules of a published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shield {
    /// Who is let in; `None`: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<Source>>,
    /// Of each source.
    #[serde(default, skip_serializing_if = "Limit::is_none")]
    pub limit: Limit,
}

impl Shield {
    /// Lets nobody in.
    pub fn nobody() -> Self {
        Self {
            allow: Some(Vec::new()),
            limit: Limit::default(),
        }
    }

    /// Whether it is [`Self::nobody`], which no list of sources says.
    pub fn is_nobody(&self) -> bool {
        self.allow.as_ref().is_some_and(Vec::is_empty)
    }
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// Packets from there.
    Net(IpNet),
    /// Packets that come in by the host's interface of that name.
    Interface(String),
}

/// How much one source may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// New connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Rate>,
    /// Packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Rate>,
}

/// So many in a time, as many of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// 1 or more.
    pub count: u32,
    pub per: Period,
}

/// The time of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Second,
    Minute,
    Hour,
}

/// The rules of a published port, by who made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// By `netctl port allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Shield>,
    /// By labels of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Shield>,
}

impl Rules {
    /// Those that count: an operator's take the place of a label's.
    pub fn in_force(&self) -> Option<&Shield> {
        let chosen = self.operator.as_ref().or(self.labels.as_ref());
        chosen.filter(|shield| **shield != Shield::default())
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Limit {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Period {
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// As it is written and printed.
    const fn word(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }
}

/// Most of a [`Rate`]: beyond this a nanosecond is too long an interval.
const MOST: u32 = 100_000_000;
/// Most sources that one port's list may name.
const MOST_SOURCES: usize = 1024;
/// IFNAMSIZ with its zero byte (linux/if.h).
const INTERFACE_NAME: usize = 16;
/// Says that there is no rule.
const ANY: &str = "any";
const NONE: &str = "none";

/// What cannot be understood, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShieldError {
    #[error(
        "source {0:?} is neither an address, a subnet nor an interface; write sources as 10.0.0.0/8,2001:db8::/32,tailscale0, or \"any\""
    )]
    Source(String),
    #[error("source {given} has bits behind its prefix; write {net}")]
    HostBits { given: String, net: IpNet },
    #[error("source {0} is an IPv4 subnet in IPv6's clothes; write it as IPv4's")]
    Mapped(String),
    #[error("the list of sources {0:?} has an empty place; write sources with one comma between")]
    EmptySource(String),
    #[error("\"any\" stands alone: with it the other sources of {0:?} would mean nothing")]
    AnyAmongOthers(String),
    #[error(
        "{0} sources are more than the {MOST_SOURCES} that a port's list may have; name larger subnets"
    )]
    TooMany(usize),
    #[error(
        "limit {0:?} is not understood; write limits as 20conn/s,1000pkt/s (conn or pkt, a second \"s\", a minute \"min\" or an hour \"h\"), or \"none\""
    )]
    Limit(String),
    #[error("limit {0:?}: the number is from 1 to {MOST}")]
    Number(String),
    #[error("limit {0:?} names {1} twice; write each once")]
    Twice(String, &'static str),
}

/// Reads a list of sources; `None`: everybody.
pub fn parse_sources(text: &str) -> Result<Option<Vec<Source>>, ShieldError> {
    if text.trim() == ANY {
        return Ok(None);
    }
    let mut sources = Vec::new();
    for part in text.split(',').map(str::trim) {
        match part {
            "" => return Err(ShieldError::EmptySource(shown(text))),
            ANY => return Err(ShieldError::AnyAmongOthers(shown(text))),
            _ => {}
        }
        let source = parse_source(part)?;
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    match sources.len() {
        0..=MOST_SOURCES => Ok(Some(sources)),
        many => Err(ShieldError::TooMany(many)),
    }
}

fn parse_source(text: &str) -> Result<Source, ShieldError> {
    let net = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(net), _) => net,
        (_, Ok(addr)) => addr.into(),
        _ if is_interface(text) => return Ok(Source::Interface(text.to_owned())),
        _ => return Err(ShieldError::Source(shown(text))),
    };
    if let IpAddr::V6(addr) = net.addr()
        && addr.to_ipv4_mapped().is_some()
    {
        return Err(ShieldError::Mapped(shown(text)));
    }
    if net != net.trunc() {
        let (given, net) = (shown(text), net.trunc());
        return Err(ShieldError::HostBits { given, net });
    }
    Ok(Source::Net(net))
}

/// As the kernel lets one be named (dev_valid_name), but for what was meant as an address.
fn is_interface(text: &str) -> bool {
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let fits = (1..INTERFACE_NAME).contains(&text.len());
    let bad = |b: u8| matches!(b, b'/' | b':') || !b.is_ascii_graphic();
    fits && !is_number && !text.bytes().any(bad)
}

/// Reads limits.
pub fn parse_limit(text: &str) -> Result<Limit, ShieldError> {
    let mut limit = Limit::default();
    if text.trim() == NONE {
        return Ok(limit);
    }
    for part in text.split(',').map(str::trim) {
        let wrong = || ShieldError::Limit(shown(part));
        let (what, per) = part.split_once('/').ok_or_else(wrong)?;
        let digits = what.bytes().take_while(u8::is_ascii_digit).count();
        let (number, what) = what.split_at(digits);
        let (place, name) = match what {
            "conn" => (&mut limit.connections, "conn"),
            "pkt" => (&mut limit.packets, "pkt"),
            _ => return Err(wrong()),
        };
        let per = match per {
            "s" => Period::Second,
            "min" => Period::Minute,
            "h" => Period::Hour,
            _ => return Err(wrong()),
        };
        if number.is_empty() {
            return Err(wrong());
        }
        let count = number.parse().ok().filter(|n| (1..=MOST).contains(n));
        let count = count.ok_or_else(|| ShieldError::Number(shown(part)))?;
        if place.replace(Rate { count, per }).is_some() {
            return Err(ShieldError::Twice(shown(text), name));
        }
    }
    Ok(limit)
}

/// What was given, cut to what a message has room for.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Interface(name) => f.write_str(name),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [(self.connections, "conn"), (self.packets, "pkt")];
        let text = |(rate, what): (Option<Rate>, &str)| {
            rate.map(|rate| format!("{}{what}/{}", rate.count, rate.per.word()))
        };
        let parts: Vec<String> = all.into_iter().filter_map(text).collect();
        f.write_str(if parts.is_empty() { NONE } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

impl Shield {
    /// Sources as they are written.
    pub fn sources(&self) -> String {
        match &self.allow {
            None => ANY.to_owned(),
            Some(sources) => {
                let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
                names.join(",")
            }
        }
    }
}

#[cfg(test)]
mod tests;
