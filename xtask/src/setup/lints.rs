//! Formatter and clippy, of the host's toolchain and of the one that compiles the eBPF programs.

use anyhow::{Context as _, Result, ensure};
use netctl_ebpf_builder::{Origin, Toolchain};

use super::apt;
use crate::{cmd::Cmd, root, workspace::Workspace};

/// `cargo fmt` and `cargo clippy`.
pub(crate) fn host_lints(workspace: &Workspace) -> Result<()> {
    let missing: Vec<(&str, &str)> = [("rustfmt", "fmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(_, verb)| !workspace.cargo(verb).arg("--version").succeeds())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if root::find("rustup").is_some() {
        return Cmd::new("rustup")
            .args(["component", "add"])
            .args(missing.iter().map(|(component, _)| component))
            .run()
            .context("the checks need rustfmt and clippy");
    }
    apt::install(&["rustfmt-web", "rust-web-clippy"])
        .context("the checks need `cargo fmt` and `cargo clippy`")
}

/// Clippy of the compiler that builds the eBPF programs: another's cannot read its `core`.
pub(crate) fn ebpf_clippy(toolchain: &Toolchain) -> Result<()> {
    let clippy = toolchain.cargo_clippy();
    if clippy.is_file() {
        return Ok(());
    }
    match toolchain.origin() {
        Origin::Rustup(name) => Cmd::new("rustup")
            .args(["component", "add", "clippy", "--toolchain", name])
            .run(),
        Origin::Distribution => apt::install(&["rust-web-clippy"]),
    }
    .with_context(|| format!("{} needs its clippy", toolchain.describe()))?;
    ensure!(
        clippy.is_file(),
        "clippy was installed for {}, but {} is not there: install the clippy of the same version",
        toolchain.describe(),
        clippy.display()
    );
    Ok(())
}
