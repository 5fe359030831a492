//! Reads the counts from what Rust's test executables print.

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

impl Counts {
    /// The tests that ran.
    pub(crate) fn total(self) -> u32 {
        self.passed + self.failed
    }

    /// Adds what this line tells, if it is a test executable's last.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(counts) = parse(line) {
            self.passed += counts.passed;
            self.failed += counts.failed;
            self.ignored += counts.ignored;
        }
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s`
fn parse(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |what: &str| {
        counts.split(';').find_map(|part| {
            let (number, word) = part.trim().split_once(' ')?;
            (word == what).then(|| number.parse().ok())?
        })
    };
    Some(Counts {
        passed: count("passed")?,
        failed: count("failed")?,
        ignored: count("ignored")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_executables_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 0.10s",
            "test netns::publish ... ok",
            "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 7 filtered out; \
             finished in 61.00s",
        ] {
            counts.read(line);
        }
        assert_eq!(
            counts,
            Counts {
                passed: 5,
                failed: 5,
                ignored: 1
            }
        );
    }

    #[test]
    fn other_lines_are_not_results() {
        for line in ["", "test result: ", "a test result: ok. 1 passed; 0 failed"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }
}
