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
    // What the other tiers stand on, in the profile that they build it in.
    let lab = workspace
        .cargo("test")
        .args(["--release", "--package", "netctl-tests", "--lib"]);
    let args = || options.libtest_args();
    Outcome::of(Tier::Unit, cargo.arg("--").args(args())).and(lab.arg("--").args(args()))
}
