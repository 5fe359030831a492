//! Differential tests: one random script of flows through the kernel's own nftables NAT and
//! through netctl, in twin labs with the same cast; what the endpoints see has to be the same.
//!
//! `script` makes the steps, `play` carries one out and tells what was seen in words that mean
//! the same in both labs, `intended` is the one list of what may differ, and why.

mod intended;
mod play;
mod script;

use std::{collections::BTreeMap, fmt};

use crate::bench::bed;

pub use self::script::Step;
use self::{intended::INTENDED, play::Stage, script::script};

/// What came of a script.
pub struct Report {
    pub seed: u64,
    pub steps: usize,
    /// Steps that both answered, to know that they were not all refusals.
    pub answered: usize,
    /// How often each intended difference was met, by its name.
    pub intended: BTreeMap<&'static str, usize>,
    /// The others.
    pub differences: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, steps, .. } = self;
        writeln!(f, "seed {seed}: {steps} steps, {} answered", self.answered)?;
        for (name, count) in &self.intended {
            writeln!(f, "  {count:>5} × {name}")?;
        }
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        Ok(())
    }
}

/// Names of the differences that are intended.
pub fn intended() -> impl Iterator<Item = &'static str> {
    INTENDED.iter().map(|one| one.name)
}

/// Runs a script of that many steps through both. `config` is netctl's.
#[track_caller]
pub fn run(seed: u64, steps: usize, config: &str) -> Report {
    let kernel =
        bed::nft::Nft::dual_stack().unwrap_or_else(|error| panic!("nftables bed: {error}"));
    let ours = bed::netctl::Netctl::dual_stack(config)
        .unwrap_or_else(|error| panic!("netctl bed: {error}"));
    let load_rules = || kernel.rules(0).unwrap_or_else(|error| panic!("{error}"));
    let restart_daemon = || {
        ours.lab.kill_daemon();
        ours.lab.start_daemon();
    };
    let stages = [
        Stage::new(&kernel.lab, 20, &load_rules),
        Stage::new(&ours.lab, 18, &restart_daemon),
    ];
    let mut report = Report {
        seed,
        steps,
        answered: 0,
        intended: BTreeMap::new(),
        differences: Vec::new(),
    };
    let script = script(seed, steps);
    for (number, step) in script.iter().enumerate() {
        let [by_kernel, by_netctl] = [stages[0].play(step), stages[1].play(step)];
        report.answered += usize::from(by_kernel.is_answer() && by_netctl.is_answer());
        if by_kernel == by_netctl {
            continue;
        }
        let before = &script[..number];
        let mut known = INTENDED.iter();
        match known.find(|one| (one.applies)(step, before, &by_kernel, &by_netctl)) {
            Some(one) => *report.intended.entry(one.name).or_default() += 1,
            None => report.differences.push(format!(
                "step {number}: {step}\n  nftables: {by_kernel}\n  netctl:   {by_netctl}"
            )),
        }
    }
    report
}
