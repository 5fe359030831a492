//! Compiles the crate `netctl-ebpf` for `bpfel-unknown-none`.
//!
//! The eBPF target has no prebuilt `core`, so the compiler must come with its own source, and
//! the linker must understand the compiler's LLVM. Not every machine can offer the same
//! toolchain; this crate finds the one that is there. It is a library because both netctl's
//! build script (which only builds) and xtask (which also installs and lints) need it.
//!
//! Invariants: installs nothing and touches nothing outside `target/`. Every toolchain is run
//! with the same flags, so that what is proven with one holds for the others.

mod command;
mod linker;
mod llvm;
mod toolchain;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

pub use command::{TARGET, Verb};
pub use linker::{LINKER, LINKER_VERSION, Linker, tools_dir};
pub use llvm::LLVM_MAJOR;
pub use toolchain::{NoToolchain, Origin, PINNED, Reason, Rejected, Toolchain};

/// Everything that compiling takes, found but not yet used.
pub struct Builder {
    pub toolchain: Toolchain,
    pub linker: Linker,
    workspace: PathBuf,
}

impl Builder {
    /// Finds the toolchain and the linker, or says what to run to get them.
    pub fn find(workspace: &Path) -> Result<Self> {
        const REMEDY: &str = "run `cargo xtask build`, which installs what is missing";
        Ok(Self {
            toolchain: Toolchain::find().context(REMEDY)?,
            linker: Linker::find(workspace).context(REMEDY)?,
            workspace: workspace.to_owned(),
        })
    }

    /// The cargo invocation that `build` would run, to be shown or changed by the caller.
    pub fn command(&self, verb: Verb, features: &[&str]) -> Result<std::process::Command> {
        command::command(
            &self.workspace,
            &self.toolchain,
            &self.linker,
            verb,
            features,
        )
    }

    /// Compiles netctl-ebpf with these of its features and returns the object's path.
    pub fn build(&self, features: &[&str]) -> Result<PathBuf> {
        let mut cargo = self.command(Verb::Build, features)?;
        let status = cargo
            .status()
            .with_context(|| format!("start {}", self.toolchain.cargo().display()))?;
        ensure!(
            status.success(),
            "netctl-ebpf does not compile with {} ({status}): see the compiler's messages above",
            self.toolchain.describe()
        );
        let object = command::target_dir(&self.workspace, features)
            .join(TARGET)
            .join("release/netctl-ebpf");
        ensure!(
            object.is_file(),
            "cargo reported success but left no object at {}: remove target/bpf and try again",
            object.display()
        );
        Ok(object)
    }
}

/// Finds the tools and compiles netctl-ebpf in one step.
pub fn build(workspace: &Path, features: &[&str]) -> Result<PathBuf> {
    Builder::find(workspace)?.build(features)
}
