//! Traffic on every way, by every peer that has it.

use std::{path::Path as FilePath, time::Duration};

use super::super::{
    bed::{Bed, Path, netctl::Netctl},
    load::Load,
    result::{Better, Measure},
    runner::{Effort, Group, Run},
    tools::Tool,
    worker::{self, Cpus},
};

/// A row: a way and what is sent on it.
pub struct Traffic {
    pub row: &'static str,
    pub path: Path,
    pub loads: &'static [Load],
}

pub const SAME: &str = "container → container";
pub const PUBLISHED: &str = "LAN → published port";
pub const OUTSIDE: &str = "container → outside";
pub const LOOPBACK: &str = "host → 127.0.0.1:port";
pub const OWN: &str = "container → own port";
pub const NEIGHBOUR: &str = "container → neighbour's port";
/// What a client of a published port on 127.0.0.1 is compared with besides.
pub const DIRECT_ADDRESS: &str = "netctl, container's address";

pub const ROWS: [Traffic; 6] = [
    Traffic {
        row: SAME,
        path: Path::Same,
        loads: &Load::ALL,
    },
    Traffic {
        row: PUBLISHED,
        path: Path::Published,
        loads: &Load::ALL,
    },
    Traffic {
        row: OUTSIDE,
        path: Path::Outside,
        loads: &Load::ALL,
    },
    Traffic {
        row: LOOPBACK,
        path: Path::Loopback,
        loads: &[Load::Rr, Load::Crr, Load::Stream],
    },
    Traffic {
        row: OWN,
        path: Path::Own,
        loads: &[Load::Rr, Load::Crr],
    },
    Traffic {
        row: NEIGHBOUR,
        path: Path::Neighbour,
        loads: &[Load::Rr, Load::Crr],
    },
];

/// Name of a measurement: what aims refer to.
pub fn name(load: Load, cpus: Cpus) -> String {
    format!("{}, {}", load.name(), cpus.name())
}

impl Traffic {
    /// Its measurements on these beds.
    pub fn groups<'b>(&self, beds: &'b [Box<dyn Bed>], effort: Effort) -> Vec<Group<'b>> {
        let mut groups = Vec::new();
        // On two, rounds differ so much that a few of them say little.
        let cpus: &[Cpus] = match effort.quick {
            true => &[Cpus::One],
            false => &[Cpus::One, Cpus::Two],
        };
        for load in self.loads {
            for cpus in cpus.iter().copied() {
                groups.push(self.group(beds, *load, cpus, effort.time));
                if *load == Load::Stream && cpus == Cpus::One {
                    groups.push(self.cpu_per_gigabyte(beds, effort.time));
                }
            }
        }
        groups
    }

    /// The same ways by programs that people measure with.
    pub fn by_tools<'b>(&self, beds: &'b [Box<dyn Bed>], folder: &'b FilePath) -> Vec<Group<'b>> {
        let groups = Tool::ALL.into_iter().map(|tool| Group {
            measure: Measure {
                row: self.row,
                name: tool.name().to_owned(),
                unit: tool.unit(),
                better: tool.better(),
            },
            peers: beds
                .iter()
                .filter(|bed| bed.route(self.path).is_some())
                .map(|bed| -> (&'static str, Run<'b>) {
                    let path = self.path;
                    let run = move || {
                        let route = bed.route(path).ok_or("it has no such way")?;
                        bed.pin(Cpus::Two)?;
                        tool.measure(&route, folder)
                    };
                    (bed.name(), Box::new(run))
                })
                .collect(),
        });
        groups.collect()
    }

    fn group<'b>(
        &self,
        beds: &'b [Box<dyn Bed>],
        load: Load,
        cpus: Cpus,
        time: Duration,
    ) -> Group<'b> {
        let mut peers: Vec<(&'static str, Run<'b>)> = Vec::new();
        for bed in beds {
            if bed.route(self.path).is_some() {
                peers.push((bed.name(), run(bed.as_ref(), self.path, load, cpus, time)));
            }
            if self.path == Path::Loopback && bed.name() == Netctl::NAME {
                let direct = run(bed.as_ref(), Path::Direct, load, cpus, time);
                peers.push((DIRECT_ADDRESS, direct));
            }
        }
        Group {
            measure: Measure {
                row: self.row,
                name: name(load, cpus),
                unit: load.unit(),
                better: Better::Higher,
            },
            peers,
        }
    }

    /// With both ends on one CPU that has nothing else to do, the time is CPU time.
    fn cpu_per_gigabyte<'b>(&self, beds: &'b [Box<dyn Bed>], time: Duration) -> Group<'b> {
        let mut group = self.group(beds, Load::Stream, Cpus::One, time);
        group.measure.name = "CPU seconds per GB".to_owned();
        group.measure.unit = "s/GB";
        group.measure.better = Better::Lower;
        group.peers = group
            .peers
            .into_iter()
            .map(|(peer, mut run)| -> (&'static str, Run<'b>) {
                (peer, Box::new(move || run().map(|rate| 1.0 / rate)))
            })
            .collect();
        group
    }
}

/// A measurement of that load on one way of a bed.
pub fn run<'b>(bed: &'b dyn Bed, path: Path, load: Load, cpus: Cpus, time: Duration) -> Run<'b> {
    Box::new(move || {
        let route = bed.route(path).ok_or("it has no such way")?;
        bed.pin(cpus)?;
        worker::measure(load, &route, cpus, time)
    })
}
