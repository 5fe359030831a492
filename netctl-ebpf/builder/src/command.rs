//! The one cargo command line for the eBPF target, and the environment that it runs in.
//!
//! Separate from the search for a toolchain because nothing here may depend on which one was
//! found: shared flags are what keeps the less tested route honest.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{Linker, Toolchain, llvm::LinkFolder, tools_dir};

/// Little-endian eBPF: every host that netctl supports is little-endian.
pub const TARGET: &str = "bpfel-unknown-none";

/// What cargo is asked to do with netctl-ebpf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Build,
    /// Clippy with warnings as errors.
    Clippy,
}

/// Cargo would hold two builds with different features in one folder, but under one file name:
/// a second build could replace the object before the first one has copied it.
pub(crate) fn target_dir(workspace: &Path, features: &[&str]) -> PathBuf {
    let mut name = String::from("bpf");
    for feature in features {
        name.push('-');
        name.push_str(feature);
    }
    workspace.join("target").join(name)
}

/// Debug information becomes BTF. Small copies are expanded in place: the linker's default turns
/// each into a call, across which the verifier loses what it knows of spilled pointers.
const FLAGS: &str = "-Cdebuginfo=2 -Clink-arg=--btf -Clink-arg=--disable-expand-memcpy-in-order";

/// The command that runs `verb` on netctl-ebpf.
pub(crate) fn command(
    workspace: &Path,
    toolchain: &Toolchain,
    linker: &Linker,
    verb: Verb,
    features: &[&str],
) -> Result<Command> {
    let llvm = LinkFolder::create(&tools_dir(workspace), toolchain.llvm_library())?;
    let mut cargo = match verb {
        Verb::Build => Command::new(toolchain.cargo()),
        // Called by its path: `cargo clippy` would look into the user's cargo bin folder
        // first and take the clippy of another compiler there.
        Verb::Clippy => Command::new(toolchain.cargo_clippy()),
    };
    scrub(&mut cargo);
    cargo
        .current_dir(workspace)
        .env("CARGO", toolchain.cargo())
        .env("RUSTC", toolchain.rustc())
        // Lets a stable compiler build `core`; a nightly ignores it.
        .env("RUSTC_BOOTSTRAP", "1")
        // Not the outer build's folder: its lock is held while build scripts run.
        .env("CARGO_TARGET_DIR", target_dir(workspace, features))
        .env(
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER",
            linker.executable(),
        )
        .env("RUSTFLAGS", FLAGS)
        .env("LD_LIBRARY_PATH", llvm.path());
    match verb {
        Verb::Build => cargo.arg("build"),
        Verb::Clippy => cargo.arg("clippy"),
    };
    cargo.args(["--release", "--locked", "-Z", "build-std=core"]);
    cargo.args(["--target", TARGET, "--package", "netctl-ebpf"]);
    if !features.is_empty() {
        cargo.arg("--features").arg(features.join(","));
    }
    if verb == Verb::Clippy {
        cargo.args(["--", "--deny", "warnings"]);
    }
    Ok(cargo)
}

/// Removes what the outer cargo (or rustup's proxy) put into the environment: its toolchain, its
/// flags and its job server are meant for the host's build, not for this one.
fn scrub(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if belongs_to_outer_build(&name) {
            command.env_remove(name);
        }
    }
}

fn belongs_to_outer_build(name: &OsStr) -> bool {
    const NAMES: [&str; 4] = ["RUSTUP_TOOLCHAIN", "MAKEFLAGS", "MFLAGS", "LD_LIBRARY_PATH"];
    const PREFIXES: [&str; 4] = ["CARGO", "RUSTC", "RUSTFLAGS", "CLIPPY"];
    // How the user reaches a registry and how many cores may be used hold for every build.
    const KEPT: [&str; 9] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRY_",
        "CARGO_REGISTRIES_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_BUILD_JOBS",
        "CARGO_LOG",
    ];
    let Some(name) = name.to_str() else {
        return false;
    };
    NAMES.contains(&name)
        || (PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            && !KEPT.iter().any(|kept| name.starts_with(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_toolchain_and_flags_are_removed() {
        for name in [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_MAKEFLAGS",
            "CARGO_PROFILE_RELEASE_DEBUG",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "LD_LIBRARY_PATH",
        ] {
            assert!(belongs_to_outer_build(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn the_way_to_the_registry_is_kept() {
        for name in [
            "PATH",
            "HOME",
            "RUSTUP_HOME",
            "CARGO_HOME",
            "CARGO_HTTP_CAINFO",
            "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
        ] {
            assert!(!belongs_to_outer_build(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn each_set_of_features_has_a_folder() {
        let workspace = Path::new("/w");
        assert_eq!(target_dir(workspace, &[]), Path::new("/w/target/bpf"));
        assert_eq!(
            target_dir(workspace, &["log"]),
            Path::new("/w/target/bpf-log")
        );
    }
}
