//! The socket by which Docker finds its drivers.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tokio::net::UnixListener;

/// Where Docker looks for it: the file's name is the driver's.
pub const PATH: &str = "/run/docker/plugins/netctl.sock";

/// The file; it goes with this.
pub struct Socket {
    path: PathBuf,
    inode: u64,
    /// Folders that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

impl Socket {
    /// Listens there, in place of what a daemon that was killed has left. Another daemon that
    /// answers keeps it.
    pub(super) fn listen(path: &Path) -> Result<(UnixListener, Self)> {
        let about = || path.display().to_string();
        if UnixStream::connect(path).is_ok() {
            bail!("{}: another netctl serves Docker there", about());
        }
        let folder = path.parent().with_context(about)?;
        let made = make(folder).with_context(about)?;
        // Made under another name, which Docker does not take for a driver: it takes its place
        // with the right mode, and at once.
        let new = path.with_extension("new");
        remove(&new).with_context(about)?;
        let listener = UnixListener::bind(&new).with_context(about)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).with_context(about)?;
        fs::rename(&new, path).with_context(about)?;
        let inode = fs::metadata(path).with_context(about)?.ino();
        let socket = Self {
            path: path.to_owned(),
            inode,
            made,
        };
        Ok((listener, socket))
    }

    /// Takes away what a daemon that was killed has left there.
    pub fn sweep(path: &Path) -> Result<()> {
        if UnixStream::connect(path).is_ok() {
            return Ok(());
        }
        remove(path).with_context(|| path.display().to_string())
    }

    /// Takes it away, and folders that were made for it: a file that nobody answers at makes
    /// Docker wait as long as none, and names a driver that is not there.
    fn close(&self) -> io::Result<()> {
        // Another daemon may have come in our place.
        if fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            remove(&self.path)?;
        }
        for folder in &self.made {
            match fs::remove_dir(folder) {
                // Docker has come to use it.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => break,
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(path = %self.path.display(), %error, "the socket stays behind");
        }
    }
}

/// Makes a folder and those that it is in; which ones, the innermost first.
fn make(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = folder.ancestors().take_while(|folder| !folder.exists());
    let made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    // Docker makes /run/docker for root alone, and takes one that is there as it is.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    Ok(made)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
