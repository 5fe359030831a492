//! What is going to change, and what `enable` has changed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::{Places, SetupError, files};

/// A file before and after; no text: no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    pub path: PathBuf,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl FileChange {
    /// As `diff -u` shows it.
    pub fn diff(&self) -> String {
        let text = |side: &Option<String>| side.clone().unwrap_or_default();
        let (before, after) = (text(&self.before), text(&self.after));
        let path = self.path.display().to_string();
        let name = |side: &Option<String>| match side {
            Some(_) => path.clone(),
            None => "/dev/null".to_owned(),
        };
        TextDiff::from_lines(&before, &after)
            .unified_diff()
            .header(&name(&self.before), &name(&self.after))
            .to_string()
    }
}

/// What `enable` has done, in daemon.json.netctl.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    about: String,
    pub(super) files: Vec<FileChange>,
}

impl Record {
    pub(super) fn new(files: Vec<FileChange>) -> Self {
        Self {
            about: "written by `netctl docker enable`, read and removed by `netctl docker disable`"
                .to_owned(),
            files,
        }
    }

    /// Beside daemon.json.
    pub(super) fn path(places: &Places) -> PathBuf {
        files::beside(&places.daemon_json, ".netctl")
    }

    pub(super) fn load(places: &Places) -> Result<Option<Self>, SetupError> {
        let path = Self::path(places);
        let Some(text) = files::read(&path)? else {
            return Ok(None);
        };
        let record = serde_json::from_str(&text).map_err(|error| SetupError::Record {
            path,
            reason: error.to_string(),
        })?;
        Ok(Some(record))
    }

    pub(super) fn of(&self, path: &Path) -> Option<&FileChange> {
        self.files.iter().find(|change| change.path == path)
    }
}

/// What a switch is going to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Those that change.
    pub files: Vec<FileChange>,
    /// For a person: what was decided on the way.
    pub told: Vec<String>,
    /// Whether files that change are kept under another name.
    pub(super) keeps_copies: bool,
    /// Its path, and what it holds then.
    pub(super) record: (PathBuf, Option<Record>),
}

impl Plan {
    /// Carries it out; the copies that were made, by the files that they are of. All texts are on disk before the first file
    /// changes.
    pub fn apply(self) -> Result<BTreeMap<PathBuf, PathBuf>, SetupError> {
        let Self {
            files,
            told: _,
            keeps_copies,
            record: (record_path, record),
        } = self;
        let staged_record = match &record {
            Some(record) => {
                let text =
                    serde_json::to_string_pretty(record).map_err(|error| SetupError::Record {
                        path: record_path.clone(),
                        reason: error.to_string(),
                    })?;
                Some(files::stage_private(&record_path, &(text + "\n"))?)
            }
            None => None,
        };
        let staged = files.iter().map(|change| match &change.after {
            Some(text) => files::stage(&change.path, text).map(Some),
            None => Ok(None),
        });
        let staged = staged.collect::<Result<Vec<_>, _>>()?;
        let mut copies = BTreeMap::new();
        if keeps_copies {
            for change in &files {
                if let Some(text) = &change.before {
                    let copy = files::back_up(&change.path, text)?;
                    copies.insert(change.path.clone(), copy);
                }
            }
        }
        // First of all what tells how to go back; it goes last.
        if let Some(staged) = staged_record {
            staged.commit()?;
        }
        for (change, staged) in files.iter().zip(staged) {
            match staged {
                Some(staged) => staged.commit()?,
                None => files::remove(&change.path)?,
            }
        }
        if record.is_none() {
            files::remove(&record_path)?;
        }
        Ok(copies)
    }
}
