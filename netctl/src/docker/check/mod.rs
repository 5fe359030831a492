//! `netctl docker check`: what of this machine has to be changed for netctl to serve Docker's
//! networks. Reads, and changes nothing; no daemon is needed, and one that runs is asked.
//!
//! **Invariant**: what cannot be found out is a finding that says so, never a "fine".

mod daemon;
mod engine;
mod files;
mod firewall;
mod kernel;
mod others;
mod rules;

use std::path::PathBuf;

use serde::Serialize;

use super::setup::{Places, launch::Launch};
use crate::{client::Client, config::Config};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Nothing has to be changed, but somebody should know.
    Note,
    /// Has to be changed.
    Change,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    pub topic: &'static str,
    pub found: String,
    /// What to do, each a line to run or to write; those that begin with # are for the reader.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedy: Vec<String>,
}

impl Finding {
    fn ok(topic: &'static str, found: impl Into<String>) -> Self {
        Self::new(Level::Ok, topic, found, Vec::<String>::new())
    }

    fn note<L: Into<String>>(
        topic: &'static str,
        found: impl Into<String>,
        remedy: impl IntoIterator<Item = L>,
    ) -> Self {
        Self::new(Level::Note, topic, found, remedy)
    }

    fn change<L: Into<String>>(
        topic: &'static str,
        found: impl Into<String>,
        remedy: impl IntoIterator<Item = L>,
    ) -> Self {
        Self::new(Level::Change, topic, found, remedy)
    }

    fn new<L: Into<String>>(
        level: Level,
        topic: &'static str,
        found: impl Into<String>,
        remedy: impl IntoIterator<Item = L>,
    ) -> Self {
        Self {
            level,
            topic,
            found: found.into(),
            remedy: remedy.into_iter().map(Into::into).collect(),
        }
    }

    /// What could not be looked at.
    fn unknown(topic: &'static str, what: &str, error: impl std::fmt::Display) -> Self {
        let remedy = ["# run this as root, on the host itself"];
        Self::change(topic, format!("{what} cannot be read: {error}"), remedy)
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing has to be changed.
    pub ready: bool,
    pub findings: Vec<Finding>,
}

/// What the findings are drawn from besides the machine itself.
pub struct Subject {
    pub places: Places,
    /// netctl's configuration, or what is wrong with it.
    pub config: Result<Config, String>,
    /// The cgroup v2 hierarchy that netctl would use, or why there is none.
    pub cgroup: Result<PathBuf, String>,
}

/// Looks at everything.
pub async fn check(subject: &Subject, client: &Client) -> Report {
    let Subject {
        places,
        config,
        cgroup,
    } = subject;
    let mut findings = Vec::new();
    let launch = match Launch::read(&places.root) {
        Ok(launch) => launch,
        Err(error) => {
            findings.push(Finding::unknown("engine", "the processes", error));
            Launch::default()
        }
    };
    findings.extend(kernel::findings(cgroup));
    let engine_is_off = files::findings(places, config, &launch, &mut findings);
    let defaults = Config::default();
    let config = config.as_ref().unwrap_or(&defaults);
    findings.push(daemon::finding(client, config.docker.adopt).await);
    findings.extend(engine::findings(&config.docker, &launch, places, engine_is_off).await);
    findings.extend(rules::findings());
    findings.extend(firewall::findings(&places.root));
    findings.extend(others::findings(&places.root, &config.daemon.uplinks));
    Report {
        ready: findings.iter().all(|f| f.level != Level::Change),
        findings,
    }
}
