//! What the tests of RFC 4787, 5382 and 5508 share: flows as the daemon shows them, and frames
//! from outside. The table of rows is in the tests' README.

use netctl_tests::{
    lab::Lab,
    packet::{build, frame::ETH, quoting},
};
use serde_json::Value;

pub(crate) use crate::usual::names;

/// Every tracked flow of a protocol and namespace.
pub(crate) fn flows(lab: &Lab, namespace: &str, proto: &str) -> Vec<Value> {
    let all = lab
        .netctl(&format!("flows --ns {namespace} -o json"))
        .json();
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter()
        .filter(|flow| flow["proto"] == proto)
        .collect()
}

/// Seconds until the only such flow ends if no packet comes.
#[track_caller]
pub(crate) fn expires(lab: &Lab, namespace: &str, proto: &str) -> u64 {
    let flows = flows(lab, namespace, proto);
    assert_eq!(flows.len(), 1, "{flows:#?}");
    flows[0]["expires_seconds"].as_u64().unwrap()
}

/// ICMP messages of every type and code that means something, from the neighbour to the host,
/// each quoting that packet of the host's.
pub(crate) fn every_icmp(quoted: &str) -> Vec<Vec<u8>> {
    let quote = build(&names(), &format!("up>lan {quoted}"));
    let kinds = (0..=18_u8).chain([30, 40, 41, 42, 43, 253, 255]);
    let codes = |kind: u8| {
        if matches!(kind, 3 | 5 | 11 | 12) {
            0..=15
        } else {
            0..=0
        }
    };
    kinds
        .flat_map(|kind| codes(kind).map(move |code| (kind, code)))
        .map(|(kind, code)| {
            let line = format!(
                "lan>up icmp 198.51.100.2>198.51.100.1 type={kind} code={code} ident=0 seq=0"
            );
            quoting(&names(), &line, &quote[ETH..])
        })
        .collect()
}
