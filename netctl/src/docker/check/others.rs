//! Other container networks, and other people's programs on the uplinks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use serde_json::Value;

use super::Finding;
use crate::{
    docker::setup::below,
    kernel::{
        foreign::{self, Program},
        host::{Choice, Host},
        netlink::Netlink,
    },
};

const CNI: &str = "cni";
const PROGRAMS: &str = "bpf";
/// Where container runtimes look for CNI's configurations.
const CNI_FOLDER: &str = "/etc/cni/net.d";
/// What the programs of Cilium's datapath begin with.
const CILIUM: &str = "cil_";

pub(super) fn findings(root: &Path, uplinks: &[String]) -> Vec<Finding> {
    let mut found = match cni(root) {
        Ok(found) => found,
        Err(error) => vec![Finding::unknown(CNI, CNI_FOLDER, error)],
    };
    found.extend(match programs(uplinks) {
        Ok(programs) => judge(&programs),
        Err(error) => vec![Finding::unknown(PROGRAMS, "programs on the uplinks", error)],
    });
    found
}

fn cni(root: &Path) -> io::Result<Vec<Finding>> {
    let entries = match fs::read_dir(below(root, CNI_FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(vec![Finding::ok(CNI, "no configuration")]);
        }
        Err(error) => return Err(error),
    };
    let mut networks = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_config =
            |kind: &std::ffi::OsStr| ["conf", "conflist", "json"].iter().any(|k| kind == *k);
        if path.extension().is_some_and(is_config) {
            networks.push(network(&path)?);
        }
    }
    networks.sort();
    Ok(vec![match networks.as_slice() {
        [] => Finding::ok(CNI, "no configuration"),
        networks => Finding::note(
            CNI,
            format!(
                "networks of other runtimes ({}): netctl leaves them alone; a host port that one of them publishes is refused to nobody here",
                networks.join(", ")
            ),
            ["# keep hostPorts of pods and published ports of containers apart"],
        ),
    }])
}

/// Name and plugins of a configuration, as far as it can be understood.
fn network(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let Ok(config) = serde_json::from_str::<Value>(&text) else {
        return Ok(format!("{file}, which is no JSON"));
    };
    let single = std::slice::from_ref(&config);
    let plugins = config["plugins"].as_array().map_or(single, Vec::as_slice);
    let kinds: Vec<&str> = plugins.iter().filter_map(|p| p["type"].as_str()).collect();
    let name = config["name"].as_str().unwrap_or(&file);
    Ok(format!("{name} by {}", kinds.join(" and ")))
}

fn programs(uplinks: &[String]) -> io::Result<Vec<Program>> {
    let choice = Choice {
        only: uplinks,
        adopted: &BTreeSet::new(),
        others: &BTreeMap::new(),
        no_docker: true,
        xdp: &BTreeMap::new(),
    };
    let host = Host::read(&mut Netlink::open()?, choice)?;
    let uplinks = host.view.uplinks.into_iter();
    let uplinks: Vec<_> = uplinks
        .map(|(index, uplink)| (index, uplink.name))
        .collect();
    foreign::programs(&uplinks)
}

fn judge(programs: &[Program]) -> Vec<Finding> {
    let mut found: Vec<Finding> = programs
        .iter()
        .map(|Program { interface, hook, name }| {
            if name.starts_with(CILIUM) {
                return Finding::change(
                    PROGRAMS,
                    format!("{name} on {interface} ({hook}) is Cilium's, which translates host ports and masquerades as netctl does"),
                    ["# let one of the two serve this host: take Cilium away, or leave this host to it"],
                );
            }
            let told = match hook.as_str() {
                "xdp" => "sees packets before netctl: what it drops or sends elsewhere reaches no container",
                _ => "shares the hook with netctl: what it drops or sends elsewhere before netctl sees it reaches no container",
            };
            let remedy = ["# nothing, unless traffic is missing; `netctl drops` counts what netctl drops itself"];
            Finding::note(PROGRAMS, format!("{name} on {interface} ({hook}) {told}"), remedy)
        })
        .collect();
    if found.is_empty() {
        found.push(Finding::ok(
            PROGRAMS,
            "no programs of others on the uplinks",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::check::Level;

    #[test]
    fn configurations_of_cni_are_named() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(cni(root).unwrap()[0].level, Level::Ok);
        let folder = below(root, CNI_FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("README"), "{}").unwrap();
        assert_eq!(cni(root).unwrap()[0].level, Level::Ok);
        let list = r#"{"name": "podman", "plugins": [{"type": "bridge"}, {"type": "portmap"}]}"#;
        fs::write(folder.join("87-podman.conflist"), list).unwrap();
        fs::write(folder.join("05-cilium.conf"), r#"{"type": "cilium-cni"}"#).unwrap();
        fs::write(folder.join("99-broken.conf"), "{").unwrap();
        let found = cni(root).unwrap().remove(0);
        assert_eq!(found.level, Level::Note);
        for part in [
            "podman by bridge and portmap",
            "by cilium-cni",
            "99-broken.conf",
        ] {
            assert!(found.found.contains(part), "{part}: {found:?}");
        }
    }

    #[test]
    fn cilium_is_told_from_others() {
        let program = |hook: &str, name: &str| Program {
            interface: "eth0".into(),
            hook: hook.into(),
            name: name.into(),
        };
        let levels = |programs: &[Program]| -> Vec<Level> {
            judge(programs)
                .iter()
                .map(|finding| finding.level)
                .collect()
        };
        assert_eq!(levels(&[]), [Level::Ok]);
        let programs = [
            program("xdp", "xdp_dispatcher"),
            program("tcx ingress", "cil_from_netdev"),
        ];
        assert_eq!(levels(&programs), [Level::Note, Level::Change]);
    }
}
