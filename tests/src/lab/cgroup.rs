//! The lab's cgroup: stands for the root of the hierarchy, so that the daemon's socket hooks see
//! the lab's processes and no others.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::eventually::eventually;

/// A cgroup folder, removed with all of its processes.
pub(super) struct Cgroup {
    path: PathBuf,
}

/// Labs of one process so far: makes names unique.
static COUNT: AtomicU32 = AtomicU32::new(0);

impl Cgroup {
    #[track_caller]
    pub(super) fn create() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("netctl-lab-{}-{number}", std::process::id());
        let path = root().join(name);
        fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("create cgroup {}: {error}", path.display()));
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs in this cgroup, in the caller's namespaces.
    pub(super) fn command(&self, program: &Path) -> Command {
        crate::place::Place::of_process(std::process::id(), Some(&self.path))
            .unwrap()
            .command(program)
    }

    /// Ends what still runs in it: children of the lab's processes, since nobody else enters.
    fn kill_rest(&self) {
        let Ok(text) = fs::read_to_string(self.path.join("cgroup.procs")) else {
            return;
        };
        for pid in text.lines().filter_map(|line| line.parse().ok()) {
            let pid = nix::unistd::Pid::from_raw(pid);
            // One that ended by itself meanwhile is fine.
            let _gone = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let removed = eventually(Duration::from_secs(5), || {
            self.kill_rest();
            fs::remove_dir(&self.path).ok()
        });
        if removed.is_none() {
            eprintln!("cgroup {} could not be removed", self.path.display());
        }
    }
}

/// Where cgroup v2 is mounted: differs between hybrid and unified hosts.
#[track_caller]
pub fn root() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&"cgroup2"))
        .map(|fields| PathBuf::from(fields[1]))
        .expect("a mounted cgroup v2")
}
