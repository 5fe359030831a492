//! LAN → published port, with many other published ports beside it.

use std::{path::Path as FilePath, time::Duration};

use indicatif::ProgressBar;

use super::super::{
    bed::{
        Bed, PUBLISHED, Path, Started,
        docker::{Docker, Proxy},
        netctl::Netctl,
        nft::Nft,
    },
    load::Load,
    result::{Better, Measure},
    runner::{Effort, Group, Run, say},
    worker::{self, Cpus},
};

pub const ROW: &str = "LAN → published port, with others";
/// The daemon's own port.
const METRICS: u16 = 9469;
pub const ONE: &str = "netctl, 1 other";
pub const MANY: &str = "netctl, 10 000 others";

/// Other ports, and what the peers with them are called.
const NETCTL: [(u32, &str); 4] = [
    (1, ONE),
    (100, "netctl, 100 others"),
    (10_000, MANY),
    (60_000, "netctl, 60 000 others"),
];
const NFT: [(u16, &str); 2] = [
    (100, "bridge+nft, 100 others"),
    (10_000, "bridge+nft, 10 000 others"),
];
/// Two processes for each port: no more of them.
const DOCKER: [(Proxy, &str); 2] = [
    (Proxy::On, "docker, 100 others"),
    (Proxy::Off, "docker, no proxy, 100 others"),
];

/// The beds of this row.
pub struct Crowd(Vec<(&'static str, Started)>);

impl Crowd {
    pub fn start(tools: &FilePath, progress: &ProgressBar) -> Self {
        let mut beds: Vec<(&'static str, Started)> = Vec::new();
        for (others, name) in NETCTL {
            say(progress, format!("{ROW}: starting {name}"));
            beds.push((name, netctl(others)));
        }
        for (proxy, name) in DOCKER {
            say(progress, format!("{ROW}: starting {name}"));
            beds.push((name, docker(proxy, tools)));
        }
        for (others, name) in NFT {
            say(progress, format!("{ROW}: starting {name}"));
            let bed = Nft::start().and_then(|bed| {
                bed.rules(others)?;
                Ok(Box::new(bed) as Box<dyn Bed>)
            });
            beds.push((name, bed));
        }
        Self(beds)
    }

    pub fn groups(&self, effort: Effort) -> Vec<Group<'_>> {
        [Load::Rr, Load::Crr]
            .into_iter()
            .map(|load| Group {
                measure: Measure {
                    row: ROW,
                    name: super::traffic::name(load, Cpus::One),
                    unit: load.unit(),
                    better: Better::Higher,
                },
                peers: self
                    .0
                    .iter()
                    .map(|(name, bed)| (*name, run(bed, load, effort.time)))
                    .collect(),
            })
            .collect()
    }
}

fn run<'b>(bed: &'b Started, load: Load, time: Duration) -> Run<'b> {
    Box::new(move || {
        let bed = bed.as_ref().map_err(Clone::clone)?;
        let route = bed.route(Path::Published).ok_or("it has no such way")?;
        bed.pin(Cpus::One)?;
        worker::measure(load, &route, Cpus::One, time)
    })
}

fn netctl(others: u32) -> Started {
    let bed = Netctl::start("")?;
    // Port by port: what a range would do at the cost of one.
    let specs: Vec<String> = (1..=u16::MAX)
        .filter(|port| ![PUBLISHED, METRICS].contains(port))
        .take(others as usize)
        .map(|port| format!("{port}:{port}"))
        .collect();
    super::control::publish(&bed, "client", specs)?;
    Ok(Box::new(bed))
}

fn docker(proxy: Proxy, tools: &FilePath) -> Started {
    let bed = Docker::start(proxy, tools)?;
    bed.run("others", &["-p", "20000-20099:20000-20099"])?;
    Ok(Box::new(bed))
}
