//! The tier that needs no privilege.

use super::{Options, Tier, summary::Outcome};
use crate::workspace::Workspace;

/// Every package with tests that any user may run. In the dev profile, whose overflow checks
/// and debug assertions are worth the second build.
const PACKAGES: [&str; 4] = ["netctl", "netctl-common", "netctl-ebpf-builder", "xtask"];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Outcome {
    let mut cargo = workspace.cargo("test").arg("--no-fail-fast");
    for package in PACKAGES {
        cargo = cargo.args(["--package", package]);
    }
    Outcome::of(Tier::Unit, cargo.arg("--").args(options.libtest_args()))
}
