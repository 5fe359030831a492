//! daemon.json, dockerd's command line and netctl.toml.

use std::{fs, io};

use serde_json::Value;

use super::Finding;
use crate::{
    config::Config,
    docker::setup::{self, ENGINE_OFF, Places, Settings as _, launch::Launch},
};

/// Whether daemon.json leaves the packets to netctl; findings are added.
pub(super) fn findings(
    places: &Places,
    config: &Result<Config, String>,
    launch: &Launch,
    findings: &mut Vec<Finding>,
) -> bool {
    let (off, of_engine) = daemon_json(places);
    findings.extend(of_engine);
    if let Some((path, place)) = launch.other_file(&places.daemon_json) {
        findings.push(Finding::change(
            "dockerd",
            format!("reads {} ({place})", path.display()),
            [format!(
                "netctl docker check --daemon-json {}",
                path.display()
            )],
        ));
    }
    for flag in launch.conflicts() {
        findings.push(Finding::change(
            "dockerd",
            format!(
                "is started with {} ({}), and does not start with the same in daemon.json",
                flag.text(),
                flag.place
            ),
            [
                "sudo systemctl edit --full docker".to_owned(),
                format!(
                    "# take {} out of ExecStart, or out of the file of its variables",
                    flag.text()
                ),
            ],
        ));
    }
    findings.push(netctl_toml(places, config));
    off
}

fn daemon_json(places: &Places) -> (bool, Vec<Finding>) {
    const TOPIC: &str = "daemon.json";
    let path = &places.daemon_json;
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return (
                false,
                vec![Finding::unknown(TOPIC, &shown.to_string(), error)],
            );
        }
    };
    let engine = match setup::engine(&text, path) {
        Ok(engine) => engine,
        Err(error) => {
            let remedy = ["# dockerd does not start with it either"];
            return (
                false,
                vec![Finding::change(TOPIC, error.to_string(), remedy)],
            );
        }
    };
    let is = |key: &str, wanted: bool| engine.get(key) == Some(Value::Bool(wanted));
    let missing: Vec<&str> = ENGINE_OFF
        .into_iter()
        .filter(|key| !is(key, false))
        .collect();
    let mut found = Vec::new();
    if missing.is_empty() {
        let served = format!("{shown}: the Engine makes no rules and starts no docker-proxy");
        found.push(Finding::ok(TOPIC, served));
    } else {
        let mut remedy: Vec<String> = missing
            .iter()
            .map(|key| format!("\"{key}\": false"))
            .collect();
        remedy.push("# or all of it: sudo netctl docker enable".to_owned());
        let keys: Vec<String> = missing
            .iter()
            .map(|key| match engine.get(key) {
                Some(value) => format!("{key:?} is {value}"),
                None => format!("{key:?} is not set"),
            })
            .collect();
        let told = format!("{shown}: {}", keys.join(", "));
        found.push(Finding::change(TOPIC, told, remedy));
    }
    if is("icc", false) {
        found.push(Finding::change(
            TOPIC,
            format!("{shown}: dockerd does not start with \"icc\": false and without iptables"),
            [
                "# take \"icc\" out of it, and write into netctl.toml:",
                "[docker]",
                "icc = false",
                "# or all of it: sudo netctl docker enable",
            ],
        ));
    }
    if is("ip-forward", false) {
        found.push(Finding::note(
            TOPIC,
            format!("{shown}: with \"ip-forward\": false the host has to route by itself"),
            ["echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/60-netctl.conf"],
        ));
    }
    (missing.is_empty(), found)
}

fn netctl_toml(places: &Places, config: &Result<Config, String>) -> Finding {
    const TOPIC: &str = "netctl.toml";
    let shown = places.netctl_toml.display();
    match config {
        Err(error) => Finding::change(TOPIC, error.clone(), ["# netctl does not start with it"]),
        Ok(config) if config.docker.adopt => {
            Finding::ok(TOPIC, format!("{shown}: Docker's networks are adopted"))
        }
        Ok(_) => Finding::change(
            TOPIC,
            format!("{shown}: docker.adopt is not set"),
            [
                "[docker]",
                "adopt = true",
                "# or all of it: sudo netctl docker enable",
            ],
        ),
    }
}
