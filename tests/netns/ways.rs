//! The ways that depend on the kernel: how programs are attached, and how a packet gets into a
//! container. Each is tried on every kernel that has it, whichever that kernel would choose.

use netctl::kernel::bpf::link::tcx_supported;
use netctl_tests::daemon;
use procfs::KernelVersion;

use crate::{
    startup::{lab_with, refused},
    truth_table::check_everybody,
    usual::{CONFIG, Usual},
};

const REDIRECTS: [&str; 2] = ["peer", "plain"];

fn config(attach: &str, redirect: &str) -> String {
    // CONFIG ends in the table that these keys are of.
    format!("{CONFIG}attach = \"{attach}\"\nredirect = \"{redirect}\"\n")
}

#[track_caller]
fn carries_everybody(attach: &str, redirect: &str) {
    let usual = Usual::with_config(&config(attach, redirect));
    assert_eq!(features(&usual), [attach, redirect]);
    check_everybody(&usual);
    assert_eq!(usual.lab.stop_daemon(), 0);
    check_everybody(&usual);
}

/// What the daemon says that it chose.
#[track_caller]
fn features(usual: &Usual) -> [String; 2] {
    let status = usual.lab.netctl("status -o json").json();
    ["attach", "redirect"].map(|name| {
        let chosen = status["features"][name].as_str();
        chosen.unwrap_or_else(|| panic!("{status:#}")).to_owned()
    })
}

#[test]
fn by_clsact_filters() {
    for redirect in REDIRECTS {
        carries_everybody("clsact", redirect);
    }
}

#[test]
fn by_tcx_links_or_not_at_all() {
    for redirect in REDIRECTS {
        if tcx_supported() {
            carries_everybody("tcx", redirect);
        } else {
            let lab = lab_with(&config("tcx", redirect));
            refused(&lab, daemon::command(&lab, &[]), &["tcx", "6.6", "auto"]);
        }
    }
}

#[test]
fn the_best_that_the_kernel_has_is_chosen() {
    let kernel = KernelVersion::current().unwrap();
    let at_least = |major, minor| (kernel.major, kernel.minor) >= (major, minor);
    let attach = if at_least(6, 6) { "tcx" } else { "clsact" };
    let redirect = if at_least(6, 1) { "peer" } else { "plain" };
    assert_eq!(features(&Usual::start()), [attach, redirect]);
}
