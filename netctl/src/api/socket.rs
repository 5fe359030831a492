//! The API's socket: RUN/netctl.sock, for root and the group netctl.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tokio::net::UnixListener;

/// Name of the socket in the run folder.
pub const FILE: &str = "netctl.sock";
/// Members may use the API.
const GROUP: &str = "netctl";
/// What sockaddr_un has room for, without the closing zero (unix(7)).
const MAX_PATH: usize = 107;

/// Path of the socket.
pub fn path(run: &Path) -> PathBuf {
    run.join(FILE)
}

/// Refuses a folder that no socket can be in.
pub fn check(run: &Path) -> Result<()> {
    let path = path(run);
    if path.as_os_str().len() > MAX_PATH {
        bail!(
            "socket {} has a path of more than {MAX_PATH} bytes; choose a shorter one by --run",
            path.display()
        );
    }
    Ok(())
}

/// Listens, in place of whatever a daemon that was killed has left. The caller holds the run
/// folder's lock.
pub fn listen(run: &Path) -> Result<UnixListener> {
    check(run)?;
    let path = path(run);
    // Made under another name, it takes its place only with the right owner and mode.
    let new = run.join("netctl.new");
    let about = || format!("socket {}", path.display());
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e).with_context(about),
        _ => {}
    }
    let listener = UnixListener::bind(&new).with_context(about)?;
    let group = nix::unistd::Group::from_name(GROUP).ok().flatten();
    if let Some(group) = group {
        chown(&new, None, Some(group.gid.as_raw())).with_context(about)?;
    }
    fs::set_permissions(&new, fs::Permissions::from_mode(0o660)).with_context(about)?;
    fs::rename(&new, &path).with_context(about)?;
    Ok(listener)
}
