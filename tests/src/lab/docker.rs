//! A real Docker Engine in a lab: dockerd inside the lab's namespaces, with folders of its own.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use serde_json::Value;

use super::Lab;
use crate::{agent::Agent, eventually::eventually, place::Place};

/// The image that [`Engine::start`] imports: a static busybox and nothing else.
pub const IMAGE: &str = "netctl-tests:1";
const READY: Duration = Duration::from_secs(30);

/// dockerd; it and its containers end when this is dropped.
pub struct Engine {
    child: Child,
    place: Place,
    folder: PathBuf,
    tools: PathBuf,
}

/// Folder that the packages of the Engine are unpacked in, or the root folder where it is
/// installed. The error says what is missing and which command puts it there.
pub fn tools() -> Result<PathBuf, String> {
    let given = std::env::var_os("NETCTL_ENGINE").map(PathBuf::from);
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/peers");
    let candidates = given.into_iter().chain([unpacked, PathBuf::from("/")]);
    let parts = ["usr/sbin/dockerd", "usr/bin/docker", "bin/busybox"];
    let whole = |folder: &PathBuf| parts.iter().all(|part| folder.join(part).exists());
    candidates.into_iter().find(whole).ok_or_else(|| {
        format!("no Docker Engine ({}): `cargo xtask test --install --tier docker` unpacks it below target/tools", parts.join(", "))
    })
}

/// Compose's own program, version 2. The error says which command puts it there.
pub fn compose() -> Result<PathBuf, String> {
    let given = std::env::var_os("NETCTL_COMPOSE").map(PathBuf::from);
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/compose");
    let plugin = "usr/libexec/docker/cli-plugins/docker-compose";
    let candidates = given.into_iter().chain([unpacked, PathBuf::from("/")]);
    let mut programs = candidates.map(|folder| folder.join(plugin));
    programs.find(|program| program.exists()).ok_or_else(|| {
        format!("no Compose ({plugin}): `cargo xtask test --install --tier docker` unpacks it below target/tools")
    })
}

impl Engine {
    /// Starts it with a configuration file, which names no folders, and imports [`IMAGE`].
    /// `tools`: see [`tools`].
    pub fn start(lab: &Lab, config: &Value, tools: &Path) -> Result<Self, String> {
        let folder = lab.scratch().join("docker");
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let mut config = config.clone();
        // The lab's folder may be on an overlay already.
        config["storage-driver"] = "vfs".into();
        fs::write(folder.join("daemon.json"), config.to_string())
            .map_err(|error| error.to_string())?;
        let place = lab.host_place().clone();
        let child = spawn(&place, &folder, tools)?;
        let engine = Self {
            child,
            place,
            folder,
            tools: tools.to_owned(),
        };
        engine.wait_ready()?;
        engine.import_image()?;
        Ok(engine)
    }

    /// dockerd's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its API's socket, as the host sees it.
    pub fn socket(folder: &Path) -> PathBuf {
        folder.join("docker/socket")
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until it answers.
    pub fn wait_ready(&self) -> Result<(), String> {
        let ready = eventually(READY, || self.docker(&["version"]).ok());
        match ready {
            Some(_) => Ok(()),
            None => Err(format!("dockerd does not get ready:\n{}", self.log())),
        }
    }

    /// Ends dockerd, by SIGKILL as a crash would, or by SIGTERM as its service does; containers
    /// go on with live-restore only.
    pub fn stop(&mut self, signal: Signal) -> Result<(), String> {
        let containerd = fs::read_to_string(self.folder.join("exec/containerd/containerd.pid"))
            .map_err(|error| format!("containerd's pid: {error}"))?;
        let containerd = Path::new("/proc").join(containerd.trim());
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, signal).map_err(|error| format!("dockerd: {error}"))?;
        let ended = eventually(READY, || self.child.try_wait().ok().flatten());
        ended.ok_or_else(|| "dockerd does not end".to_owned())?;
        // It dies with its parent. A dockerd that starts before that is over takes it for one that
        // is there, and waits for it in vain.
        eventually(READY, || (!containerd.exists()).then_some(()))
            .ok_or_else(|| "containerd does not end".to_owned())
    }

    /// Starts dockerd again, after [`Self::stop`].
    pub fn start_again(&mut self) -> Result<(), String> {
        self.launch_again()?;
        self.wait_ready()
    }

    /// The same without waiting for it.
    pub fn launch_again(&mut self) -> Result<(), String> {
        // What a crash leaves.
        drop(fs::remove_file(self.folder.join("pid")));
        self.child = spawn(&self.place, &self.folder, &self.tools)?;
        Ok(())
    }

    /// Runs docker; its output.
    pub fn docker(&self, words: &[&str]) -> Result<String, String> {
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

    /// Runs docker with words that are split at spaces; it must succeed.
    #[track_caller]
    pub fn ok(&self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.docker(&words)
            .unwrap_or_else(|error| panic!("{error}"))
    }

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

    /// As [`Self::run`], which must work; words apart by blanks.
    #[track_caller]
    pub fn run_ok(&self, name: &str, options: &str) {
        let options: Vec<&str> = options.split_whitespace().collect();
        self.run(name, &options)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs a container that sleeps, with these options.
    pub fn run(&self, name: &str, options: &[&str]) -> Result<(), String> {
        let mut words = vec!["run", "-d", "--name", name];
        words.extend(options);
        words.extend([IMAGE, "/bin/busybox", "sleep", "86400"]);
        self.docker(&words).map(drop)
    }

    /// The container's network namespace.
    pub fn place(&self, name: &str) -> Result<Place, String> {
        Ok(self.place.in_netns(&self.netns(name)?))
    }

    /// An agent in the container's network namespace.
    #[track_caller]
    pub fn agent(&self, lab: &Lab, name: &str) -> Agent {
        let netns = self.netns(name);
        lab.agent_at(name, &netns.unwrap_or_else(|error| panic!("{error}")))
    }

    /// File of the container's network namespace.
    pub fn netns(&self, name: &str) -> Result<PathBuf, String> {
        let pid = self.docker(&["inspect", "-f", "{{.State.Pid}}", name])?;
        Ok(PathBuf::from(format!("/proc/{pid}/ns/net")))
    }

    /// The container's address in a network.
    pub fn address(&self, name: &str, network: &str) -> Result<Ipv4Addr, String> {
        let format = format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}");
        let found = self.docker(&["inspect", "-f", &format, name])?;
        found
            .parse()
            .map_err(|_not_an_address| format!("docker inspect of {name} says {found:?}"))
    }
}

fn spawn(place: &Place, folder: &Path, tools: &Path) -> Result<Child, String> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .map_err(|error| error.to_string())?;
    let copy = log.try_clone().map_err(|error| error.to_string())?;
    let mut command = tool(place, tools, "usr/sbin/dockerd");
    // SAFETY: one system call between fork and exec. The Engine ends, and its containers with it,
    // when whoever started it is killed.
    unsafe { command.pre_exec(|| set_pdeathsig(Signal::SIGTERM).map_err(std::io::Error::from)) };
    command
        .arg("--config-file")
        .arg(folder.join("daemon.json"))
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
        .map_err(|error| format!("dockerd: {error}"))
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- dockerd's log\n{}--- end", self.log());
        }
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
pub fn tool(place: &Place, tools: &Path, path: impl AsRef<Path>) -> Command {
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
