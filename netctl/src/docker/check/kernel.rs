//! The kernel, and settings of it that people expect to matter.

use std::{fs, path::PathBuf};

use super::Finding;
use crate::kernel::probe;

const TOPIC: &str = "kernel";
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
const BRIDGED: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

pub(super) fn findings(cgroup: &Result<PathBuf, String>) -> Vec<Finding> {
    vec![features(cgroup), forwarding(), br_netfilter()]
}

/// As the daemon asks before it starts.
fn features(cgroup: &Result<PathBuf, String>) -> Finding {
    let asked = match cgroup {
        Ok(cgroup) => {
            probe::probe(cgroup).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        }
        Err(reason) => Err(reason.clone()),
    };
    match asked {
        Ok(facts) => {
            let tcx = if facts.tcx {
                "TCX links"
            } else {
                "clsact filters"
            };
            Finding::ok(
                TOPIC,
                format!(
                    "{}, with all that netctl is made of, and {tcx}",
                    facts.kernel
                ),
            )
        }
        Err(reason) => Finding::change(
            TOPIC,
            reason,
            ["# netctl's daemon does not start before that"],
        ),
    }
}

/// The Engine switches it on by itself where it is not told otherwise.
fn forwarding() -> Finding {
    const TOPIC: &str = "ip_forward";
    match fs::read_to_string(FORWARD) {
        Ok(text) if text.trim() == "0" => Finding::note(
            TOPIC,
            "off: the Engine switches it on at its start, unless daemon.json has \"ip-forward\": false; without it containers do not reach the outside",
            ["sudo sysctl net.ipv4.ip_forward=1"],
        ),
        Ok(_) => Finding::ok(TOPIC, "on"),
        Err(error) => Finding::unknown(TOPIC, FORWARD, error),
    }
}

fn br_netfilter() -> Finding {
    const TOPIC: &str = "br_netfilter";
    match fs::read_to_string(BRIDGED) {
        Ok(text) if text.trim() != "0" => Finding::ok(
            TOPIC,
            "loaded: no packet that netctl serves passes a bridge, so it changes and costs nothing there",
        ),
        Ok(_) => Finding::ok(TOPIC, "loaded, and switched off"),
        Err(_absent) => Finding::ok(TOPIC, "not loaded, nor needed"),
    }
}
