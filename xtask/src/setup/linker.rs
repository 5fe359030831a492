//! bpf-linker, below the workspace's target folder.

use std::fs;

use anyhow::{Context as _, Result};
use netctl_ebpf_builder::{LINKER, LINKER_VERSION, Linker, tools_dir};

use crate::workspace::Workspace;

pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let Err(reason) = Linker::find(workspace.root()) else {
        return Ok(());
    };
    let tools = tools_dir(workspace.root());
    eprintln!(
        "{reason:#}; installing {LINKER} {LINKER_VERSION} into {} (about a minute)",
        tools.display()
    );
    let scratch = tools.join("build");
    workspace
        .cargo("install")
        .args([LINKER, "--version", LINKER_VERSION, "--locked", "--root"])
        .arg(&tools)
        // Cargo's own record may say that it is installed when the file is gone.
        .arg("--force")
        .env("CARGO_TARGET_DIR", &scratch)
        .env_remove("RUSTFLAGS")
        .run()
        .with_context(|| {
            format!(
                "install {LINKER} {LINKER_VERSION}; without a network, put it into {}/bin",
                tools.display()
            )
        })?;
    fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
    Linker::find(workspace.root())?;
    Ok(())
}
