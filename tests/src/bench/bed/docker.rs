//! Docker Engine as Debian packages it: started in a lab, with folders of its own.

use std::{fs, path::Path as FilePath};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use serde_json::json;

use super::{Bed, Cast, Path, Route, forget_ended_connections, route_of, same_conditions_in};
use crate::{
    bench::{interrupt, worker::Cpus},
    lab::{Lab, docker::Engine},
};

/// Whether host processes and hairpins go through docker-proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    On,
    Off,
}

pub struct Docker {
    proxy: Proxy,
    engine: Engine,
    cast: Cast,
    pub lab: Lab,
}

impl Docker {
    /// `tools`: folder that the packages were unpacked in.
    pub fn start(proxy: Proxy, tools: &FilePath) -> Result<Self, String> {
        if !tools.join("usr/sbin/dockerd").exists() {
            return Err(format!(
                "Docker Engine is not in {}: `cargo xtask bench` puts it there",
                tools.display()
            ));
        }
        interrupt::check()?;
        let lab = Lab::bare();
        let engine = Engine::start(&lab, &json!({"userland-proxy": proxy == Proxy::On}), tools)?;
        engine.run("web", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
        engine.run("client", &[])?;
        let cast = Cast {
            web: engine.place("web")?,
            client: engine.place("client")?,
            web_addr: engine.address("web", "bridge")?,
        };
        forget_ended_connections(lab.host_place())?;
        same_conditions_in(&lab, &cast)?;
        Ok(Self {
            proxy,
            engine,
            cast,
            lab,
        })
    }

    /// Runs a container that sleeps, with these options.
    pub fn run(&self, name: &str, options: &[&str]) -> Result<(), String> {
        self.engine.run(name, options)
    }

    /// Stops and removes a container.
    pub fn remove(&self, name: &str) -> Result<(), String> {
        self.engine.docker(&["rm", "-f", name]).map(drop)
    }

    /// Process ids of the docker-proxies of this Engine.
    pub fn proxies(&self) -> Vec<u32> {
        let engine = self.engine.pid() as i32;
        let stats = procfs::process::all_processes()
            .into_iter()
            .flatten()
            // One that ends while we look is none of them any more.
            .filter_map(|process| process.ok()?.stat().ok());
        stats
            .filter(|stat| stat.ppid == engine && stat.comm == "docker-proxy")
            .map(|stat| stat.pid as u32)
            .collect()
    }
}

impl Bed for Docker {
    fn name(&self) -> &'static str {
        match self.proxy {
            Proxy::On => Self::WITH_PROXY,
            Proxy::Off => Self::WITHOUT_PROXY,
        }
    }

    fn route(&self, path: Path) -> Option<Route> {
        Some(route_of(&self.lab, &self.cast, path))
    }

    fn pin(&self, cpus: Cpus) -> Result<(), String> {
        let mut set = CpuSet::new();
        for cpu in cpus.all() {
            set.set(*cpu).map_err(|error| error.to_string())?;
        }
        for pid in self.proxies() {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| e.to_string())?;
            for task in tasks.flatten() {
                let name = task.file_name();
                if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
                    // A thread that has ended needs no CPU.
                    let _ended = sched_setaffinity(Pid::from_raw(id), &set);
                }
            }
        }
        Ok(())
    }
}

impl Docker {
    pub const WITH_PROXY: &str = "docker";
    pub const WITHOUT_PROXY: &str = "docker, no proxy";
}
