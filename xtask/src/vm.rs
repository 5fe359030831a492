//! `cargo xtask vm`: the tests on other kernels than the machine's own.
//!
//! Debian's kernels under QEMU, every instruction emulated: slow, but on any machine, without
//! privilege, and the same everywhere.

mod cpio;
mod image;
mod machine;
mod plan;
mod report;
mod summary;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::{
    setup::{self, Kernel},
    test::{self, Tier},
    workspace::Workspace,
};

use image::Images;
use machine::Ended;
use plan::{Job, Plan};
use report::Report;
use summary::Outcome;

#[derive(Args)]
pub(crate) struct Options {
    /// Kernels to run on; all of them if none is named
    kernels: Vec<Kernel>,
    /// Only this tier; may be repeated
    #[arg(long = "tier", value_name = "TIER", value_parser = privileged_tier)]
    tiers: Vec<Tier>,
    /// Only tests whose name contains this; may be repeated
    #[arg(long = "filter", value_name = "TEXT")]
    filters: Vec<String>,
    /// Minutes after which a machine that is not done is killed
    #[arg(long, value_name = "MINUTES", default_value_t = 90)]
    limit: u64,
    /// Look whether Debian has newer kernels than those that were fetched
    #[arg(long)]
    refresh: bool,
    /// Machines at a time; as many as there are processors if it is not said
    #[arg(long, value_name = "COUNT")]
    jobs: Option<usize>,
}

fn privileged_tier(text: &str) -> Result<Tier, String> {
    Tier::ALL
        .into_iter()
        .find(|tier| matches!(tier, Tier::Datapath | Tier::Netns) && tier.name() == text)
        .ok_or_else(|| "datapath or netns: the others do not run in a virtual machine".to_owned())
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Options {
        kernels,
        tiers,
        filters,
        limit,
        refresh,
        jobs,
    } = options;
    let kernels = wanted(kernels, &Kernel::ALL);
    let tiers = wanted(tiers, &[Tier::Netns, Tier::Datapath]);
    let each = |tier: &Tier| {
        kernels
            .iter()
            .map(|kernel| (*kernel, *tier))
            .collect::<Vec<_>>()
    };
    let plan = Plan {
        filters: tiers.iter().map(|tier| (*tier, filters.clone())).collect(),
        limit: Duration::from_secs(limit * 60),
    };
    let pairs: Vec<(Kernel, Tier)> = tiers.iter().flat_map(each).collect();
    run_pairs(workspace, &plan, &pairs, *jobs, *refresh)
}

/// What CI has time for of the netns tier, also on a slow day, when an emulated test takes half a
/// minute: every kernel carries traffic in each way that it has, shows everybody what they should
/// see, and is refused where it must be.
const CI_NETNS: [&str; 3] = ["ways::", "truth_table::", "startup::a_kernel"];

/// Of the datapath tier: that every program loads, and what comes out of them packet by packet. A
/// test loads them all for itself, which takes an emulated processor ten seconds, so that the
/// whole tier is half an hour for each kernel.
const CI_DATAPATH: [&str; 2] = ["verifier::", "golden::"];

/// As [`run`], of [`CI_NETNS`] and [`CI_DATAPATH`]. A kernel that cannot be fetched is a failure as
/// any other.
pub(crate) fn run_for_ci(workspace: &Workspace) -> Result<()> {
    let filters = |parts: &[&str]| parts.iter().map(|&part| part.to_owned()).collect();
    let plan = Plan {
        filters: BTreeMap::from([
            (Tier::Netns, filters(&CI_NETNS)),
            (Tier::Datapath, filters(&CI_DATAPATH)),
        ]),
        // About twice what the longest one takes where it has a processor for itself.
        limit: Duration::from_secs(12 * 60),
    };
    let tier = |tier: Tier| Kernel::ALL.map(|kernel| (kernel, tier));
    // The longest first, so that no processor waits for another at the end.
    let pairs = [tier(Tier::Netns), tier(Tier::Datapath)].concat();
    run_pairs(workspace, &plan, &pairs, None, false)
}

fn run_pairs(
    workspace: &Workspace,
    plan: &Plan,
    pairs: &[(Kernel, Tier)],
    at_a_time: Option<usize>,
    refresh: bool,
) -> Result<()> {
    let emulator = setup::emulator(workspace)?;
    let kernels: BTreeSet<Kernel> = pairs.iter().map(|(kernel, _)| *kernel).collect();
    let kernels = setup::kernels(workspace, &kernels.into_iter().collect::<Vec<_>>(), refresh);
    // Before the build, so that a refusal does not come minutes later.
    if let Some((_, Err(error))) = kernels.first()
        && kernels.iter().all(|(_, found)| found.is_err())
    {
        bail!("{error:#}");
    }
    setup::build_tools(workspace)?;
    setup::test_tools()?;
    let tiers: BTreeSet<Tier> = pairs.iter().map(|(_, tier)| *tier).collect();
    let tiers: Vec<Tier> = tiers.into_iter().collect();
    let built = test::build(workspace, &tiers)?;
    let images = Images::prepare(workspace, emulator, &built, &tiers, kernels)
        .context("make the images of the virtual machines")?;

    let jobs: Vec<Job> = pairs
        .iter()
        .flat_map(|(kernel, tier)| Job::of(*kernel, *tier, plan))
        .collect();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes = side_by_side(jobs, at_a_time.unwrap_or(processors), |job| {
        let start = Instant::now();
        let mut report = Report::default();
        let ran = run_job(&images, plan, job, &mut report);
        Outcome {
            job,
            report,
            trouble: ran.err().map(|error| format!("{error:#}")),
            elapsed: start.elapsed(),
        }
    });
    outcomes.sort_by_key(|outcome| outcome.job.name());
    ensure!(
        summary::print(plan, &outcomes),
        "not everything passed on other kernels"
    );
    Ok(())
}

/// What was named, in order and once; everything where nothing was.
fn wanted<T: Copy + PartialEq>(named: &[T], all: &[T]) -> Vec<T> {
    let is_wanted = |one: &&T| named.is_empty() || named.contains(one);
    all.iter().filter(is_wanted).copied().collect()
}

/// Does the work for each, at most so many at a time.
fn side_by_side<T: Send, R: Send>(
    items: Vec<T>,
    jobs: usize,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let workers = jobs.clamp(1, items.len().max(1));
    let queue = Mutex::new(items.into_iter());
    let results = Mutex::new(Vec::new());
    let next = || queue.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(item) = next() {
                    let result = work(item);
                    if let Ok(mut results) = results.lock() {
                        results.push(result);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_default()
}

/// Boots a machine and reads its report to the end.
fn run_job(images: &Images, plan: &Plan, job: Job, report: &mut Report) -> Result<()> {
    let name = job.name();
    let mut machine = images.boot(job, plan)?;
    let ended = loop {
        match machine.line() {
            Ok(line) => {
                if let Some(line) = report.read(&line) {
                    println!("{name:<13} | {line}");
                }
            }
            Err(ended) => break ended,
        }
    };
    if report.exit.is_some() && report.fault.is_none() {
        return Ok(());
    }
    let how = match (&report.fault, ended) {
        (Some(fault), _) => fault.clone(),
        (None, Ended::Late) => format!("killed after {} s", plan.limit.as_secs()),
        (None, Ended::Off(status)) => format!("the machine ended too early (QEMU: {status})"),
    };
    let mut text = format!("{name:<13} | {how}; the end of its console:\n");
    for line in machine.last_words().lines() {
        text += &format!("{name:<13} : {line}\n");
    }
    print!("{text}");
    bail!("{how}")
}
