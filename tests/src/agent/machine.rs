//! Turns the process into a machine of its own: namespaces and mounts that nobody else sees.

use std::{fs, io, path::Path};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// A network namespace of its own with `lo` up, nothing more: a neighbour on the LAN.
pub(super) fn neighbour() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(())
}

/// A host: own network and mount namespaces, an empty /run, a bpffs at `bpffs`.
pub(super) fn host(bpffs: &Path) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=755"),
    )?;
    fs::create_dir("/run/netns")?;
    mount(
        Some("bpf"),
        bpffs,
        Some("bpf"),
        MsFlags::empty(),
        None::<&str>,
    )?;
    Ok(())
}
