//! Docker Engine and load generators for the benchmark, and the Engine for its tests: Debian's
//! packages, unpacked below target/ and not installed. Nothing of them is started with the machine, and no bridge or rule of
//! theirs touches it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use netctl_ebpf_builder::tools_dir;

use super::apt;
use crate::{cmd::Cmd, workspace::Workspace};

const PACKAGES: [&str; 12] = [
    "docker.io",
    "containerd",
    "runc",
    "tini",
    "libdevmapper1.02.1",
    "busybox-static",
    "iperf3",
    "libiperf0",
    "libsctp1",
    "sockperf",
    "wrk",
    "libluajit-5.1-2",
];

/// Folder of the peers' programs; the benchmark names those that are not in it as missing.
pub(crate) fn peers(workspace: &Workspace) -> PathBuf {
    let folder = tools_dir(workspace.root()).join("peers");
    if let Err(error) = ensure_unpacked(&folder) {
        eprintln!("without Docker and the load generators: {error:#}");
    }
    folder
}

/// Folder of a Docker Engine to test with: unpacked already, installed, or fetched now.
pub(crate) fn engine(workspace: &Workspace, fetch: bool) -> Result<PathBuf> {
    let folder = tools_dir(workspace.root()).join("peers");
    if is_unpacked(&folder) {
        return Ok(folder);
    }
    let installed = ["/usr/sbin/dockerd", "/usr/bin/docker", "/bin/busybox"];
    if installed.iter().all(|program| Path::new(program).exists()) {
        return Ok(PathBuf::from("/"));
    }
    ensure!(
        fetch,
        "there is no Docker Engine: `cargo xtask test --install --tier docker` unpacks one below \
         target/tools and runs the tier"
    );
    ensure_unpacked(&folder)?;
    Ok(folder)
}

/// The mark is made last: what a broken download leaves, or another list of packages, is done again.
fn is_unpacked(folder: &Path) -> bool {
    fs::read_to_string(folder.join("complete")).is_ok_and(|list| list == PACKAGES.join(" "))
}

fn ensure_unpacked(folder: &Path) -> Result<()> {
    if is_unpacked(folder) {
        return Ok(());
    }
    ensure!(
        apt::is_debian(),
        "the packages {} are unpacked from Debian's archive, and this is not Debian",
        PACKAGES.join(", ")
    );
    eprintln!(
        "unpacking Debian's {} into {} (for the benchmark and the tests alone; nothing is installed)",
        PACKAGES.join(", "),
        folder.display()
    );
    let archives = folder.join("archives");
    if archives.exists() {
        fs::remove_dir_all(&archives)?;
    }
    fs::create_dir_all(&archives).with_context(|| format!("making {}", archives.display()))?;
    apt::update(&PACKAGES);
    Cmd::new("apt-get")
        .arg("download")
        .args(PACKAGES)
        .folder(&archives)
        .run()
        .context("download the packages (a package list may be missing: `apt-get update`)")?;
    for archive in fs::read_dir(&archives)? {
        Cmd::new("dpkg-deb")
            .arg("--extract")
            .arg(archive?.path())
            .arg(folder)
            .run()?;
    }
    fs::remove_dir_all(&archives)?;
    fs::write(folder.join("complete"), PACKAGES.join(" "))?;
    Ok(())
}
