//! Files that are replaced whole or not at all.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::SetupError;

/// Mode of a file that was not there.
const NEW: u32 = 0o644;
/// Mode of a file that nobody but root reads.
const PRIVATE: u32 = 0o600;

/// The file's text; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, SetupError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SetupError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A text on disk that nobody sees under its name yet.
pub(super) struct Staged {
    temporary: NamedTempFile,
    target: PathBuf,
}

/// Writes the text beside the file; owner and mode stay, where it is there. A link is followed: it
/// stays, and what it leads to is replaced.
pub(super) fn stage(path: &Path, text: &str) -> Result<Staged, SetupError> {
    write_beside(path, text, None)
}

/// [`stage`] of a file that holds what others may hide, for its owner alone.
pub(super) fn stage_private(path: &Path, text: &str) -> Result<Staged, SetupError> {
    write_beside(path, text, Some(PRIVATE))
}

fn write_beside(path: &Path, text: &str, mode: Option<u32>) -> Result<Staged, SetupError> {
    let failed = |source| SetupError::Write {
        path: path.to_owned(),
        source,
    };
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(failed(error)),
    };
    let write = || -> io::Result<NamedTempFile> {
        let folder = folder_of(&target);
        fs::create_dir_all(folder)?;
        let mut temporary = NamedTempFile::new_in(folder)?;
        temporary.write_all(text.as_bytes())?;
        let file = temporary.as_file();
        let old = match fs::metadata(path) {
            Ok(old) => {
                fchown(file, Some(old.uid()), Some(old.gid()))?;
                old.mode() & 0o7777
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => NEW,
            Err(error) => return Err(error),
        };
        file.set_permissions(Permissions::from_mode(mode.unwrap_or(old)))?;
        file.sync_all()?;
        Ok(temporary)
    };
    Ok(Staged {
        temporary: write().map_err(failed)?,
        target,
    })
}

impl Staged {
    /// Puts it in the file's place.
    pub(super) fn commit(self) -> Result<(), SetupError> {
        let Self { temporary, target } = self;
        let put = temporary
            .persist(&target)
            .map_err(|error| error.error)
            .and_then(|_file| File::open(folder_of(&target))?.sync_all());
        put.map_err(|source| SetupError::Write {
            path: target,
            source,
        })
    }
}

/// Removes a file, which may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), SetupError> {
    let removed = match fs::remove_file(path) {
        Ok(()) => File::open(folder_of(path)).and_then(|folder| folder.sync_all()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(|source| SetupError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Keeps a copy of the file beside it, under the first free name of FILE.before-netctl,
/// FILE.before-netctl.1, …; one that holds the same already will do.
pub(super) fn back_up(path: &Path, text: &str) -> Result<PathBuf, SetupError> {
    for number in 0_u32.. {
        let copy = beside(
            path,
            &match number {
                0 => ".before-netctl".to_owned(),
                number => format!(".before-netctl.{number}"),
            },
        );
        let failed = |source| SetupError::Write {
            path: copy.clone(),
            source,
        };
        let mode = fs::metadata(path).map_err(failed)?.mode() & 0o7777;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&copy);
        match made {
            Ok(mut file) => {
                let written = file
                    .write_all(text.as_bytes())
                    .and_then(|()| file.sync_all());
                written.map_err(failed)?;
                return Ok(copy);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&copy).is_ok_and(|old| old == text.as_bytes()) {
                    return Ok(copy);
                }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    unreachable!("one of four thousand million names is free")
}

/// The path with something added to its last part.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
