//! Where things lie in the workspace.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::cmd::Cmd;

/// The workspace that this xtask belongs to.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask's folder lies in the workspace")?
            .to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Relative to where cargo was started, as cargo itself takes it.
            Some(folder) => env::current_dir()
                .context("find the current folder")?
                .join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's folder of what is built; what else is fetched or made goes there too.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// What `cargo build --release` has made.
    pub(crate) fn release(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// The cargo that runs xtask, at work in the workspace.
    pub(crate) fn cargo(&self, verb: &str) -> Cmd {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Cmd::new(cargo)
            .arg(verb)
            .env("CARGO_TARGET_DIR", &self.target)
            .folder(&self.root)
    }
}
