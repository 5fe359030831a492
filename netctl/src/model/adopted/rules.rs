//! What an operator said of ports that come and go with their container's starts.
//!
//! The engine may draw other host ports at each start, and how the ports stand in rows depends on
//! those: so rules are looked up for every port by itself.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Container;
use crate::model::{PortRow, Proto, shield::Shield};

/// Rules of ports that come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRules {
    /// Which ports: as they were.
    pub host_ip: Option<IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
    pub count: u16,
    pub proto: Proto,
    pub shield: Shield,
}

/// How surely rules are those of a port: the least wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    /// The same port.
    Same,
    /// On an address that stands for its own, or the other way about.
    Meets,
    /// It leads to the same container port, where nothing leads from the old number any more: the
    /// engine has drawn another.
    Drawn,
}

/// An operator said different things of ports that it may be either of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear;

impl PortRules {
    fn new(row: PortRow, shield: Shield) -> Self {
        let PortRow {
            proto,
            host_ip,
            host_port,
            container_port,
            count,
        } = row;
        Self {
            host_ip,
            host_port,
            container_port,
            count,
            proto,
            shield,
        }
    }

    fn row(&self) -> PortRow {
        PortRow {
            proto: self.proto,
            host_ip: self.host_ip,
            host_port: self.host_port,
            container_port: self.container_port,
            count: self.count,
        }
    }

    /// `port`: a single one. `now`: the container's ports.
    fn nearness(&self, port: PortRow, now: &[PortRow]) -> Option<Nearness> {
        let row = self.row();
        let old = PortRow {
            host_port: row.host_port_of(port.container_port)?,
            ..port
        };
        if !row.meets(port) {
            return None;
        }
        match (old == port, row.host_ip == port.host_ip) {
            (true, true) => Some(Nearness::Same),
            (true, false) => Some(Nearness::Meets),
            (false, _) => (!has(now, old)).then_some(Nearness::Drawn),
        }
    }
}

/// Whether a single port is among these, on whatever address.
fn has(rows: &[PortRow], port: PortRow) -> bool {
    let mut same = rows.iter().filter(|row| row.proto == port.proto);
    same.any(|row| row.host_port_of(port.container_port) == Some(port.host_port))
}

impl Container {
    /// What an operator said of a single port. `now`: all ports that the container has. A port
    /// whose host port was drawn anew is known by where it leads to: rules are not lost with a
    /// number.
    pub fn rules_of(&self, port: PortRow, now: &[PortRow]) -> Result<Option<&Shield>, Unclear> {
        let near = self.rules.iter().filter_map(|rules| {
            let nearness = rules.nearness(port, now)?;
            Some((nearness, &rules.shield))
        });
        let near: Vec<(Nearness, &Shield)> = near.collect();
        let least = near.iter().map(|(nearness, _)| *nearness).min();
        let mut said = near.iter().filter(|(nearness, _)| Some(*nearness) == least);
        let Some((_, shield)) = said.next() else {
            return Ok(None);
        };
        match said.all(|(_, other)| other == shield) {
            true => Ok(Some(shield)),
            false => Err(Unclear),
        }
    }

    /// Whether an operator said anything that may be of one of these ports.
    pub fn may_rule(&self, row: PortRow) -> bool {
        self.rules.iter().any(|rules| {
            let known = rules.row();
            known.meets(row)
                && known.container_port <= row.container_last()
                && row.container_port <= known.container_last()
        })
    }

    /// Notes what an operator said of the ports that the container has now. That takes the place
    /// of what was said of others that led to the same container ports; but not while it is unclear
    /// what was said of one that leads there ([`Shield::nobody`]).
    pub fn note_rules(&mut self, now: &[(PortRow, Option<Shield>)]) {
        let is_unclear = |said: &Option<Shield>| said.as_ref().is_some_and(Shield::is_nobody);
        let (unclear, clear): (Vec<_>, Vec<_>) =
            now.iter().cloned().partition(|(_, said)| is_unclear(said));
        let leads_there = |all: &[(PortRow, Option<Shield>)], port: PortRow| {
            let mut rows = all.iter().map(|(row, _)| row);
            rows.any(|row| row.meets(port) && row.host_port_of(port.container_port).is_some())
        };
        self.drop_rules(|port| leads_there(&clear, port) && !leads_there(&unclear, port));
        let said = clear
            .into_iter()
            .filter_map(|(row, said)| Some(PortRules::new(row, said?)));
        self.add_rules(said.collect());
    }

    /// Adds rules, which take the place of those that the same ports had.
    pub fn add_rules(&mut self, rules: Vec<PortRules>) {
        let rows: Vec<PortRow> = rules.iter().map(PortRules::row).collect();
        self.drop_rules(|port| {
            let mut rows = rows.iter();
            rows.any(|row| row.meets(port) && has(&[*row], port))
        });
        self.rules.extend(rules);
    }

    /// Takes single ports out of the rules.
    fn drop_rules(&mut self, is_dropped: impl Fn(PortRow) -> bool) {
        let all = std::mem::take(&mut self.rules);
        self.rules = all
            .into_iter()
            .flat_map(|rules| {
                let rows = rules.row().split(&is_dropped).into_iter();
                let stays = rows.filter(|(_, dropped)| !dropped);
                let stays = stays.map(|(row, _)| PortRules::new(row, rules.shield.clone()));
                stays.collect::<Vec<_>>()
            })
            .collect();
    }
}

#[cfg(test)]
mod tests;
