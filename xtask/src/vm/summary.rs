//! What came of all kernels, as shown at the end.
//!
//! **Invariant**: a test that was to be run and is not known to have passed or to have said why it
//! cannot run, is a failure; so is a tier of which nothing passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    plan::{Job, Plan},
    report::{Report, Verdict},
};
use crate::{setup::Kernel, test::Tier};

/// What came of one machine.
pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) report: Report,
    /// What went wrong beside single tests.
    pub(super) trouble: Option<String>,
    pub(super) elapsed: Duration,
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    not_run: usize,
    elapsed: Duration,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        self.elapsed += outcome.elapsed;
        for verdict in outcome.report.tests.values() {
            match verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed | Verdict::Unknown => self.failed += 1,
                Verdict::NotRun(_) => self.not_run += 1,
            }
        }
    }
}

/// Prints everything; whether all held.
pub(super) fn print(plan: &Plan, outcomes: &[Outcome]) -> bool {
    let mut groups: BTreeMap<(Kernel, &str), (Tier, Counts)> = BTreeMap::new();
    for outcome in outcomes {
        let Job { kernel, tier, .. } = outcome.job;
        let group = groups.entry((kernel, tier.name())).or_insert_with(|| {
            let not_run = plan.left_out(tier).count();
            let counts = Counts {
                not_run,
                ..Counts::default()
            };
            (tier, counts)
        });
        group.1.add(outcome);
    }
    print_not_run(plan, outcomes);
    print_verified(outcomes);
    println!();
    println!("kernel  tier      passed  failed  not run  machine time");
    let mut complaints: Vec<String> = outcomes.iter().flat_map(unhappy).collect();
    let mut sum = Counts::default();
    for ((kernel, _), (tier, counts)) in &groups {
        let Counts {
            passed,
            failed,
            not_run,
            elapsed,
        } = counts;
        let is_whole = plan.filters(*tier).is_empty();
        let (version, tier) = (kernel.version(), tier.name());
        let seconds = elapsed.as_secs();
        println!(
            "{version:<6}  {tier:<8}  {passed:>6}  {failed:>6}  {not_run:>7}  {seconds:>10} s"
        );
        if *passed == 0 && is_whole {
            complaints.push(format!("{version} {tier}: no test passed"));
        }
        sum.passed += passed;
        sum.failed += failed;
        sum.not_run += not_run;
    }
    if sum.passed == 0 {
        complaints.push("no test passed".to_owned());
    }
    complaints.extend(plan.filters.values().flatten().filter_map(|text| {
        let tests = || outcomes.iter().flat_map(|one| one.report.tests.keys());
        (!tests().any(|test| test.contains(text)))
            .then(|| format!("no test's name contains {text:?}"))
    }));
    println!();
    for complaint in &complaints {
        println!("failed: {complaint}");
    }
    let releases: BTreeSet<&str> = outcomes
        .iter()
        .filter_map(|outcome| outcome.report.release.as_deref())
        .collect();
    let releases: Vec<&str> = releases.into_iter().collect();
    println!(
        "{} passed, {} failed, {} not run, on Linux {}",
        sum.passed,
        sum.failed,
        sum.not_run,
        releases.join(", ")
    );
    complaints.is_empty() && sum.failed == 0
}

/// Everything about a machine that must not be.
fn unhappy(outcome: &Outcome) -> Vec<String> {
    let name = outcome.job.name();
    let tests = &outcome.report.tests;
    let mut lines: Vec<String> = tests
        .iter()
        .filter_map(|(test, verdict)| match verdict {
            Verdict::Failed => Some(format!("{name}: {test}")),
            Verdict::Unknown => Some(format!("{name}: {test}: did not come to its end")),
            Verdict::Passed | Verdict::NotRun(_) => None,
        })
        .collect();
    lines.extend(
        outcome
            .trouble
            .iter()
            .map(|trouble| format!("{name}: {trouble}")),
    );
    match outcome.report.exit.as_deref() {
        Some("0") => {}
        // libtest's status when a test failed, and those that cannot run have.
        Some("101") if tests.values().any(|verdict| *verdict != Verdict::Passed) => {}
        Some(status) => lines.push(format!("{name}: the tests ended with {status}")),
        // Then there is a trouble.
        None => {}
    }
    lines
}

