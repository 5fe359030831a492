//! The benchmark: netctl beside what people use today, in one run, round by round.
//!
//! Reading order: this file is the run; `bed` are the peers, `load` and `worker` the traffic,
//! `rows` what is measured, `runner` the rounds, `aims` what is to come out, `report` and `plot`
//! how it is shown.

pub mod aims;
pub mod bed;
pub mod flood;
pub mod frames;
pub mod interrupt;
pub mod load;
pub mod machine;
pub mod plot;
pub mod report;
pub mod result;
pub mod rows;
pub mod runner;
pub mod task_clock;
pub mod tools;
pub mod worker;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use self::{
    bed::{
        Bed, Started,
        direct::Direct,
        docker::{Docker, Proxy},
        netctl::Netctl,
        nft::Nft,
        routed::Routed,
    },
    machine::Machine,
    report::Report,
    result::{Outcome, Series},
    rows::{control, crowd, endpoints, flows, memory, publish, refused, traffic, unruled, walks},
    runner::Effort,
};
use crate::daemon;

/// What the benchmark was asked for.
pub struct Options {
    pub netctl: PathBuf,
    /// Folder of the peers' unpacked packages.
    pub tools: PathBuf,
    pub quick: bool,
    /// Only rows whose name contains this.
    pub row: Option<String>,
    pub json: Option<PathBuf>,
    pub plots: Option<PathBuf>,
}

/// Names of all rows, in the order of the report.
pub fn rows() -> Vec<&'static str> {
    let mut rows: Vec<&'static str> = traffic::ROWS.iter().map(|row| row.row).collect();
    rows.extend([
        crowd::ROW,
        refused::ROW,
        unruled::ROW,
        publish::ROW,
        endpoints::ROW,
        memory::ROW,
        flows::ROW,
        walks::ROW,
    ]);
    rows
}

/// Measures, prints, and writes what was asked for.
pub fn run(options: &Options) -> Result<()> {
    daemon::use_netctl(&options.netctl);
    let wanted = |row: &str| options.row.as_ref().is_none_or(|part| row.contains(part));
    if !rows().into_iter().any(wanted) {
        bail!(
            "no row contains {:?}; they are: {}",
            options.row.clone().unwrap_or_default(),
            rows().join(", ")
        );
    }
    interrupt::watch()?;
    let effort = if options.quick {
        Effort {
            time: Duration::from_millis(80),
            rounds: 3,
            quick: true,
        }
    } else {
        Effort {
            time: Duration::from_millis(300),
            rounds: 7,
            quick: false,
        }
    };
    let outcomes = measure(options, effort, &wanted);
    if interrupt::caught() {
        bail!("ended early: nothing to report");
    }
    let report = Report {
        command: command(options),
        machine: Machine::now(&options.tools),
        aims: aims::check(&outcomes),
        outcomes,
    };
    report.print();
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(folder) = &options.plots {
        plot_all(folder, &report.outcomes, &wanted)?;
    }
    Ok(())
}

