//! Docker Engine as Debian packages it: started in a lab, with folders of its own.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    path::{Path as FilePath, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, kill},
    },
    unistd::Pid,
};

use super::{Bed, Cast, Path, Route, forget_ended_connections, route_of, same_conditions_in};
use crate::{
    bench::{interrupt, worker::Cpus},
    eventually::eventually,
    lab::Lab,
    place::Place,
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
    lab: Lab,
}

/// The daemon; it and its containers end when this is dropped.
struct Engine {
    child: Child,
    place: Place,
    folder: PathBuf,
    tools: PathBuf,
}

const IMAGE: &str = "netctl-bench:1";
const READY: Duration = Duration::from_secs(30);

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
        let engine = Engine::start(&lab, proxy, tools)?;
        engine.import_image()?;
        let (web, web_addr) =
            engine.container("web", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
        let (client, _) = engine.container("client", &[])?;
        let cast = Cast {
            web,
            client,
            web_addr,
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
        self.engine.container(name, options).map(drop)
    }

    /// Stops and removes a container.
    pub fn remove(&self, name: &str) -> Result<(), String> {
        self.engine.docker(&["rm", "-f", name]).map(drop)
    }

    /// Process ids of the docker-proxies of this Engine.
    pub fn proxies(&self) -> Vec<u32> {
        let engine = self.engine.child.id() as i32;
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

impl Engine {
    fn start(lab: &Lab, proxy: Proxy, tools: &FilePath) -> Result<Self, String> {
        let folder = lab.scratch().join("docker");
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let config = folder.join("daemon.json");
        let text = format!(
            r#"{{"userland-proxy": {}, "storage-driver": "vfs"}}"#,
            proxy == Proxy::On
        );
        fs::write(&config, text).map_err(|error| error.to_string())?;
        let log = File::create(folder.join("log")).map_err(|error| error.to_string())?;
        let copy = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = tool(lab.host_place(), tools, "usr/sbin/dockerd");
        // SAFETY: one system call between fork and exec. The Engine ends, and its containers with
        // it, when the benchmark is killed.
        unsafe {
            command.pre_exec(|| set_pdeathsig(Signal::SIGTERM).map_err(std::io::Error::from))
        };
        let child = command
            .arg("--config-file")
            .arg(&config)
            .arg("--data-root")
            .arg(folder.join("data"))
            .arg("--exec-root")
            .arg(folder.join("exec"))
            .arg("--pidfile")
            .arg(folder.join("pid"))
            .arg("--host")
            .arg(format!("unix://{}/socket", folder.display()))
            // Its own log is the only witness when it fails.
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .spawn()
            .map_err(|error| format!("dockerd: {error}"))?;
        let engine = Self {
            child,
            place: lab.host_place().clone(),
            folder,
            tools: tools.to_owned(),
        };
        let ready = eventually(READY, || engine.docker(&["version"]).ok());
        match ready {
            Some(_) => Ok(engine),
            None => Err(format!("dockerd does not get ready:\n{}", engine.log())),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn docker(&self, words: &[&str]) -> Result<String, String> {
        let output = tool(&self.place, &self.tools, "usr/bin/docker")
            .arg("--host")
            .arg(format!("unix://{}/socket", self.folder.display()))
            .args(words)
            .output()
            .map_err(|error| format!("docker: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            let words = words.join(" ");
            Err(format!("docker {words}: {}", text(&output.stderr)))
        }
    }

    /// A static busybox and nothing else.
    fn import_image(&self) -> Result<(), String> {
        let root = self.folder.join("image/bin");
        fs::create_dir_all(&root).map_err(|error| error.to_string())?;
        fs::copy(self.tools.join("bin/busybox"), root.join("busybox"))
            .map_err(|error| format!("busybox: {error}"))?;
        let archive = self.folder.join("image.tar");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(self.folder.join("image"))
            .arg("-cf")
            .arg(&archive)
            .arg(".")
            .status();
        if !packed.is_ok_and(|status| status.success()) {
            return Err("tar does not pack the image".to_owned());
        }
        let archive = archive.display().to_string();
        self.docker(&["import", &archive, IMAGE]).map(drop)
    }

    /// A running container: its network namespace and its address.
    fn container(&self, name: &str, options: &[&str]) -> Result<(Place, Ipv4Addr), String> {
        let mut words = vec!["run", "-d", "--name", name];
        words.extend(options);
        words.extend([IMAGE, "/bin/busybox", "sleep", "86400"]);
        self.docker(&words)?;
        let format = "{{.State.Pid}} {{.NetworkSettings.IPAddress}}";
        let found = self.docker(&["inspect", "-f", format, name])?;
        let (pid, addr) = found.split_once(' ').unwrap_or_default();
        let addr = addr
            .parse()
            .map_err(|_not_an_address| format!("docker inspect of {name} says {found:?}"))?;
        let netns = PathBuf::from(format!("/proc/{pid}/ns/net"));
        Ok((self.place.in_netns(&netns), addr))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let names = self.docker(&["ps", "-aq"]).unwrap_or_default();
        let mut words = vec!["rm", "-f"];
        words.extend(names.lines());
        if words.len() > 2
            && let Err(error) = self.docker(&words)
        {
            eprintln!("containers may be left: {error}");
        }
        let pid = Pid::from_raw(self.child.id() as i32);
        // One that has ended already is what we want.
        let _ended = kill(pid, Signal::SIGTERM);
        let ended = eventually(READY, || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        for controller in fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten()
        {
            // The Engine's parent group; not empty where another Engine uses it.
            let _in_use = fs::remove_dir(controller.path().join("docker"));
        }
    }
}

/// A program of the unpacked packages, with the others of them in its reach.
pub fn tool(place: &Place, tools: &FilePath, path: &str) -> Command {
    let mut command = place.command(tools.join(path));
    let own = ["usr/sbin", "usr/bin", "sbin", "bin"].map(|folder| tools.join(folder));
    let outer = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.into_iter().chain(std::env::split_paths(&outer));
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
    let libraries = libraries.map(|folder| tools.join(folder));
    command
        .env("PATH", std::env::join_paths(folders).unwrap_or(outer))
        .env(
            "LD_LIBRARY_PATH",
            std::env::join_paths(libraries).unwrap_or_default(),
        );
    command
}
