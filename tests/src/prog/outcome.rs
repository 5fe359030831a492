//! What a program did with a packet.

use std::{collections::BTreeMap, fmt};

use crate::packet::{Names, assert_packet};

/// Return codes of a classifier (linux/pkt_cls.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// TC_ACT_UNSPEC: not ours, the stack goes on.
    NotOurs,
    /// TC_ACT_SHOT.
    Drop,
    /// TC_ACT_REDIRECT.
    Redirect,
    /// Nothing that the datapath should ever say.
    Other(i32),
}

impl From<u32> for Verdict {
    fn from(code: u32) -> Self {
        match code as i32 {
            -1 => Self::NotOurs,
            2 => Self::Drop,
            7 => Self::Redirect,
            other => Self::Other(other),
        }
    }
}

/// Verdict, packet and the counters that moved.
#[derive(Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    pub packet: Vec<u8>,
    /// By name of the reason; only those that moved.
    pub drops: BTreeMap<&'static str, u64>,
    pub(super) names: Names,
    pub(super) sent: String,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {:?}\n  sent: {}\n  got:  {}",
            self.verdict,
            self.drops,
            self.sent,
            self.text()
        )
    }
}

impl Outcome {
    /// Names of MACs in packet lines.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The packet as a line.
    pub fn text(&self) -> String {
        crate::packet::show(&self.names, &self.packet)
    }

    /// Dropped for that reason, exactly once, and nothing else counted.
    #[track_caller]
    pub fn dropped(&self, reason: netctl_common::drop_reason::DropReason) {
        assert_eq!(self.verdict, Verdict::Drop, "{self:?}");
        assert_eq!(self.drops, BTreeMap::from([(reason.name(), 1)]), "{self:?}");
    }

    /// Dropped for that reason, once, and its sender told so by that packet.
    #[track_caller]
    pub fn answered(&self, reason: netctl_common::drop_reason::DropReason, expected: &str) {
        assert_eq!(self.verdict, Verdict::Redirect, "{self:?}");
        assert_eq!(self.drops, BTreeMap::from([(reason.name(), 1)]), "{self:?}");
        assert_packet(&self.names, &self.packet, expected);
    }

    /// Redirected as that packet, nothing counted.
    #[track_caller]
    pub fn redirected(&self, expected: &str) {
        assert_eq!(self.verdict, Verdict::Redirect, "{self:?}");
        assert!(self.drops.is_empty(), "{self:?}");
        assert_packet(&self.names, &self.packet, expected);
    }

    /// Redirected as it was, nothing counted: to the host, by the network's own interface.
    #[track_caller]
    pub fn handed_over(&self) {
        assert_eq!(self.verdict, Verdict::Redirect, "{self:?}");
        assert!(self.drops.is_empty(), "{self:?}");
        assert_eq!(self.text(), self.sent, "{self:?}");
    }

    /// Left to the stack, unchanged, nothing counted.
    #[track_caller]
    pub fn not_ours(&self) {
        assert_eq!(self.verdict, Verdict::NotOurs, "{self:?}");
        assert!(self.drops.is_empty(), "{self:?}");
        assert_eq!(self.text(), self.sent, "{self:?}");
    }
}
