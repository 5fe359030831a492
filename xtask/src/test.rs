//! `cargo xtask test`: every tier, and one line that says how many passed.
//!
//! **Invariant**: a tier that was asked for and could not run is a failure, never a pass. One that
//! was not asked for by name and lacks what the machine need not have is named as left out.

mod libtest;
mod privileged;
mod summary;
mod unit;

use std::{env, path::PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::{kernel, setup, workspace::Workspace};

pub(crate) use privileged::{Built, build};
use summary::Outcome;

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only tests whose name contains this
    filter: Option<String>,
    /// Only this tier; may be repeated
    #[arg(long = "tier", value_name = "TIER")]
    tiers: Vec<Tier>,
    /// Unpack what a tier needs beyond the usual tools below target/tools: Docker Engine
    #[arg(long)]
    install: bool,
    /// Passed on to each test executable, such as `--nocapture`
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Tier {
    /// Pure and property tests; needs no privilege
    Unit,
    /// eBPF programs by BPF_PROG_TEST_RUN, packet in and packet out; needs root
    Datapath,
    /// Real namespaces, links and traffic; needs root
    Netns,
    /// A real Docker Engine, whose networks netctl serves; needs root and the Engine
    Docker,
}

impl Tier {
    pub(crate) const ALL: [Self; 4] = [Self::Unit, Self::Datapath, Self::Netns, Self::Docker];

    /// Also the name of the test target, for the privileged tiers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Datapath => "datapath",
            Self::Netns => "netns",
            Self::Docker => "docker",
        }
    }

    pub(crate) fn is_privileged(self) -> bool {
        match self {
            Self::Unit => false,
            Self::Datapath | Self::Netns | Self::Docker => true,
        }
    }
}

impl Options {
    /// Folder of the Docker Engine to test with, fetched where that was asked for.
    fn engine(&self, workspace: &Workspace) -> Result<PathBuf> {
        let fetch = self.install || env::var_os("CI").is_some();
        let engine = setup::engine(workspace, fetch)?;
        setup::compose(workspace, fetch)?;
        Ok(engine)
    }

    fn wants(&self, tier: Tier) -> bool {
        self.tiers.is_empty() || self.tiers.contains(&tier)
    }

    /// Whether tests of that module were asked for by name.
    fn names(&self, module: &str) -> bool {
        let filter = self.filter.as_deref();
        filter.is_some_and(|filter| filter.contains(module.trim_end_matches(':')))
    }

    /// Without it, or on CI, a tier that cannot run is a failure.
    fn is_asked_for(&self, tier: Tier) -> bool {
        self.install || self.tiers.contains(&tier) || env::var_os("CI").is_some()
    }

    /// What each test executable gets.
    fn libtest_args(&self) -> impl Iterator<Item = &String> {
        self.filter.iter().chain(&self.args)
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut privileged: Vec<Tier> = Tier::ALL
        .into_iter()
        .filter(|tier| tier.is_privileged() && options.wants(*tier))
        .collect();
    // Before the build, so that a refusal does not come minutes later.
    if !privileged.is_empty() {
        privileged::check_root()?;
        kernel::check()?;
    }
    setup::build_tools(workspace)?;

    let mut outcomes = Vec::new();
    let mut engine = None;
    if privileged.contains(&Tier::Docker) {
        match options.engine(workspace) {
            Ok(folder) => engine = Some(folder),
            Err(error) => {
                privileged.retain(|tier| *tier != Tier::Docker);
                outcomes.push(match options.is_asked_for(Tier::Docker) {
                    true => Outcome::not_run(Tier::Docker, &error),
                    false => Outcome::left_out(Tier::Docker, &error),
                });
            }
        }
    }
    if options.wants(Tier::Unit) {
        outcomes.push(unit::run(workspace, options));
    }
    if !privileged.is_empty() {
        setup::test_tools()?;
        match privileged::build(workspace, &privileged) {
            Ok(built) => outcomes.extend(privileged.iter().map(|tier| {
                privileged::run(workspace, (&built, engine.as_deref()), *tier, options)
            })),
            Err(error) => outcomes.extend(
                privileged
                    .iter()
                    .map(|tier| Outcome::not_run(*tier, &error)),
            ),
        }
    }
    // A filter may well leave a tier without tests, but not all of them.
    if options.filter.is_none() {
        for outcome in &mut outcomes {
            outcome.refuse_empty();
        }
    }
    let ran_any = outcomes.iter().any(|outcome| outcome.counts.total() > 0);
    let all_held = outcomes.iter().all(Outcome::held);
    summary::print(&outcomes);
    if let Some(filter) = &options.filter {
        ensure!(ran_any, "no test's name contains {filter:?}");
    }
    ensure!(all_held, "tests failed");
    Ok(())
}
