//! `cargo xtask lint`: house rules, formatting, and clippy for both targets.

use anyhow::{Result, bail};
use netctl_ebpf_builder::Verb;

use crate::{claims, cmd::Cmd, setup, tidy, workspace::Workspace};

/// Runs every check, so that one run shows everything that there is to fix.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::host_lints(workspace)?;
    // netctl's build script compiles the eBPF programs, for clippy as well.
    let builder = setup::build_tools(workspace)?;
    setup::ebpf_clippy(&builder.toolchain)?;

    let checks: [(&str, Result<()>); 6] = [
        ("house rules", tidy::check(workspace.root())),
        ("claims of the READMEs", claims::check(workspace.root())),
        (
            "formatting",
            workspace.cargo("fmt").args(["--all", "--check"]).run(),
        ),
        (
            "clippy (eBPF)",
            builder
                .command(Verb::Clippy, &[])
                .and_then(|clippy| Cmd::from(clippy).run()),
        ),
        (
            "clippy (host)",
            workspace
                .cargo("clippy")
                .args(["--workspace", "--exclude", "netctl-ebpf", "--all-targets"])
                .args(["--", "--deny", "warnings"])
                .run(),
        ),
        (
            // The only place that compiles the feature, eBPF side included.
            "clippy (feature log)",
            workspace
                .cargo("clippy")
                .args(["--package", "netctl", "--features", "log"])
                .args(["--", "--deny", "warnings"])
                .run(),
        ),
    ];
    let mut failed = Vec::new();
    for (name, result) in checks {
        match result {
            Ok(()) => eprintln!("lint: {name}: ok"),
            Err(error) => {
                eprintln!("lint: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}
