//! What the passes found and did, for `netctl status` and the metrics.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::step::Step;
use crate::{
    kernel::{events::unix_seconds, state::Key},
    view::{Healed, Status},
};

/// Healed steps remembered.
const HEALED: usize = 32;

#[derive(Default)]
pub(super) struct Health {
    features: BTreeMap<String, String>,
    warnings: Vec<String>,
    passes: u64,
    last_pass: Option<u64>,
    last_pass_milliseconds: u64,
    healed: VecDeque<Healed>,
    /// By object; those of steps about no single one under `None`.
    failures: BTreeMap<Option<Key>, String>,
    /// A listing that failed as a whole.
    observation: Option<String>,
    microseconds: u64,
    failed_passes: u64,
}

/// What one pass did.
pub(super) struct Report {
    pub(super) full: bool,
    pub(super) took: Duration,
    /// Steps that put right what others had changed.
    pub(super) healed: Vec<String>,
    pub(super) failures: Vec<(Step, String)>,
    /// What the host shows of itself is not what the pass began with.
    pub(super) host: bool,
    /// Objects of the pass: failures of others stay.
    pub(super) covered: Vec<Key>,
}

impl Health {
    pub(super) fn new(features: BTreeMap<String, String>, warnings: Vec<String>) -> Self {
        Self {
            features,
            warnings,
            ..Self::default()
        }
    }

    pub(super) fn record(&mut self, report: &Report) {
        self.count(report.took);
        let time = unix_seconds();
        if report.full {
            self.last_pass = Some(time);
            self.last_pass_milliseconds = report.took.as_millis() as u64;
            self.failures.clear();
        }
        self.observation = None;
        self.failures.remove(&None);
        for key in &report.covered {
            self.failures.remove(&Some(key.clone()));
        }
        for (step, error) in &report.failures {
            self.failures.insert(step.key(), format!("{step}: {error}"));
        }
        self.failed_passes += u64::from(!report.failures.is_empty());
        for step in &report.healed {
            self.healed.truncate(HEALED - 1);
            self.healed.push_front(Healed {
                time,
                step: step.clone(),
            });
        }
    }

    /// A pass that could not even look.
    pub(super) fn record_blind(&mut self, error: String, took: Duration) {
        self.count(took);
        self.failed_passes += 1;
        self.observation = Some(error);
    }

    fn count(&mut self, took: Duration) {
        self.passes += 1;
        self.microseconds += took.as_micros() as u64;
    }

    pub(super) fn is_failing(&self) -> bool {
        self.observation.is_some() || !self.failures.is_empty()
    }

    pub(super) fn status(&self) -> Status {
        Status {
            healthy: self.last_pass.is_some() && !self.is_failing(),
            features: self.features.clone(),
            passes: self.passes,
            last_pass: self.last_pass,
            last_pass_milliseconds: self.last_pass_milliseconds,
            healed: self.healed.iter().cloned().collect(),
            failures: self
                .observation
                .iter()
                .chain(self.failures.values())
                .cloned()
                .collect(),
            uplinks: Vec::new(),
            shield: BTreeMap::new(),
            warnings: self.warnings.clone(),
        }
    }

    /// Microseconds, number and failures of passes.
    pub(super) fn totals(&self) -> (u64, u64, u64) {
        (self.microseconds, self.passes, self.failed_passes)
    }
}
