//! Which netctl this is.

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
pub fn long() -> String {
    format!(
        "{} (commit {}, map layout {LAYOUT_VERSION})",
        short(),
        revision()
    )
}
