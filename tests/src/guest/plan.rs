//! What to run: written by `cargo xtask vm` into the machine's image.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use serde::Deserialize;

const PATH: &str = "/plan.json";

/// A test executable and what is wanted of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub program: PathBuf,
    /// Only tests whose names contain one of these; all where there are none.
    pub filters: Vec<String>,
    /// Tests that are left out, by their whole names.
    pub skip: Vec<String>,
    /// Every `parts`-th of what is left, beginning with number `part`: other machines do the rest.
    pub part: usize,
    pub parts: usize,
    pub threads: usize,
    pub env: BTreeMap<String, String>,
}

impl Plan {
    pub(super) fn read() -> io::Result<Self> {
        let text = fs::read_to_string(PATH)
            .map_err(|error| io::Error::new(error.kind(), format!("{PATH}: {error}")))?;
        serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{PATH}: {error}")))
    }

    /// The tests of the list that this machine is to run.
    pub(super) fn pick<'a>(&self, all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let is_wanted = |test: &&str| self.filters.iter().any(|text| test.contains(text));
        all.filter(|test| self.filters.is_empty() || is_wanted(test))
            .filter(|test| !self.skip.iter().any(|skipped| skipped == test))
            .skip(self.part)
            .step_by(self.parts.max(1))
            .collect()
    }
}
