//! QEMU, and the tools that index and load a kernel's modules: the machine's own where it has
//! them, else Debian's packages, unpacked below target/ and not installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use netctl_ebpf_builder::tools_dir;

use super::{
    Tool,
    archive::{Archive, fresh},
};
use crate::{cmd::Cmd, root, workspace::Workspace};

const QEMU: Tool = Tool {
    program: "qemu-system-x86_64",
    packages: &["qemu-system-x86"],
};
const KMOD: Tool = Tool {
    program: "kmod",
    packages: &["kmod"],
};

/// What it takes to run another kernel.
pub(crate) struct Emulator {
    qemu: PathBuf,
    /// One program with several names: depmod here, modprobe in the virtual machine.
    pub(crate) kmod: PathBuf,
    /// Where they were unpacked, if they are not the machine's own.
    unpacked: Option<PathBuf>,
}

impl Emulator {
    /// A command that starts QEMU.
    pub(crate) fn qemu(&self) -> Cmd {
        let mut qemu = Cmd::new(&self.qemu);
        if let Some(root) = &self.unpacked {
            qemu = qemu.env("LD_LIBRARY_PATH", libraries(root));
            for firmware in ["qemu", "seabios"] {
                qemu = qemu.arg("-L").arg(root.join("usr/share").join(firmware));
            }
        }
        qemu
    }

    /// Where the shared libraries of what was unpacked are.
    pub(crate) fn libraries(&self) -> Option<String> {
        self.unpacked.as_deref().map(libraries)
    }
}

fn libraries(root: &Path) -> String {
    ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
        .map(|folder| root.join(folder).display().to_string())
        .join(":")
}

/// Finds or unpacks it.
pub(crate) fn emulator(workspace: &Workspace) -> Result<Emulator> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "the kernels are Debian's for x86-64, and the tests are built for this machine's \
         processor: run this on an x86-64 machine"
    );
    let missing: Vec<&str> = [QEMU, KMOD]
        .iter()
        .filter(|tool| root::find(tool.program).is_none())
        .flat_map(|tool| tool.packages)
        .copied()
        .collect();
    let folder = tools_dir(workspace.root()).join("emulator");
    if !missing.is_empty() {
        unpack(&folder, &missing).with_context(|| {
            format!(
                "without {} no other kernel can be run; where Debian's archive is not at hand, \
                 install what they have",
                missing.join(" and ")
            )
        })?;
    }
    let find = |Tool { program, .. }| {
        root::find(program)
            .or_else(|| {
                ["usr/bin", "bin"]
                    .map(|place| folder.join(place).join(program))
                    .into_iter()
                    .find(|path| path.is_file())
            })
            .with_context(|| {
                format!(
                    "{program} is not in {}: remove that folder",
                    folder.display()
                )
            })
    };
    let emulator = Emulator {
        qemu: find(QEMU)?,
        kmod: find(KMOD)?,
        unpacked: (!missing.is_empty()).then(|| folder.clone()),
    };
    emulator.qemu().arg("--version").run().with_context(|| {
        format!(
            "QEMU does not start; if it is in {0}, remove {0}",
            folder.display()
        )
    })?;
    Ok(emulator)
}

fn unpack(folder: &Path, packages: &[&str]) -> Result<()> {
    // Made last: what a broken download leaves, or another list of packages, is done again.
    let done = folder.join("complete");
    let list = packages.join(" ");
    if fs::read_to_string(&done).is_ok_and(|have| have == list) {
        return Ok(());
    }
    eprintln!(
        "unpacking Debian's {} into {} (nothing is installed)",
        packages.join(" and "),
        folder.display()
    );
    fresh(folder)?;
    let archive = Archive::of_machine(&folder.join("apt"))?;
    archive.unpack_with_needs(packages, folder)?;
    fs::remove_dir_all(folder.join("apt"))?;
    fs::write(&done, list)?;
    Ok(())
}
