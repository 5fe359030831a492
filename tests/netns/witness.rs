//! Crafted frames, who saw them, and what was counted.

use std::collections::BTreeMap;

use netctl_tests::{agent::Agent, lab::Lab};

use crate::usual::{Usual, WEB};

/// In every crafted frame of a test that is not to arrive.
pub(crate) const MARK: &[u8] = b"advisory";
pub(crate) const MARK_HEX: &str = "61647669736f7279";

/// Packets dropped so far, by reason.
#[track_caller]
pub(crate) fn drops(lab: &Lab) -> BTreeMap<String, u64> {
    let drops = lab.netctl("drops -o json").json();
    let one = |one: &serde_json::Value| {
        let reason = one["reason"].as_str().unwrap().to_owned();
        (reason, one["packets"].as_u64().unwrap())
    };
    drops.as_array().unwrap().iter().map(one).collect()
}

/// From `client`, these frames are all dropped and counted as those reasons, so many of each, and
/// `web`, `other` and the neighbour outside see none of them.
#[track_caller]
pub(crate) fn nobody_sees(usual: &Usual, frames: &[Vec<u8>], reasons: &[(&str, u64)]) {
    let expected: u64 = reasons.iter().map(|(_, count)| count).sum();
    assert_eq!(expected, frames.len() as u64, "a reason for each");
    // Behind them one that passes: all were looked at when its answer is there.
    unseen(usual, (&usual.client, "eth0"), frames, reasons, || {
        assert_eq!(usual.client.ping(WEB, 1, 3000), 1);
    });
}

/// The same from anywhere; `settle` returns when all were looked at. The sender's own interface is
/// not looked at.
#[track_caller]
pub(crate) fn unseen(
    usual: &Usual,
    (sender, interface): (&Agent, &str),
    frames: &[Vec<u8>],
    reasons: &[(&str, u64)],
    settle: impl FnOnce(),
) {
    let before = drops(&usual.lab);
    let all = [
        (&usual.web, "eth0"),
        (&usual.client, "eth0"),
        (&usual.other, "eth0"),
        (usual.lab.lan(), "lan0"),
    ];
    let witnesses: Vec<_> = all
        .into_iter()
        .filter(|(agent, _)| agent.pid() != sender.pid())
        .collect();
    for (agent, interface) in &witnesses {
        agent.sniff(interface);
    }
    sender.send_frames(interface, frames);
    settle();
    for (agent, interface) in &witnesses {
        let seen = agent.sniffed(interface, MARK, 1, 100);
        assert!(seen.is_empty(), "{seen:x?}");
    }
    let after = drops(&usual.lab);
    for (reason, count) in reasons {
        let of = |drops: &BTreeMap<String, u64>| drops.get(*reason).copied().unwrap_or_default();
        assert_eq!(of(&after) - of(&before), *count, "{reason}: {after:?}");
    }
}
