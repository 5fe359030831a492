//! What documents claim with a ✅: each claim names tests, and they exist.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

/// Documents with tables of claims: a row has the mark as a column of its own.
const DOCUMENTS: [&str; 2] = ["README.md", "tests/README.md"];

/// Folders of the tests that a claim `file::test` may mean; in the last ones, those of modules
/// (`config::tests::name`, where `::` stands for a folder).
const TIERS: [&str; 5] = [
    "tests/netns",
    "tests/docker",
    "tests/datapath",
    "netctl/src",
    "netctl-common/tests",
];

/// Checks every row that claims something. A document without such a row is one whose tables this
/// does not understand any more.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut complaints = Vec::new();
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("| ✅ |"))
            .collect();
        if rows.is_empty() {
            complaints.push(format!("{document}: no row claims anything"));
        }
        for row in rows {
            let about = about(root, row);
            complaints.extend(about.iter().map(|what| format!("{document}: {what}")));
        }
    }
    ensure!(
        complaints.is_empty(),
        "claims without a test:\n  {}",
        complaints.join("\n  ")
    );
    Ok(())
}

/// What is wrong with a row.
fn about(root: &Path, row: &str) -> Vec<String> {
    let tests = tests_of(row);
    if tests.is_empty() {
        return vec![format!("no test behind: {row}")];
    }
    let missing = tests
        .iter()
        .filter(|(file, test)| !exists(root, file, test));
    missing
        .map(|(file, test)| format!("{file}::{test} is not a test"))
        .collect()
}

/// Every `file::test` in backticks.
fn tests_of(row: &str) -> Vec<(&str, &str)> {
    let quoted = row.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| name.rsplit_once("::")).collect()
}

fn exists(root: &Path, file: &str, test: &str) -> bool {
    let file = file.replace("::", "/");
    TIERS.iter().any(|tier| {
        let folder = root.join(tier).join(&file);
        [folder.with_extension("rs"), folder.join("mod.rs")]
            .iter()
            .any(|path| fs::read_to_string(path).is_ok_and(|text| declares(&text, test)))
    })
}

/// Whether a file has that test.
fn declares(text: &str, test: &str) -> bool {
    let declaration = format!("fn {test}()");
    let mut lines = text.lines().map(str::trim);
    let mut marked = false;
    lines.any(|line| {
        let found = marked && line.starts_with(&declaration);
        marked =
            line == "#[test]" || line == "#[tokio::test]" || (marked && line.starts_with("#["));
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_a_row() {
        let row = "| hairpin | ✅ | `hairpin::a`, `config::tests::b`; `fragment` |";
        assert_eq!(tests_of(row), [("hairpin", "a"), ("config::tests", "b")]);
        assert!(!exists(Path::new("/nonexistent"), "hairpin", "a"));
        assert_eq!(about(Path::new("/nonexistent"), row).len(), 2);
        assert_eq!(
            about(Path::new("/nonexistent"), "| x | ✅ | seen |").len(),
            1
        );
    }

    #[test]
    fn only_tests_count() {
        let text = "#[test]\nfn one() {}\nfn two() {}\n    #[test]\n    fn three() {}";
        for (name, is) in [
            ("one", true),
            ("two", false),
            ("three", true),
            ("on", false),
        ] {
            assert_eq!(declares(text, name), is, "{name}");
        }
    }
}
