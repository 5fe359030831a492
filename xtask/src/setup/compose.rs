//! Compose version 2 for the tests with a real Engine: Debian has it from release 13 on, in one
//! program that needs nothing but a C library, and that is unpacked below target/tools.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use netctl_ebpf_builder::tools_dir;

use super::{
    archive::{Archive, fresh},
    kernels::find_servers,
};
use crate::workspace::Workspace;

const RELEASE: &str = "trixie";
const PACKAGE: &str = "docker-compose";
const PROGRAM: &str = "usr/libexec/docker/cli-plugins/docker-compose";

/// Where it is unpacked.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    tools_dir(workspace.root()).join("compose")
}

/// Makes sure that there is one: unpacked already, installed, or fetched now.
pub(crate) fn compose(workspace: &Workspace, fetch: bool) -> Result<()> {
    let folder = folder(workspace);
    if folder.join(PROGRAM).exists() || Path::new("/").join(PROGRAM).exists() {
        return Ok(());
    }
    ensure!(
        fetch,
        "there is no Compose: `cargo xtask test --install --tier docker` unpacks one below \
         target/tools and runs the tier"
    );
    let apt = tools_dir(workspace.root()).join("apt-compose");
    let unpacked = || -> Result<()> {
        let servers = find_servers(&apt)?;
        let archive = Archive::of_release(&apt, &servers, RELEASE)?;
        let (package, version) = archive.newest(&format!("^{PACKAGE}$"))?;
        eprintln!(
            "unpacking Debian's {package} {version} into {} (for the tests alone; nothing is installed)",
            folder.display()
        );
        // Under its name when it is whole.
        let part = folder.with_extension("part");
        fresh(&part)?;
        archive.unpack(&package, &version, &part)?;
        fresh(&folder)?;
        std::fs::rename(&part, &folder)?;
        std::fs::remove_dir_all(&apt)?;
        Ok(())
    };
    unpacked().context("Compose cannot be had")
}
