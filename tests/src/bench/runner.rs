//! Rounds: every peer once in each, A B A B, so that what the machine does meanwhile hits all of
//! them alike.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    interrupt,
    result::{Measure, Outcome, Series},
};

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of one measurement of traffic.
    pub time: Duration,
    pub rounds: usize,
    /// Leave out what takes minutes.
    pub quick: bool,
}

/// A measurement of one peer; the error says why there is none.
pub type Run<'a> = Box<dyn FnMut() -> Result<f64, String> + 'a>;

/// One quantity of several peers.
pub struct Group<'a> {
    pub measure: Measure,
    pub peers: Vec<(&'static str, Run<'a>)>,
}

/// Takes all groups' rounds.
pub fn run(groups: Vec<Group<'_>>, rounds: usize, progress: &ProgressBar) -> Vec<Outcome> {
    groups
        .into_iter()
        .map(|group| run_group(group, rounds, progress))
        .collect()
}

fn run_group(group: Group<'_>, rounds: usize, progress: &ProgressBar) -> Outcome {
    let Group { measure, mut peers } = group;
    let mut series: Vec<Series> = peers
        .iter()
        .map(|(peer, _)| Series {
            peer,
            values: Vec::with_capacity(rounds),
            missing: None,
        })
        .collect();
    let (row, name) = (measure.row, &measure.name);
    say(progress, format!("{row}: {name}"));
    for round in 1..=rounds {
        progress.set_message(format!("{row}: {name} (round {round} of {rounds})"));
        for ((_, run), series) in peers.iter_mut().zip(&mut series) {
            // One that failed is told of and not waited for again.
            if series.missing.is_none() {
                match interrupt::check().and_then(|()| run()) {
                    Ok(value) => series.values.push(value),
                    Err(error) => series.missing = Some(error),
                }
            }
            progress.tick();
        }
    }
    progress.inc(1);
    Outcome { measure, series }
}

/// A bar on stderr; hidden where that is no terminal.
pub fn progress(rows: u64) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    let style = ProgressStyle::with_template("[{elapsed_precise}] {bar:24} {pos}/{len} {wide_msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// What is done now; a line of its own where there is no bar.
pub fn say(progress: &ProgressBar, what: String) {
    if progress.is_hidden() {
        eprintln!("{what}");
    }
    progress.set_message(what);
}

/// Seconds that something takes.
pub fn timed<T>(operation: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = operation();
    (result, start.elapsed().as_secs_f64())
}
