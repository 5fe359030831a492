//! Compiles the eBPF programs and hands the object to the crate, which embeds it: one file to
//! install, and no way to start a daemon with another version's datapath.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};
use netctl_ebpf_builder::Builder;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Returned from main it would come with a backtrace wherever RUST_BACKTRACE is set, and
        // the reader would have to search for the remedy.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest
        .parent()
        .context("netctl's folder lies in the workspace")?;
    build_object(workspace)?;
    tell_commit(workspace);
    Ok(())
}

fn build_object(workspace: &Path) -> Result<()> {
    for path in [
        "netctl-ebpf/src",
        "netctl-ebpf/Cargo.toml",
        "netctl-common/src",
        "netctl-common/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        rerun_if_changed(&workspace.join(path));
    }
    // Cargo sets the variable when the crate's feature of that name is on.
    let features: &[&str] = if env::var_os("CARGO_FEATURE_LOG").is_some() {
        &["log"]
    } else {
        &[]
    };
    let builder = Builder::find(workspace)?;
    println!("eBPF toolchain: {}", builder.toolchain.describe());
    rerun_if_changed(builder.linker.executable());
    rerun_if_changed(&builder.toolchain.rustc());
    let object = builder.build(features)?;
    let copy = PathBuf::from(variable("OUT_DIR")?).join("netctl-ebpf.o");
    fs::copy(&object, &copy)
        .with_context(|| format!("copy {} to {}", object.display(), copy.display()))?;
    Ok(())
}

/// Passes on the commit that is being built. A source archive has none, and that is no error.
fn tell_commit(workspace: &Path) {
    let sha = git(workspace, &["rev-parse", "--short=12", "HEAD"]);
    println!(
        "cargo:rustc-env=NETCTL_GIT_SHA={}",
        sha.as_deref().unwrap_or("unknown")
    );
    // HEAD changes with the branch, the branch's file with each commit. Asked of git, because
    // in a linked worktree neither lies in `.git`.
    let branch = git(workspace, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(workspace, &["rev-parse", "--git-path", name]) {
            let path = workspace.join(path);
            // A path that does not exist would make cargo run this script every time.
            if path.exists() {
                rerun_if_changed(&path);
            }
        }
    }
}

fn git(workspace: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(workspace)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn rerun_if_changed(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}

fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("cargo sets {name} for build scripts"))
}
