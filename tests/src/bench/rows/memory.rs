//! What published ports cost in memory: the daemon's, its maps', and docker-proxies'.

use std::{fs, path::Path as FilePath};

use super::{
    super::{
        bed::{
            docker::{Docker, Proxy},
            netctl::Netctl,
        },
        result::{Better, Measure, Outcome, Series},
    },
    control::Api,
};

pub const ROW: &str = "memory";
/// How much larger the daemon is with a range of 10 000 ports than with none.
pub const RANGE: &str = "daemon, more with a range of 10 000 ports";

const MIB: f64 = 1024.0 * 1024.0;

pub fn outcomes(tools: &FilePath) -> Vec<Outcome> {
    let mut rows: Vec<(String, &'static str, Result<f64, String>)> = Vec::new();
    match netctl() {
        Ok(found) => {
            for (name, value) in found {
                rows.push((name, Netctl::NAME, Ok(value)));
            }
        }
        Err(error) => rows.push(("daemon".to_owned(), Netctl::NAME, Err(error))),
    }
    for (name, value) in [
        (
            "processes for 100 ports",
            proxies(tools).map(|(all, _)| all),
        ),
        ("for each port", proxies(tools).map(|(_, each)| each)),
    ] {
        rows.push((name.to_owned(), Docker::WITH_PROXY, value));
    }
    rows.into_iter()
        .map(|(name, peer, value)| Outcome {
            measure: Measure {
                row: ROW,
                name,
                unit: "MiB",
                better: Better::Lower,
            },
            series: vec![Series {
                peer,
                values: value.as_ref().ok().copied().into_iter().collect(),
                missing: value.err(),
            }],
        })
        .collect()
}

fn netctl() -> Result<Vec<(String, f64)>, String> {
    let bed = Netctl::start("")?;
    let api = Api::new(&bed)?;
    let mut found = Vec::new();
    let specs = |first: u32, count: u32| -> Vec<String> {
        (0..count)
            .map(|index| first + index * 2)
            .map(|port| format!("{port}:{port}"))
            .collect()
    };
    let mut held = 0;
    for ports in [0, 1_000, 10_000] {
        if ports > held {
            api.publish("web", specs(20_000 + held * 2, ports - held))?;
            held = ports;
        }
        let pid = bed.lab.daemon_pid();
        found.push((format!("daemon, {ports} ports"), resident(pid)?));
        found.push((format!("maps, {ports} ports"), maps(pid)?));
    }
    drop(bed);
    let bed = Netctl::start("")?;
    let api = Api::new(&bed)?;
    // The first publication brings what any of them needs.
    api.publish("web", specs(10_000, 1))?;
    let before = resident(bed.lab.daemon_pid())?;
    api.publish("web", vec!["20000-29999:20000-29999".to_owned()])?;
    let after = resident(bed.lab.daemon_pid())?;
    found.push((RANGE.to_owned(), (after - before).max(0.0)));
    Ok(found)
}

/// VmRSS of proc_pid_status(5).
fn resident(pid: u32) -> Result<f64, String> {
    kilobytes(&format!("/proc/{pid}/status"), "VmRSS:").map(|found| found * 1024.0 / MIB)
}

/// What the kernel holds for the maps that the process has open, each of them once.
fn maps(pid: u32) -> Result<f64, String> {
    let folder = format!("/proc/{pid}/fdinfo");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    let mut held = std::collections::BTreeMap::new();
    for entry in entries.flatten() {
        // A descriptor that was closed meanwhile holds nothing.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let field = |name: &str| -> Option<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        if let (Some(id), Some(bytes)) = (field("map_id:"), field("memlock:")) {
            held.insert(id as u64, bytes);
        }
    }
    Ok(held.values().sum::<f64>() / MIB)
}

/// Proportional size of the docker-proxies of 100 ports, and of those of one port.
fn proxies(tools: &FilePath) -> Result<(f64, f64), String> {
    let docker = Docker::start(Proxy::On, tools)?;
    let before = docker.proxies().len();
    docker.run("many", &["-p", "20000-20099:20000-20099"])?;
    let all = docker.proxies();
    let mut sum = 0.0;
    for pid in &all {
        let path = format!("/proc/{pid}/smaps_rollup");
        sum += kilobytes(&path, "Pss:")? * 1024.0 / MIB;
    }
    let share = (all.len() - before) as f64 / all.len() as f64;
    Ok((sum * share, sum * share / 100.0))
}

fn kilobytes(path: &str, name: &str) -> Result<f64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| format!("{path} has no {name}"))
}
