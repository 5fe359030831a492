//! Runs a command as root: directly, or through sudo.

use std::{
    env, fs,
    io::{IsTerminal as _, stdin},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::cmd::Cmd;

/// A command that will run as root with these variables, or the reason why it cannot.
/// `purpose` completes "root is needed to …".
pub(crate) fn command(program: &Path, variables: &[(&str, PathBuf)], purpose: &str) -> Result<Cmd> {
    if is_root() {
        return Ok(variables
            .iter()
            .fold(Cmd::new(program), |cmd, (name, value)| cmd.env(name, value)));
    }
    if find("sudo").is_none() {
        bail!("root is needed to {purpose}, and there is no sudo: run the same command as root");
    }
    let mut sudo = Cmd::new("sudo");
    if !can_ask() {
        if !Cmd::new("sudo").args(["-n", "true"]).succeeds() {
            bail!(
                "root is needed to {purpose}, and sudo wants a password that cannot be asked for \
                 here: run the same command as root"
            );
        }
        sudo = sudo.arg("-n");
    }
    // Through env, because sudo's own configuration decides which variables it passes on.
    sudo = sudo.arg("env");
    for (name, value) in variables {
        sudo = sudo.arg(format!("{name}={}", value.display()));
    }
    Ok(sudo.arg(program))
}

/// The owner of our own entry in /proc is our effective user.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn can_ask() -> bool {
    env::var_os("CI").is_none() && stdin().is_terminal()
}

/// Where a program is. Includes the folders that Debian leaves out of a plain user's PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
