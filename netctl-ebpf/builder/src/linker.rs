//! bpf-linker: which version, and where it stays.
//!
//! Pinned and kept below `target/`, because the version decides which LLVM can be used, and
//! because the user's own cargo bin folder is not ours to change.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// The crate and its executable.
pub const LINKER: &str = "bpf-linker";

/// The last version that loads the LLVM of a Rust toolchain; later ones need LLVM's own
/// packages installed.
pub const LINKER_VERSION: &str = "0.10.3";

/// The `--root` that xtask passes to `cargo install`.
pub fn tools_dir(workspace: &Path) -> PathBuf {
    workspace.join("target/tools")
}

/// An installed bpf-linker of the right version.
#[derive(Debug)]
pub struct Linker {
    executable: PathBuf,
}

impl Linker {
    /// Where the linker is or would be.
    pub fn expected_at(workspace: &Path) -> PathBuf {
        tools_dir(workspace).join("bin").join(LINKER)
    }

    /// The linker, if it is there and has the pinned version.
    pub fn find(workspace: &Path) -> Result<Self> {
        let executable = Self::expected_at(workspace);
        let output = Command::new(&executable)
            .arg("--version")
            .output()
            .with_context(|| format!("{LINKER} is not installed at {}", executable.display()))?;
        let version = String::from_utf8_lossy(&output.stdout);
        let version = version.trim();
        ensure!(
            output.status.success() && version == format!("{LINKER} {LINKER_VERSION}"),
            "{} is {version:?}, not {LINKER} {LINKER_VERSION}",
            executable.display()
        );
        Ok(Self { executable })
    }

    pub fn executable(&self) -> &Path {
        &self.executable
    }
}
