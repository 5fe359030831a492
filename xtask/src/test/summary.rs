//! What came of each tier, as shown at the end.

use std::time::{Duration, Instant};

use super::{Tier, libtest::Counts};
use crate::cmd::Cmd;

/// What came of one tier.
pub(crate) struct Outcome {
    tier: Tier,
    pub(crate) counts: Counts,
    elapsed: Duration,
    /// What went wrong beside single tests.
    trouble: Option<String>,
    /// Not a single test was meant to run.
    is_left_out: bool,
}

impl Outcome {
    /// Runs a command that runs tests; shows and counts them.
    pub(crate) fn of(tier: Tier, command: Cmd) -> Self {
        let none = Self {
            tier,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            trouble: None,
            is_left_out: false,
        };
        none.and(command)
    }

    /// Runs another one for the same tier.
    pub(crate) fn and(mut self, command: Cmd) -> Self {
        let start = Instant::now();
        let mut counts = Counts::default();
        let ended = command.lines(|line| {
            println!("{line}");
            counts.read(line);
        });
        self.elapsed += start.elapsed();
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.ignored += counts.ignored;
        match ended {
            // One that crashes, or does not compile, prints no count.
            Ok(status) if !status.success() && counts.failed == 0 => {
                self.fail(format!("it did not finish: {status}"));
            }
            Ok(_) => {}
            Err(error) => self.fail(format!("{error:#}")),
        }
        self
    }

    /// A tier whose tests could not even be built or started.
    pub(crate) fn not_run(tier: Tier, error: &anyhow::Error) -> Self {
        let mut outcome = Self {
            tier,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            trouble: None,
            is_left_out: false,
        };
        outcome.fail(format!("{error:#}"));
        outcome
    }

    /// A tier that this machine lacks something for, and that nobody asked for by name.
    pub(crate) fn left_out(tier: Tier, error: &anyhow::Error) -> Self {
        Self {
            tier,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            trouble: Some(format!("not run: {error:#}")),
            is_left_out: true,
        }
    }

    /// Whether every test passed.
    pub(crate) fn held(&self) -> bool {
        self.counts.failed == 0
    }

    /// A tier without tests proves nothing, which must not look like success.
    pub(crate) fn refuse_empty(&mut self) {
        if self.tier.is_privileged() && self.counts.total() == 0 && !self.is_left_out {
            self.fail("it has no tests".to_owned());
        }
    }

    /// Counts as one failure, so that the last line cannot read as success.
    fn fail(&mut self, trouble: String) {
        self.counts.failed += 1;
        self.trouble = Some(trouble);
    }
}

/// One line for each tier, and the sum in a line that other programs can find.
pub(crate) fn print(outcomes: &[Outcome]) {
    println!();
    println!("tier      passed  failed  ignored     time");
    let mut sum = Counts::default();
    for outcome in outcomes {
        let Outcome {
            tier,
            counts:
                Counts {
                    passed,
                    failed,
                    ignored,
                },
            elapsed,
            trouble,
            is_left_out: _,
        } = outcome;
        println!(
            "{:<8}  {passed:>6}  {failed:>6}  {ignored:>7}  {:>5.1} s",
            tier.name(),
            elapsed.as_secs_f64()
        );
        if let Some(trouble) = trouble {
            println!("          {trouble}");
        }
        sum.passed += passed;
        sum.failed += failed;
    }
    for tier in Tier::ALL {
        if !outcomes.iter().any(|outcome| outcome.tier == tier) {
            println!("{:<8}  not asked for", tier.name());
        }
    }
    println!();
    println!("{} passed, {} failed", sum.passed, sum.failed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_without_a_count_is_a_failure() {
        let outcome = Outcome::of(Tier::Netns, Cmd::new("false"));
        assert!(!outcome.held());
        assert_eq!(outcome.counts.failed, 1);
    }

    #[test]
    fn an_empty_privileged_tier_is_a_failure() {
        let mut outcome = Outcome::of(Tier::Datapath, Cmd::new("true"));
        assert!(outcome.held());
        outcome.refuse_empty();
        assert!(!outcome.held());
    }

    #[test]
    fn a_tier_that_was_left_out_says_so_and_is_no_failure() {
        let mut outcome = Outcome::left_out(Tier::Docker, &anyhow::anyhow!("no Engine"));
        outcome.refuse_empty();
        assert!(outcome.held());
        assert_eq!(outcome.trouble.as_deref(), Some("not run: no Engine"));
    }

    #[test]
    fn an_empty_unit_tier_is_left_to_the_filter() {
        let mut outcome = Outcome::of(Tier::Unit, Cmd::new("true"));
        outcome.refuse_empty();
        assert!(outcome.held());
    }
}
