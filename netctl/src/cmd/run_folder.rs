//! The run folder: who holds its lock is its daemon.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::api::socket;

/// The lock file's name; it holds the process id of its holder.
const LOCK: &str = "netctl.lock";

/// A run folder that is ours until this is dropped or the process ends.
pub(super) struct RunFolder {
    path: PathBuf,
    /// Whether it was there before.
    found: bool,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder if needed and takes its lock, or names the process that has it.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let found = path.exists();
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .with_context(|| format!("run folder {}; name another by --run", path.display()))?;
        let lock = lock(path)?;
        Ok(Self {
            path: path.to_owned(),
            found,
            _lock: lock,
        })
    }

    /// Takes the socket away: nobody answers there any more.
    pub(super) fn close(&self) -> Result<()> {
        remove(&socket::path(&self.path))
    }

    /// Leaves the machine as if there had never been a daemon. Files of others stay.
    pub(super) fn remove(self) -> Result<()> {
        self.close()?;
        remove_folder(&self.path.join("netns"))?;
        // Last of all, since it says that somebody is at work here.
        remove(&self.path.join(LOCK))?;
        remove_folder(&self.path)
    }

    /// As [`Self::remove`] for a start that failed: a folder that was there stays.
    pub(super) fn give_back(self) -> Result<()> {
        if self.found {
            return remove(&self.path.join(LOCK));
        }
        self.remove()
    }
}

/// Waits until the folder's daemon has ended.
pub(super) async fn wait_free(path: &Path, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    let mut poll = tokio::time::interval(Duration::from_millis(5));
    loop {
        poll.tick().await;
        match File::open(path.join(LOCK)).map(|file| file.try_lock()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e).with_context(|| format!("run folder {}", path.display())),
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) if Instant::now() < deadline => {}
            Ok(Err(_)) => bail!(
                "the daemon of run folder {} has taken everything away, but does not end",
                path.display()
            ),
        }
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let about = || format!("lock file {}", path.display());
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .with_context(about)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).with_context(about)?;
                bail!(
                    "run folder {} is in use by another netctl daemon (process {}); stop that one, or name another folder by --run",
                    folder.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(e)) => return Err(e).with_context(about),
        }
        // Its last holder may have removed the file between the two calls.
        let ours = file.metadata().with_context(about)?.ino();
        if fs::metadata(&path).map(|m| m.ino()).ok() != Some(ours) {
            continue;
        }
        file.set_len(0).with_context(about)?;
        file.rewind().with_context(about)?;
        writeln!(file, "{}", std::process::id()).with_context(about)?;
        return Ok(file);
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Removes a folder that is empty.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir(path) {
        Err(e)
            if !matches!(
                e.kind(),
                // Busy: a mount point, such as systemd's RuntimeDirectory.
                io::ErrorKind::NotFound
                    | io::ErrorKind::DirectoryNotEmpty
                    | io::ErrorKind::ResourceBusy
            ) =>
        {
            Err(e).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_and_the_first_named() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let first = RunFolder::take(&run).unwrap();
        let error = RunFolder::take(&run).err().unwrap().to_string();
        let holder = format!("(process {})", std::process::id());
        assert!(
            error.contains(&holder) && error.contains("--run"),
            "{error}"
        );
        drop(first);
        // What a killed one left is no obstacle.
        let again = RunFolder::take(&run).unwrap();
        again.remove().unwrap();
        assert!(!run.exists());
    }

    #[test]
    fn a_folder_that_was_there_is_given_back_with_what_others_have_in_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("theirs"), "x").unwrap();
        RunFolder::take(dir.path()).unwrap().give_back().unwrap();
        RunFolder::take(dir.path()).unwrap().remove().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        wait_free(dir.path(), Duration::ZERO).await.unwrap();
        let held = RunFolder::take(dir.path()).unwrap();
        let error = wait_free(dir.path(), Duration::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("does not end"), "{error}");
        drop(held);
        wait_free(dir.path(), Duration::ZERO).await.unwrap();
    }
}
