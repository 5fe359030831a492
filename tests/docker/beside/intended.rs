//! The one list of what containers and their users see otherwise than with stock Docker (20.10,
//! iptables and docker-proxy), and why. README.md tells of each by its name.

/// A difference that is intended.
pub(super) struct Intended {
    pub(super) name: &'static str,
    /// The questions that it shows in.
    pub(super) asked: &'static [&'static str],
    /// The outcome of each on either side.
    pub(super) stock: &'static str,
    pub(super) netctl: &'static str,
}

pub(super) const INTENDED: &[Intended] = &[];
