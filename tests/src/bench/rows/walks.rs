//! The programs alone, by BPF_PROG_TEST_RUN: nanoseconds of each walk, and their size.

use std::thread;

use super::super::{
    bed::netctl::Netctl,
    result::{Better, Measure, Outcome, Series},
};
use crate::{demo::walks, prog};

/// Walks that are to be cheap enough.
pub const TRANSLATED: [&str; 2] = [
    "container → published port: translated and counted",
    "outside → published port: translated and counted",
];

pub const ROW: &str = "per-packet cost";

pub fn outcomes(rounds: usize) -> Vec<Outcome> {
    // On a thread of its own, whose namespace becomes the bench's.
    let measured = thread::spawn(move || {
        let runs: Vec<_> = (0..rounds).map(|_| walks::measure()).collect();
        let mut sizes: Vec<(String, f64, f64)> = prog::load((1024, 1024), |_| true)
            .programs()
            .filter_map(|(name, program)| {
                let info = program.info().ok()?;
                let verified = info.verified_instruction_count()?;
                let instructions = info.size_translated()? / 8;
                Some((
                    name.to_owned(),
                    f64::from(verified),
                    f64::from(instructions),
                ))
            })
            .collect();
        sizes.sort_by(|a, b| a.0.cmp(&b.0));
        (runs, sizes)
    })
    .join();
    let Ok((runs, sizes)) = measured else {
        return vec![outcome("walks", "ns", Err("see above".to_owned()))];
    };
    let mut outcomes = Vec::new();
    for (index, (name, _)) in runs.first().into_iter().flatten().enumerate() {
        let times = runs.iter().map(|run| run[index].1 as f64).collect();
        outcomes.push(outcome(name, "ns", Ok(times)));
    }
    for (name, verified, instructions) in sizes {
        let what = format!("{name}: instructions");
        outcomes.push(outcome(&what, "", Ok(vec![instructions])));
        let what = format!("{name}: instructions that the verifier looked at");
        outcomes.push(outcome(&what, "", Ok(vec![verified])));
    }
    let missing = "this machine shows no hardware counters";
    if !has_counters() {
        let what = "instructions executed";
        outcomes.push(outcome(what, "", Err(missing.to_owned())));
    }
    outcomes
}

fn outcome(name: &str, unit: &'static str, values: Result<Vec<f64>, String>) -> Outcome {
    Outcome {
        measure: Measure {
            row: ROW,
            name: name.to_owned(),
            unit,
            better: Better::Lower,
        },
        series: vec![Series {
            peer: Netctl::NAME,
            values: values.as_ref().cloned().unwrap_or_default(),
            missing: values.err(),
        }],
    }
}

fn has_counters() -> bool {
    std::path::Path::new("/sys/bus/event_source/devices/cpu").exists()
}
