//! Debian's kernels, unpacked below target/.

use std::{
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ValueEnum;

use super::archive::{Archive, Servers, fresh};
use crate::workspace::Workspace;

/// A kernel that netctl is tested on beside the machine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kernel {
    /// Debian 11; the oldest that netctl supports
    #[value(name = "5.10")]
    V5_10,
    /// Debian 12
    #[value(name = "6.1")]
    V6_1,
    /// Debian 13
    #[value(name = "6.12")]
    V6_12,
}

impl Kernel {
    pub(crate) const ALL: [Self; 3] = [Self::V5_10, Self::V6_1, Self::V6_12];

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }

    /// Debian's release that has it.
    fn release(self) -> &'static str {
        match self {
            Self::V5_10 => "bullseye",
            Self::V6_1 => "bookworm",
            Self::V6_12 => "trixie",
        }
    }

    /// Debian's packages of it: a new name for each ABI. The cloud flavour is a tenth of the
    /// whole and has all that netctl uses.
    fn packages(self) -> String {
        let version = self.version().replace('.', r"\.");
        format!(r"^linux-image-{version}\.[0-9].*-cloud-amd64$")
    }
}

/// An unpacked kernel package.
pub(crate) struct Unpacked {
    /// Folder of everything about it; the image is made there too.
    pub(crate) folder: PathBuf,
    /// What `uname -r` will say.
    pub(crate) release: String,
}

impl Unpacked {
    pub(crate) fn image(&self) -> PathBuf {
        let name = format!("boot/vmlinuz-{}", self.release);
        self.folder.join("root").join(name)
    }

    /// The folder that has `kernel/`.
    pub(crate) fn modules(&self) -> Result<PathBuf> {
        ["lib/modules", "usr/lib/modules"]
            .map(|place| self.folder.join("root").join(place).join(&self.release))
            .into_iter()
            .find(|folder| folder.is_dir())
            .with_context(|| format!("no modules in {}", self.folder.display()))
    }
}

/// Finds each kernel, or fetches the newest; `refresh` asks whether there is a newer one.
pub(crate) fn kernels(
    workspace: &Workspace,
    wanted: &[Kernel],
    refresh: bool,
) -> Vec<(Kernel, Result<Unpacked>)> {
    let store = workspace.target().join("vm");
    // Asked once, and only if something has to be fetched.
    let servers = OnceCell::new();
    let find = |kernel: Kernel| {
        let folder = store.join(kernel.version());
        if refresh || !folder.join(COMPLETE).exists() {
            let servers = servers
                .get_or_init(|| find_servers(&store.join("apt")))
                .as_ref()
                .map_err(|error| anyhow!("{error:#}"))?;
            fetch(kernel, &folder, servers)?;
        }
        unpacked(folder)
    };
    wanted
        .iter()
        .map(|kernel| {
            let version = kernel.version();
            let found = find(*kernel).with_context(|| format!("kernel {version} cannot be had"));
            (*kernel, found)
        })
        .collect()
}

/// Where Debian is fetched from. `folder` is removed again.
pub(super) fn find_servers(folder: &Path) -> Result<Servers> {
    let servers = Archive::of_machine(folder)?.servers()?;
    fs::remove_dir_all(folder)?;
    Ok(servers)
}

/// Made last: what a broken download leaves is done again. Holds the package and its version.
const COMPLETE: &str = "complete";

fn fetch(kernel: Kernel, folder: &Path, servers: &Servers) -> Result<()> {
    let archive = Archive::of_release(&folder.join("apt"), servers, kernel.release())?;
    let (package, version) = archive.newest(&kernel.packages())?;
    let found = format!("{package} {version}");
    let done = folder.join(COMPLETE);
    if fs::read_to_string(&done).is_ok_and(|have| have == found) {
        return Ok(());
    }
    let root = folder.join("root");
    eprintln!(
        "unpacking Debian's {found} into {} (nothing is installed)",
        root.display()
    );
    if done.exists() {
        fs::remove_file(&done)?;
    }
    fresh(&root)?;
    archive.unpack(&package, &version, &root)?;
    fs::remove_dir_all(folder.join("apt"))?;
    fs::write(&done, found)?;
    Ok(())
}

fn unpacked(folder: PathBuf) -> Result<Unpacked> {
    let boot = folder.join("root/boot");
    let entries = fs::read_dir(&boot).with_context(|| format!("list {}", boot.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        let release = name.to_str().and_then(|name| name.strip_prefix("vmlinuz-"));
        if let Some(release) = release.map(str::to_owned) {
            return Ok(Unpacked { folder, release });
        }
    }
    bail!("no kernel in {}: remove that folder", folder.display())
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    #[test]
    fn kernels_are_named_as_on_the_command_line() {
        use clap::ValueEnum as _;
        for kernel in Kernel::ALL {
            let named = Kernel::from_str(kernel.version(), false);
            assert_eq!(named, Ok(kernel));
        }
    }
}
