//! `netctl ns exec`: this process becomes the command, inside the namespace.

use std::{
    ffi::OsString,
    fs::File,
    os::unix::{fs::MetadataExt, process::CommandExt},
    process::Command,
};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};

use super::{ns, wait};
use crate::client::Client;

/// Does not return when all goes well. Only the network namespace changes: unlike `ip netns
/// exec`, /sys and /etc stay the host's.
pub(super) fn exec(client: &Client, name: &str, command: &[OsString]) -> Result<Error> {
    let ns = wait(ns::get(client, name))?;
    let about = || format!("namespace {name:?}, {}", ns.path.display());
    let file = File::open(&ns.path).with_context(about)?;
    let inode = file.metadata().with_context(about)?.ino();
    if ns.inode.is_some_and(|given| given != inode) {
        bail!(
            "{}: the path means another namespace by now; remove it with `netctl ns rm {name}`",
            about()
        );
    }
    setns(&file, CloneFlags::CLONE_NEWNET)
        .with_context(|| format!("{} cannot be entered; are you root?", about()))?;
    let [program, arguments @ ..] = command else {
        bail!("no command is given; write it behind --");
    };
    let failed = Command::new(program).args(arguments).exec();
    Ok(anyhow!(failed).context(format!("command {program:?} cannot be run")))
}