fn print_not_run(plan: &Plan, outcomes: &[Outcome]) {
    let mut lines = BTreeSet::new();
    for outcome in outcomes {
        let version = outcome.job.kernel.version();
        for (test, reason) in plan.left_out(outcome.job.tier) {
            lines.insert(format!("{version:<6}  {test}: {reason}"));
        }
        for (test, verdict) in &outcome.report.tests {
            if let Verdict::NotRun(reason) = verdict {
                lines.insert(format!("{version:<6}  {test}: {reason}"));
            }
        }
    }
    if !lines.is_empty() {
        println!();
        println!("not run:");
        for line in lines {
            println!("{line}");
        }
    }
}

/// One row for each program, one column for each kernel.
fn print_verified(outcomes: &[Outcome]) {
    let mut rows: BTreeMap<&str, BTreeMap<Kernel, u32>> = BTreeMap::new();
    for outcome in outcomes {
        for (program, looked_at) in &outcome.report.verified {
            let row = rows.entry(program).or_default();
            row.insert(outcome.job.kernel, *looked_at);
        }
    }
    if rows.is_empty() {
        return;
    }
    let kernels: BTreeSet<Kernel> = rows.values().flat_map(BTreeMap::keys).copied().collect();
    println!();
    print!("looked at by the verifier");
    for kernel in &kernels {
        print!("{:>10}", kernel.version());
    }
    println!();
    for (program, row) in rows {
        print!("{program:<25}");
        for kernel in &kernels {
            match row.get(kernel) {
                Some(looked_at) => print!("{looked_at:>10}"),
                None => print!("{:>10}", "-"),
            }
        }
        println!();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(plan: &Plan, lines: &[&str], trouble: Option<&str>) -> Outcome {
        let job = Job::of(Kernel::V5_10, Tier::Datapath, plan).next();
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        Outcome {
            job: job.expect("a tier has a part"),
            report,
            trouble: trouble.map(str::to_owned),
            elapsed: Duration::ZERO,
        }
    }

    fn holds(lines: &[&str], trouble: Option<&str>) -> bool {
        holds_with(&[], lines, trouble)
    }

    fn holds_with(filters: &[&str], lines: &[&str], trouble: Option<&str>) -> bool {
        let filters = filters.iter().map(|text| (*text).to_owned()).collect();
        let plan = Plan {
            filters: BTreeMap::from([(Tier::Datapath, filters)]),
            limit: Duration::ZERO,
        };
        print(&plan, &[outcome(&plan, lines, trouble)])
    }

    const PASSED: [&str; 2] = ["list a::b", "out test a::b ... ok"];
    const NOT_RUN: [&str; 4] = [
        "list a::c",
        "out test a::c ... FAILED",
        "out ---- a::c stdout ----",
        "out not run: nothing of the kind here",
    ];

    #[test]
    fn what_passed_or_cannot_be_holds() {
        assert!(holds(&[&PASSED[..], &["exit 0"]].concat(), None));
        let lines = [&PASSED[..], &NOT_RUN, &["exit 101"]].concat();
        assert!(holds(&lines, None));
    }

    #[test]
    fn nothing_else_holds() {
        // Nothing passed.
        assert!(!holds(&["exit 0"], None));
        assert!(!holds(&[&NOT_RUN[..], &["exit 101"]].concat(), None));
        // Something failed, or is not known to have ended.
        let failed = ["list a::c", "out test a::c ... FAILED"];
        assert!(!holds(
            &[&PASSED[..], &failed, &["exit 101"]].concat(),
            None
        ));
        assert!(!holds(
            &[&PASSED[..], &["list a::c", "exit 0"]].concat(),
            None
        ));
        // Every test passed, but the executable or the machine did not end well.
        assert!(!holds(&[&PASSED[..], &["exit signal 11"]].concat(), None));
        assert!(!holds(&[&PASSED[..], &["exit 101"]].concat(), None));
        assert!(!holds(&PASSED, Some("killed")));
        // There is nothing of that name.
        let lines = [&PASSED[..], &["exit 0"]].concat();
        assert!(holds_with(&["a::"], &lines, None));
        assert!(!holds_with(&["a::", "z::"], &lines, None));
    }
}
