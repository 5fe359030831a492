//! Installs what is missing, each time saying what and where. Nothing is installed twice, and
//! nothing is removed or replaced.

mod apt;
mod archive;
mod compose;
mod emulator;
mod kernels;
mod linker;
mod lints;
mod peers;
mod toolchain;

use anyhow::Result;
use netctl_ebpf_builder::Builder;

use crate::{root, workspace::Workspace};

pub(crate) use archive::fresh;
pub(crate) use compose::{compose, folder as compose_folder};
pub(crate) use emulator::{Emulator, emulator};
pub(crate) use kernels::{Kernel, Unpacked, kernels};
pub(crate) use lints::{ebpf_clippy, host_lints};
pub(crate) use peers::{engine, peers};

/// A program that has to be there, and Debian's package that has it.
struct Tool {
    program: &'static str,
    packages: &'static [&'static str],
}

/// What compiling for the host takes.
const BUILD_TOOLS: &[Tool] = &[Tool {
    program: "cc",
    packages: &["gcc", "libc6-dev"],
}];

/// What the tests on the real kernel run beside netctl's own programs.
const TEST_TOOLS: &[Tool] = &[
    Tool {
        program: "ip",
        packages: &["iproute2"],
    },
    Tool {
        program: "iptables",
        packages: &["iptables"],
    },
    Tool {
        program: "nft",
        packages: &["nftables"],
    },
    Tool {
        program: "wg",
        packages: &["wireguard-tools"],
    },
];

/// Everything that building netctl takes.
pub(crate) fn build_tools(workspace: &Workspace) -> Result<Builder> {
    tools(BUILD_TOOLS)?;
    toolchain::ensure()?;
    linker::ensure(workspace)?;
    let builder = Builder::find(workspace.root())?;
    eprintln!("eBPF toolchain: {}", builder.toolchain.describe());
    Ok(builder)
}

/// What the tests need beyond building.
pub(crate) fn test_tools() -> Result<()> {
    tools(TEST_TOOLS)
}

fn tools(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&str> = tools
        .iter()
        .filter(|tool| root::find(tool.program).is_none())
        .flat_map(|tool| tool.packages)
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt::install(&missing)
}
