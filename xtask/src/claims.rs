//! The README's ✅: each names tests, and they exist.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

/// Folders of the tests that a claim `file::test` may mean.
const TIERS: [&str; 2] = ["tests/netns", "tests/datapath"];

/// Checks every row of README.md that claims something.
pub(crate) fn check(root: &Path) -> Result<()> {
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).with_context(|| format!("read {}", readme.display()))?;
    let mut complaints = Vec::new();
    for row in text.lines().filter(|line| line.contains("| ✅ |")) {
        let tests = tests_of(row);
        if tests.is_empty() {
            complaints.push(format!("no test behind: {row}"));
        }
        for (file, test) in tests {
            if !exists(root, file, test) {
                complaints.push(format!("{file}::{test} is not a test"));
            }
        }
    }
    ensure!(
        complaints.is_empty(),
        "README.md claims too much:\n  {}",
        complaints.join("\n  ")
    );
    Ok(())
}

/// Every `file::test` in backticks.
fn tests_of(row: &str) -> Vec<(&str, &str)> {
    let quoted = row.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| name.split_once("::")).collect()
}

fn exists(root: &Path, file: &str, test: &str) -> bool {
    let declaration = format!("#[test]\nfn {test}()");
    TIERS.iter().any(|tier| {
        let path = root.join(tier).join(file).with_extension("rs");
        fs::read_to_string(path).is_ok_and(|text| text.contains(&declaration))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_a_row() {
        let row = "| hairpin | ✅ | `hairpin::a`, `truth::b`; `fragment` |";
        assert_eq!(tests_of(row), [("hairpin", "a"), ("truth", "b")]);
        assert!(!exists(Path::new("/nonexistent"), "hairpin", "a"));
    }
}
