//! A host's way from stock Docker to netctl and back: `netctl docker enable` and `disable`. No
//! daemon takes part.
//!
//! ```text
//! daemon.json, netctl.toml ─► switch ─► Plan (texts before and after) ─► files
//! ```
//!
//! What `enable` changed is in a record beside daemon.json, with both texts, so that `disable`
//! takes back exactly that: to the letter where nobody has changed the files since, else key by
//! key.

mod files;
mod json;
pub mod launch;
mod record;
mod settings;
mod switch;
mod toml;

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

pub use self::{
    record::{FileChange, Plan},
    settings::{ENGINE_OFF, Settings, engine},
    switch::{disable, enable},
};
use crate::config::{self, ConfigError};

/// Where the Engine looks for its configuration.
pub const DAEMON_JSON: &str = "/etc/docker/daemon.json";

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error("{path}: cannot be read; run this as root", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: cannot be written; run this as root, and see that the file system is not read-only", path = .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{path}, line {line}, column {column}: {reason}; put it right first, nothing was changed", path = .path.display())]
    Json {
        path: PathBuf,
        line: usize,
        column: usize,
        reason: String,
    },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{path}: cannot be edited; nothing was changed", path = .path.display())]
    Toml {
        path: PathBuf,
        source: Box<toml_edit::TomlError>,
    },
    #[error("{path} cannot be understood: {reason}; put the copy {copy} back where `docker enable` made one, and remove {path}", path = .path.display(), copy = "FILE.before-netctl")]
    Record { path: PathBuf, reason: String },
    #[error(
        "dockerd is started with {option} ({place}), and does not start with the same in daemon.json; take it out there first"
    )]
    Flag { option: String, place: String },
    #[error("dockerd reads {path} ({place}); name it by --daemon-json", path = .path.display())]
    OtherFile { path: PathBuf, place: String },
}

/// The files that are read and changed.
#[derive(Clone, Debug)]
pub struct Places {
    /// What every path is below that nobody names, `/` for this machine.
    pub root: PathBuf,
    pub daemon_json: PathBuf,
    pub netctl_toml: PathBuf,
}

impl Places {
    /// What is not given is where it is usually.
    pub fn new(root: &Path, daemon_json: Option<PathBuf>, config: Option<PathBuf>) -> Self {
        Self {
            daemon_json: daemon_json.unwrap_or_else(|| below(root, DAEMON_JSON)),
            netctl_toml: config.unwrap_or_else(|| below(root, config::DEFAULT_PATH)),
            root: root.to_owned(),
        }
    }
}

/// An absolute path of a machine whose root folder is `root`.
pub fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests;
