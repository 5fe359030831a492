//! What a guest says, read into results. A test has passed when its executable said so in so many
//! words, and in no other case.

use std::collections::BTreeMap;

/// How the panic's message of a test begins that cannot be run on a kernel
/// (`netctl_tests::need`).
const NOT_RUN: &str = "not run: ";

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// It ended itself, for that reason.
    NotRun(String),
    /// It was to be run, and nothing more is known.
    Unknown,
}

/// What a machine has said so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// `uname -r`.
    pub(super) release: Option<String>,
    pub(super) tests: BTreeMap<String, Verdict>,
    /// How the executable ended; `None` when it did not.
    pub(super) exit: Option<String>,
    /// Programs, with how much the verifier looked at.
    pub(super) verified: BTreeMap<String, u32>,
    /// What went wrong that is no test's fault.
    pub(super) fault: Option<String>,
    /// The test whose output is being shown.
    showing: Option<String>,
}

impl Report {
    /// Reads a line; what is to be shown of it.
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "kernel" => self.release = Some(rest.to_owned()),
            "list" => {
                self.tests.insert(rest.to_owned(), Verdict::Unknown);
                return None;
            }
            "out" => {
                self.read_output(rest);
                return Some(rest);
            }
            "exit" => self.exit = Some(rest.to_owned()),
            "fault" => self.fault = Some(rest.to_owned()),
            // Firmware and kernel write to the other port.
            _ => self.fault = Some(format!("the guest says {line:?}")),
        }
        Some(line)
    }

    fn read_output(&mut self, line: &str) {
        self.verified.extend(verified(line));
        if let Some((name, word)) = result(line) {
            let verdict = match word {
                "ok" => Verdict::Passed,
                _ => Verdict::Failed,
            };
            self.tests.insert(name.to_owned(), verdict);
            return;
        }
        if let Some(name) = shown_test(line) {
            self.showing = Some(name.to_owned());
            return;
        }
        // Only a failure's own words tell why: libtest knows no other way to end a test.
        if let Some(reason) = line.strip_prefix(NOT_RUN)
            && let Some(name) = &self.showing
            && let Some(verdict) = self.tests.get_mut(name)
            && *verdict == Verdict::Failed
        {
            *verdict = Verdict::NotRun(reason.to_owned());
        }
    }
}

/// `test NAME ... ok` or `... FAILED`.
fn result(line: &str) -> Option<(&str, &str)> {
    let (name, word) = line.strip_prefix("test ")?.split_once(" ... ")?;
    matches!(word, "ok" | "FAILED").then_some((name, word))
}

/// `---- NAME stdout ----`
fn shown_test(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// `verified NAME INSTRUCTIONS LOOKED_AT`, of the test that asks the verifier.
fn verified(line: &str) -> Option<(String, u32)> {
    let mut words = line.strip_prefix("verified ")?.split(' ');
    let name = words.next()?.to_owned();
    let looked_at = words.nth(1)?.parse().ok()?;
    words.next().is_none().then_some((name, looked_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        report
    }

    #[test]
    fn each_test_has_the_verdict_that_was_said() {
        let report = report(&[
            "kernel 5.10.0",
            "list a::good",
            "list a::bad",
            "list a::cannot",
            "list a::hangs",
            "out test a::good ... ok",
            "out test a::bad ... FAILED",
            "out test a::cannot ... FAILED",
            "out ---- a::good stdout ----",
            "out not run: a test that passed cannot say so",
            "out ---- a::cannot stdout ----",
            "out thread 'a::cannot' panicked at x.rs:1:",
            "out not run: the kernel has no such thing",
            "out ---- a::bad stdout ----",
            "out something else",
        ]);
        let tests = &report.tests;
        assert_eq!(tests["a::good"], Verdict::Passed);
        assert_eq!(tests["a::bad"], Verdict::Failed);
        let reason = "the kernel has no such thing".to_owned();
        assert_eq!(tests["a::cannot"], Verdict::NotRun(reason));
        assert_eq!(tests["a::hangs"], Verdict::Unknown);
        assert_eq!(report.exit, None);
        assert_eq!(report.fault, None);
    }

    #[test]
    fn what_the_verifier_looked_at_is_read() {
        let report = report(&[
            "out verified: program, instructions",
            "out verified from_host 3388 39123",
            "exit 0",
        ]);
        assert_eq!(report.verified["from_host"], 39123);
        assert_eq!(report.verified.len(), 1);
        assert_eq!(report.exit.as_deref(), Some("0"));
    }

    #[test]
    fn noise_is_a_fault() {
        assert!(report(&["Linux version"]).fault.is_some());
    }
}
