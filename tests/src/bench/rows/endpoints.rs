//! Creating and removing endpoints.

use std::{sync::Mutex, thread};

use super::{
    super::{
        bed::{docker::Docker, netctl::Netctl},
        result::{Better, Measure, Outcome, Series, percentile},
        runner::{Effort, timed},
    },
    control::{Api, Engine},
};

pub const ROW: &str = "create and remove endpoints";
pub const SERIAL: &str = "one after the other";
const AT_ONCE: &str = "32 at once";

/// Times of single operations, in milliseconds.
#[derive(Default)]
struct Times {
    create: Vec<f64>,
    remove: Vec<f64>,
    create_total: f64,
    remove_total: f64,
}

/// Endpoints of netctl, and Docker's containers beside them.
pub fn outcomes(effort: Effort, dockers: &[Engine]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let counts: &[usize] = if effort.quick {
        &[100]
    } else {
        &[1, 100, 1_000]
    };
    for count in counts {
        for (how, threads) in [(SERIAL, 1), (AT_ONCE, 32)] {
            if *count > 1 || threads == 1 {
                let times = Netctl::start("").and_then(|bed| endpoints_of(&bed, *count, threads));
                outcomes.extend(show(*count, how, vec![(Netctl::NAME, times)]));
            }
        }
    }
    let before = if effort.quick { 200 } else { 1_000 };
    let times = Netctl::start("").and_then(|bed| {
        let names: Vec<String> = (0..before).map(|index| format!("before-{index}")).collect();
        each(&bed, &names, 1, Api::create)?;
        endpoints_of(&bed, 100, 1)
    });
    let how = format!("{SERIAL}, {before} there before");
    outcomes.extend(show(100, &how, vec![(Netctl::NAME, times)]));
    let count = if effort.quick { 3 } else { 20 };
    let series = dockers
        .iter()
        .map(|(name, docker)| (*name, containers_of(docker, count)))
        .collect();
    outcomes.extend(show(count, "containers with their processes", series));
    outcomes
}

fn endpoints_of(bed: &Netctl, count: usize, threads: usize) -> Result<Times, String> {
    let names: Vec<String> = (0..count).map(|index| format!("e{index}")).collect();
    let (create, create_total) = timed(|| each(bed, &names, threads, Api::create));
    let (remove, remove_total) = timed(|| each(bed, &names, threads, Api::remove));
    Ok(Times {
        create: create?,
        remove: remove?,
        create_total,
        remove_total,
    })
}

/// Does it for every name, by so many threads; the time that each took.
fn each(
    bed: &Netctl,
    names: &[String],
    threads: usize,
    operation: fn(&Api, &str) -> Result<(), String>,
) -> Result<Vec<f64>, String> {
    let left = Mutex::new(names.iter());
    let work = || -> Result<Vec<f64>, String> {
        let api = Api::new(bed)?;
        let mut times = Vec::new();
        while let Some(name) = left.lock().ok().and_then(|mut left| left.next()) {
            let (done, seconds) = timed(|| operation(&api, name));
            done?;
            times.push(seconds * 1e3);
        }
        Ok(times)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut times = Vec::new();
        for worker in workers {
            let done = worker.join().map_err(|_panic| "a thread panicked")?;
            times.extend(done?);
        }
        Ok(times)
    })
}

fn containers_of(docker: &Result<Docker, String>, count: usize) -> Result<Times, String> {
    let docker = docker.as_ref().map_err(Clone::clone)?;
    let mut times = Times::default();
    for index in 0..count {
        let name = format!("e{index}");
        let (done, seconds) = timed(|| docker.run(&name, &[]));
        done?;
        times.create.push(seconds * 1e3);
    }
    for index in 0..count {
        let (done, seconds) = timed(|| docker.remove(&format!("e{index}")));
        done?;
        times.remove.push(seconds * 1e3);
    }
    times.create_total = times.create.iter().sum::<f64>() / 1e3;
    times.remove_total = times.remove.iter().sum::<f64>() / 1e3;
    Ok(times)
}

/// Name of an endpoint measurement.
pub fn name(verb: &str, count: usize, how: &str, what: &str) -> String {
    format!("{verb} {count} {how}: {what}")
}

fn show(
    count: usize,
    how: &str,
    peers: Vec<(&'static str, Result<Times, String>)>,
) -> Vec<Outcome> {
    type Pick = fn(&Times) -> Option<f64>;
    let quantities: [(&str, &str, &'static str, Better, Pick); 6] = [
        ("create", "p50", "ms", Better::Lower, |t| {
            percentile(&t.create, 0.5)
        }),
        ("create", "p99", "ms", Better::Lower, |t| {
            percentile(&t.create, 0.99)
        }),
        ("create", "rate", "1/s", Better::Higher, |t| {
            Some(t.create.len() as f64 / t.create_total)
        }),
        ("remove", "p50", "ms", Better::Lower, |t| {
            percentile(&t.remove, 0.5)
        }),
        ("remove", "p99", "ms", Better::Lower, |t| {
            percentile(&t.remove, 0.99)
        }),
        ("remove", "rate", "1/s", Better::Higher, |t| {
            Some(t.remove.len() as f64 / t.remove_total)
        }),
    ];
    quantities
        .into_iter()
        .map(|(verb, what, unit, better, pick)| Outcome {
            measure: Measure {
                row: ROW,
                name: name(verb, count, how, what),
                unit,
                better,
            },
            series: peers
                .iter()
                .map(|(peer, times)| Series {
                    peer,
                    values: times.as_ref().ok().and_then(pick).into_iter().collect(),
                    missing: times.as_ref().err().cloned(),
                })
                .collect(),
        })
        .collect()
}
