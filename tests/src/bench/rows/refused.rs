//! LAN → published port that is not for the LAN: packets that one CPU refuses.

use std::{path::Path as FilePath, time::Duration};

use super::super::{
    bed::guard::{Guard, NftHook, Place},
    result::{Better, Measure, Outcome, Series},
    runner::{Effort, Group, Run, run},
};

pub const ROW: &str = "LAN → published port that refuses";
pub const RATE: &str = "with the sender on the same CPU";
const ALONE: &str = "CPU of one packet beyond the limit's";

/// Those that refuse, netctl first, or why they do not.
pub struct Guards(Vec<(&'static str, Result<Guard, String>)>);

impl Guards {
    pub fn start(tools: &FilePath) -> Self {
        Self(vec![
            (Guard::NETCTL, Guard::netctl(Place::Driver)),
            (Guard::STACK, Guard::netctl(Place::Stack)),
            (Guard::TC, Guard::netctl(Place::Tc)),
            (Guard::INGRESS, Guard::nft(NftHook::Ingress)),
            (Guard::RAW, Guard::nft(NftHook::Raw)),
            (Guard::DOCKER_USER, Guard::docker_user(tools)),
            (Guard::NOTHING, Guard::nothing()),
        ])
    }

    pub fn outcomes(&self, effort: Effort, progress: &indicatif::ProgressBar) -> Vec<Outcome> {
        let peers = self.0.iter();
        let group = Group {
            measure: Measure {
                row: ROW,
                name: RATE.to_owned(),
                unit: "packets/s",
                better: Better::Higher,
            },
            peers: peers
                .map(|(name, guard)| (*name, refuse(guard, effort.time)))
                .collect(),
        };
        let mut outcomes = run(vec![group], effort.rounds, progress);
        let alone = outcomes.iter().filter_map(alone).collect::<Vec<_>>();
        outcomes.extend(alone);
        outcomes
    }
}

fn refuse(guard: &Result<Guard, String>, time: Duration) -> Run<'_> {
    Box::new(move || guard.as_ref().map_err(Clone::clone)?.measure(time))
}

/// The same without the sender: round by round, nanoseconds of a packet beyond those of the limit,
/// which sends and drops it too.
fn alone(outcome: &Outcome) -> Option<Outcome> {
    let limit = outcome.series.iter().find(|s| s.peer == Guard::NOTHING)?;
    let series = outcome.series.iter().filter(|s| s.peer != limit.peer);
    Some(Outcome {
        measure: Measure {
            row: ROW,
            name: ALONE.to_owned(),
            unit: "ns",
            better: Better::Lower,
        },
        series: series
            .map(|series| {
                let rounds = series.values.iter().zip(&limit.values);
                Series {
                    peer: series.peer,
                    values: rounds.map(|(own, bare)| 1e9 / own - 1e9 / bare).collect(),
                    missing: series.missing.clone().or_else(|| limit.missing.clone()),
                }
            })
            .collect(),
    })
}
