//! The Engine itself: whether it runs, and as its configuration says.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use bollard::models::{LocalNodeState, SystemInfo};
use procfs::{
    Current as _, Uptime,
    process::{Process, all_processes},
};

use super::Finding;
use crate::{
    config,
    docker::{
        engine::Engine,
        setup::{Places, launch::Launch},
    },
};

const TOPIC: &str = "engine";
const RESTART: &str = "sudo systemctl restart docker";
/// Of the clocks that a process's start and a file's change are told by: the uptime and the start
/// in hundredths of a second, the change in jiffies.
const INEXACT: Duration = Duration::from_millis(100);

/// `is_off`: daemon.json leaves the packets to netctl.
pub(super) async fn findings(
    config: &config::Docker,
    launch: &Launch,
    places: &Places,
    is_off: bool,
) -> Vec<Finding> {
    let socket = config.socket.display();
    let engine = match Engine::connect(config).await {
        Ok(engine) => engine,
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            return vec![match launch.pids.as_slice() {
                [] => Finding::note(
                    TOPIC,
                    format!("does not run: nobody answers at {socket} ({error})"),
                    ["sudo systemctl start docker"],
                ),
                pids => Finding::change(
                    TOPIC,
                    format!(
                        "dockerd runs (process {pids:?}), and does not answer at {socket}: {error}"
                    ),
                    [
                        "[docker]",
                        "socket = \"…\"   # in netctl.toml: where it listens",
                    ],
                ),
            }];
        }
    };
    let info = match engine.info().await {
        Ok(info) => info,
        Err(error) => return vec![Finding::unknown(TOPIC, "the Engine's state", error)],
    };
    let running = info.containers_running.unwrap_or_default();
    let version = &engine.version;
    let mut found = vec![Finding::ok(
        TOPIC,
        format!("{version} at {socket}, {running} containers run"),
    )];
    found.extend(unserved(&info));
    if is_off {
        found.extend(stale(launch, places));
    } else if running > 0 && info.live_restore_enabled != Some(true) {
        found.push(Finding::note(
            TOPIC,
            format!("its restart starts {running} containers anew"),
            ["\"live-restore\": true   # in daemon.json, and `sudo systemctl reload docker` before: they go on"],
        ));
    }
    found
}

/// Ways to run it that netctl does not serve.
fn unserved(info: &SystemInfo) -> Vec<Finding> {
    let mut found = Vec::new();
    let swarm = info.swarm.as_ref().and_then(|swarm| swarm.local_node_state);
    if swarm.is_some_and(|state| !matches!(state, LocalNodeState::EMPTY | LocalNodeState::INACTIVE))
    {
        found.push(Finding::change(
            TOPIC,
            "is part of a swarm, whose networks and published services need the Engine's own rules",
            ["docker swarm leave   # or leave this host to stock Docker"],
        ));
    }
    let options = info.security_options.iter().flatten();
    if options
        .clone()
        .any(|option| option.starts_with("name=rootless"))
    {
        found.push(Finding::change(
            TOPIC,
            "runs without root, in a network namespace of its own that netctl does not see",
            ["# serve an Engine that runs as root, or name its socket: docker.socket in netctl.toml"],
        ));
    }
    found
}

/// What an Engine that runs still has from before daemon.json was changed.
fn stale(launch: &Launch, places: &Places) -> Vec<Finding> {
    let mut found = Vec::new();
    let changed = fs::metadata(&places.daemon_json).and_then(|file| file.modified());
    for pid in &launch.pids {
        let (Ok(changed), Some(started)) = (&changed, started(*pid)) else {
            continue;
        };
        if *changed > started + INEXACT {
            found.push(Finding::change(
                TOPIC,
                format!("process {pid} was started before daemon.json was changed, and a reload does not read these keys"),
                [RESTART],
            ));
        }
    }
    let proxies = match all_processes() {
        Err(error) => return vec![Finding::unknown(TOPIC, "the processes", error)],
        Ok(all) => all
            .flatten()
            .filter_map(|process| process.stat().ok())
            .filter(|stat| stat.comm == "docker-proxy" && launch.pids.contains(&stat.ppid))
            .count(),
    };
    if proxies > 0 {
        found.push(Finding::change(
            TOPIC,
            format!("has {proxies} docker-proxy processes, so it does not run as daemon.json says"),
            [RESTART],
        ));
    }
    found
}

/// When a process was started.
fn started(pid: i32) -> Option<SystemTime> {
    let ticks = Process::new(pid).ok()?.stat().ok()?.starttime;
    let started = ticks as f64 / procfs::ticks_per_second() as f64;
    let now = Uptime::current().ok()?.uptime;
    let age = Duration::try_from_secs_f64(now - started).ok()?;
    SystemTime::now().checked_sub(age)
}
