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

/// One kind of operation: milliseconds of each, seconds of all.
struct Times {
    each: Vec<f64>,
    total: f64,
}

impl Times {
    fn percentile(&self, part: f64) -> Option<f64> {
        percentile(&self.each, part)
    }

    fn rate(&self) -> Option<f64> {
        Some(self.each.len() as f64 / self.total)
    }
}

/// What a peer took to create, and to remove.
struct Found {
    create: Times,
    remove: Times,
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
        each(&names("before-", before), 1, || by_api(&bed, Api::create))?;
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

fn endpoints_of(bed: &Netctl, count: usize, threads: usize) -> Result<Found, String> {
    let names = names("e", count);
    Ok(Found {
        create: each(&names, threads, || by_api(bed, Api::create))?,
        remove: each(&names, threads, || by_api(bed, Api::remove))?,
    })
}

fn containers_of(docker: &Result<Docker, String>, count: usize) -> Result<Found, String> {
    let docker = docker.as_ref().map_err(Clone::clone)?;
    let names = names("e", count);
    Ok(Found {
        create: each(&names, 1, || Ok(|name: &str| docker.run(name, &[])))?,
        remove: each(&names, 1, || Ok(|name: &str| docker.remove(name)))?,
    })
}

fn names(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{of}{index}")).collect()
}

/// An operation by a connection of its own.
fn by_api(
    bed: &Netctl,
    operation: fn(&Api, &str) -> Result<(), String>,
) -> Result<impl Fn(&str) -> Result<(), String>, String> {
    let api = Api::new(bed)?;
    Ok(move |name: &str| operation(&api, name))
}

/// Does it for every name, by so many threads, each with an operation of its own.
fn each<O: Fn(&str) -> Result<(), String>>(
    names: &[String],
    threads: usize,
    operation: impl Fn() -> Result<O, String> + Sync,
) -> Result<Times, String> {
    let left = Mutex::new(names.iter());
    let work = || -> Result<Vec<f64>, String> {
        let operation = operation()?;
        let mut times = Vec::new();
        while let Some(name) = left.lock().ok().and_then(|mut left| left.next()) {
            let (done, seconds) = timed(|| operation(name));
            done?;
            times.push(seconds * 1e3);
        }
        Ok(times)
    };
    let (each, total) = timed(|| {
        thread::scope(|scope| -> Result<Vec<f64>, String> {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut times = Vec::new();
            for worker in workers {
                let done = worker.join().map_err(|_panic| "a thread panicked")?;
                times.extend(done?);
            }
            Ok(times)
        })
    });
    Ok(Times { each: each?, total })
}

/// Name of an endpoint measurement.
pub fn name(verb: &str, count: usize, how: &str, what: &str) -> String {
    format!("{verb} {count} {how}: {what}")
}

fn show(
    count: usize,
    how: &str,
    peers: Vec<(&'static str, Result<Found, String>)>,
) -> Vec<Outcome> {
    type Verb = (&'static str, fn(&Found) -> &Times);
    type Quantity = (
        &'static str,
        &'static str,
        Better,
        fn(&Times) -> Option<f64>,
    );
    let verbs: [Verb; 2] = [("create", |f| &f.create), ("remove", |f| &f.remove)];
    let quantities: [Quantity; 3] = [
        ("p50", "ms", Better::Lower, |t| t.percentile(0.5)),
        ("p99", "ms", Better::Lower, |t| t.percentile(0.99)),
        ("rate", "1/s", Better::Higher, Times::rate),
    ];
    let mut outcomes = Vec::new();
    for (verb, of) in verbs {
        for (what, unit, better, pick) in quantities {
            let values = |found: &Result<Found, String>| {
                let value = found.as_ref().ok().and_then(|found| pick(of(found)));
                value.into_iter().collect()
            };
            outcomes.push(Outcome {
                measure: Measure {
                    row: ROW,
                    name: name(verb, count, how, what),
                    unit,
                    better,
                },
                series: peers
                    .iter()
                    .map(|(peer, found)| Series {
                        peer,
                        values: values(found),
                        missing: found.as_ref().err().cloned(),
                    })
                    .collect(),
            });
        }
    }
    outcomes
}