fn measure(options: &Options, effort: Effort, wanted: &dyn Fn(&str) -> bool) -> Vec<Outcome> {
    let tools = options.tools.as_path();
    let mut outcomes = Vec::new();
    let progress = runner::progress(rows().len() as u64);
    let traffic: Vec<_> = traffic::ROWS.iter().filter(|row| wanted(row.row)).collect();
    if !traffic.is_empty() {
        runner::say(&progress, "starting the peers".to_owned());
        let (beds, missing) = beds(tools);
        for row in traffic {
            let mut found = runner::run(row.groups(&beds, effort), effort.rounds, &progress);
            // A second for each run.
            if !effort.quick {
                found.extend(runner::run(
                    row.by_tools(&beds, tools),
                    TOOL_ROUNDS,
                    &progress,
                ));
            }
            name_missing(&mut found, &missing);
            outcomes.extend(found);
        }
    }
    if wanted(crowd::ROW) {
        runner::say(&progress, crowd::ROW.to_owned());
        let crowd = crowd::Crowd::start(tools, &progress);
        outcomes.extend(runner::run(crowd.groups(effort), effort.rounds, &progress));
    }
    if wanted(refused::ROW) {
        runner::say(&progress, refused::ROW.to_owned());
        let guards = refused::Guards::start(tools);
        outcomes.extend(guards.outcomes(effort, &progress));
    }
    if wanted(unruled::ROW) {
        runner::say(&progress, unruled::ROW.to_owned());
        let peers = unruled::Peers::start();
        outcomes.extend(runner::run(peers.groups(effort), effort.rounds, &progress));
    }
    if wanted(publish::ROW) || wanted(endpoints::ROW) {
        runner::say(&progress, "control plane".to_owned());
        let dockers = control::dockers(tools);
        if wanted(publish::ROW) {
            outcomes.extend(published(&dockers, effort, &progress));
        }
        if wanted(endpoints::ROW) {
            outcomes.extend(endpoints::outcomes(effort, &dockers));
        }
    }
    if wanted(memory::ROW) {
        runner::say(&progress, memory::ROW.to_owned());
        outcomes.extend(memory::outcomes(tools));
    }
    if wanted(flows::ROW) {
        runner::say(&progress, flows::ROW.to_owned());
        outcomes.extend(flows::outcomes(effort));
    }
    if wanted(walks::ROW) {
        runner::say(&progress, walks::ROW.to_owned());
        outcomes.extend(walks::outcomes(effort.rounds));
    }
    progress.finish_and_clear();
    outcomes
}

fn published(
    dockers: &[control::Engine],
    effort: Effort,
    progress: &indicatif::ProgressBar,
) -> Vec<Outcome> {
    let nft = Nft::start();
    match Netctl::start("") {
        Ok(bed) => {
            let groups = publish::groups(&bed, &nft, dockers, effort);
            runner::run(groups, effort.rounds.min(3), progress)
        }
        Err(error) => {
            eprintln!("{}: {error}", publish::ROW);
            Vec::new()
        }
    }
}

/// Rounds of each load generator.
const TOOL_ROUNDS: usize = 3;

/// A peer, and why it cannot be had.
type Missing = (&'static str, String);

/// Every peer that starts, netctl first, and why the others do not.
fn beds(tools: &Path) -> (Vec<Box<dyn Bed>>, Vec<Missing>) {
    let boxed = |bed: Result<Docker, String>| bed.map(|bed| Box::new(bed) as Box<dyn Bed>);
    let started: [(&'static str, Started); 6] = [
        (
            Netctl::NAME,
            Netctl::start("").map(|bed| Box::new(bed) as _),
        ),
        (Docker::WITH_PROXY, boxed(Docker::start(Proxy::On, tools))),
        (
            Docker::WITHOUT_PROXY,
            boxed(Docker::start(Proxy::Off, tools)),
        ),
        (Nft::NAME, Nft::start().map(|bed| Box::new(bed) as _)),
        (Routed::NAME, Routed::start().map(|bed| Box::new(bed) as _)),
        (Direct::NAME, Direct::start().map(|bed| Box::new(bed) as _)),
    ];
    let (mut beds, mut missing) = (Vec::new(), Vec::new());
    for (name, bed) in started {
        match bed {
            Ok(bed) => beds.push(bed),
            Err(error) => missing.push((name, error)),
        }
    }
    (beds, missing)
}

/// A peer that could not be started is named in every row.
fn name_missing(outcomes: &mut [Outcome], missing: &[Missing]) {
    for outcome in outcomes {
        for (peer, why) in missing {
            outcome.series.push(Series {
                peer,
                values: Vec::new(),
                missing: Some(why.clone()),
            });
        }
    }
}

fn plot_all(folder: &Path, outcomes: &[Outcome], wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for row in rows().into_iter().filter(|row| wanted(row)) {
        if let Some(file) = plot::row(folder, row, outcomes).map_err(anyhow::Error::msg)? {
            eprintln!("plot: {}", folder.join(file).display());
        }
    }
    Ok(())
}

/// The command that gives the same again.
fn command(options: &Options) -> String {
    let mut words = "cargo xtask bench".to_owned();
    if options.quick {
        words.push_str(" --quick");
    }
    if let Some(row) = &options.row {
        words.push_str(&format!(" --row '{row}'"));
    }
    words
}
