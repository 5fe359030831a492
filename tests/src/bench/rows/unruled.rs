//! LAN → published port without a rule, while another port has one: what that costs.

use std::{os::fd::OwnedFd, time::Duration};

use super::{
    super::{
        bed::{
            Bed, Path,
            guard::{self, Guard, Place},
            netctl::Netctl,
            sh,
        },
        frames::SOURCE_PORT,
        load::Load,
        result::{Better, Measure},
        runner::{Effort, Group, Run},
        worker::Cpus,
    },
    control, traffic,
};

pub const ROW: &str = "LAN → published port without a rule, another has one";
pub const NO_RULE: &str = "netctl, no rule at all";
/// veth takes its segmentation back and copies what sockets send as soon as there is any XDP
/// program in the driver, which a network card does not: the price of the program beside that of
/// its being there.
pub const EMPTY: &str = "netctl, no rule, an empty XDP program";
/// The flood, which the container drops and counts.
pub const FRAMES: &str = "UDP as a network card receives it, 1 CPU";
/// Where the flood ends: as early as the container sees it, so that little is measured besides.
const CHAIN: &str = "netdev sink early";

/// netctl with a rule for another port in each place, and without any.
pub struct Peers(Vec<(&'static str, Result<Peer, String>)>);

struct Peer {
    bed: Netctl,
    _other: Option<OwnedFd>,
}

impl Peers {
    pub fn start() -> Self {
        Self(vec![
            (Guard::NETCTL, ruled(Place::Driver)),
            (NO_RULE, start("", |_| Ok(None))),
            (
                EMPTY,
                start("", |bed| guard::pass_by_xdp(&bed.lab).map(Some)),
            ),
            (Guard::STACK, ruled(Place::Stack)),
            (Guard::TC, ruled(Place::Tc)),
        ])
    }

    pub fn groups(&self, effort: Effort) -> Vec<Group<'_>> {
        let mut groups = vec![self.group(FRAMES.to_owned(), "packets/s", |peer| {
            Box::new(move || peer.flood(effort.time))
        })];
        for load in [Load::Rr, Load::Crr, Load::Stream] {
            let name = traffic::name(load, Cpus::One);
            groups.push(self.group(name, load.unit(), |peer| {
                traffic::run(&peer.bed, Path::Published, load, Cpus::One, effort.time)
            }));
        }
        groups
    }

    fn group<'b>(
        &'b self,
        name: String,
        unit: &'static str,
        run: impl Fn(&'b Peer) -> Run<'b>,
    ) -> Group<'b> {
        let measured = |peer: &'b Result<Peer, String>| -> Run<'b> {
            match peer {
                Ok(peer) => run(peer),
                Err(why) => Box::new(|| Err(why.clone())),
            }
        };
        Group {
            measure: Measure {
                row: ROW,
                name,
                unit,
                better: Better::Higher,
            },
            peers: self
                .0
                .iter()
                .map(|(name, peer)| (*name, measured(peer)))
                .collect(),
        }
    }
}

fn ruled(place: Place) -> Result<Peer, String> {
    start(place.config(), |bed| {
        control::publish(bed, "client", vec!["8081:80/tcp".to_owned()])?;
        guard::with_rules(bed, place, "client 8081:80/tcp")?;
        Ok(None)
    })
}

fn start(
    config: &str,
    prepare: impl FnOnce(&Netctl) -> Result<Option<OwnedFd>, String>,
) -> Result<Peer, String> {
    let bed = Netctl::start(config)?;
    let other = prepare(&bed)?;
    guard::merging(&bed.lab);
    let web = bed
        .route(Path::Published)
        .ok_or("it has no such way")?
        .server;
    let rules = format!(
        "add table netdev sink
         add chain {CHAIN} {{ type filter hook ingress device eth0 priority 0; }}
         add rule {CHAIN} udp sport {SOURCE_PORT} counter drop"
    );
    sh(&web, &format!("nft '{rules}'"))?;
    Ok(Peer { bed, _other: other })
}

impl Peer {
    fn flood(&self, time: Duration) -> Result<f64, String> {
        let route = self
            .bed
            .route(Path::Published)
            .ok_or("it has no such way")?;
        guard::flood(&self.bed.lab, time, || {
            guard::nft_counter(&route.server, CHAIN)
        })
    }
}
