//! Which netctl this is.

use std::sync::LazyLock;

use netctl_common::LAYOUT_VERSION;

/// The release.
pub const fn short() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The commit that it was built from, if the build knew.
pub fn revision() -> &'static str {
    option_env!("NETCTL_GIT_SHA").unwrap_or("unknown")
}

/// For `netctl --version`: with the commit and the version of the maps' layout.
pub fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        let (release, commit) = (short(), revision());
        format!("{release} (commit {commit}, map layout {LAYOUT_VERSION})")
    });
    &LONG
}
