//! How dockerd is started: options on its command line stand in the way of the same in
//! daemon.json.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use procfs::process::{Process, all_processes};

use super::{below, settings};
use crate::docker::read::is_false;

/// An option of a command line, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without dashes.
    pub name: String,
    pub value: Option<String>,
    pub place: String,
}

impl Flag {
    /// As it was written.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("--{}={value}", self.name),
            None => format!("--{}", self.name),
        }
    }

    /// Whether it says no; an option without a value says yes.
    pub fn is_off(&self) -> bool {
        self.value.as_deref().is_some_and(is_false)
    }
}

/// The Engine's processes in this network namespace, and the options of its command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    pub pids: Vec<i32>,
    pub flags: Vec<Flag>,
}

/// An option that takes its value from the next word.
const CONFIG_FILE: &str = "config-file";

/// Of systemd's unit, whatever file tells of it last; of the packages' own scripts and units.
const UNITS: [&str; 3] = [
    "etc/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
const VARIABLES: [&str; 2] = ["etc/default/docker", "etc/sysconfig/docker"];

impl Launch {
    /// Looks at processes that run, and at what would start one below `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut launch = Self::default();
        for process in engines()? {
            // It may end meanwhile.
            let Ok(words) = process.cmdline() else {
                continue;
            };
            launch.pids.push(process.pid);
            launch.add(&words, &format!("process {}", process.pid));
        }
        for (path, line) in commands(root) {
            let words: Vec<String> = line
                .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
                .map(str::to_owned)
                .collect();
            launch.add(&words, &path.display().to_string());
        }
        Ok(launch)
    }

    fn add(&mut self, words: &[String], place: &str) {
        for (at, word) in words.iter().enumerate() {
            let Some(option) = word.strip_prefix("--") else {
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None if option == CONFIG_FILE => (option, words.get(at + 1).cloned()),
                None => (option, None),
            };
            let is_known = |flag: &Flag| flag.name == name && flag.value == value;
            if !self.flags.iter().any(is_known) {
                self.flags.push(Flag {
                    name: name.to_owned(),
                    value,
                    place: place.to_owned(),
                });
            }
        }
    }

    /// Options that may not be in daemon.json as well, and the one that the Engine does not start
    /// with when it makes no rules.
    pub fn conflicts(&self) -> impl Iterator<Item = &Flag> {
        let ours = |flag: &&Flag| {
            settings::ENGINE_OFF.contains(&flag.name.as_str())
                || (flag.name == settings::ICC && flag.is_off())
        };
        self.flags.iter().filter(ours)
    }

    /// Another configuration file than this one, and who says so.
    pub fn other_file(&self, daemon_json: &Path) -> Option<(PathBuf, String)> {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
        self.flags.iter().find_map(|flag| {
            let path = Path::new(flag.value.as_ref()?);
            let is_other = flag.name == CONFIG_FILE && real(path) != real(daemon_json);
            is_other.then(|| (path.to_owned(), flag.place.clone()))
        })
    }
}

/// dockerd's processes. Those of other network namespaces serve others: Docker in Docker, or
/// without root.
fn engines() -> io::Result<Vec<Process>> {
    let here = fs::metadata("/proc/thread-self/ns/net")?.ino();
    let is_here = |process: &Process| {
        let namespace = fs::metadata(format!("/proc/{}/ns/net", process.pid));
        namespace.is_ok_and(|namespace| namespace.ino() == here)
    };
    let is_engine = |process: &Process| {
        let stat = process.stat();
        stat.is_ok_and(|stat| stat.comm == "dockerd")
    };
    let all = all_processes().map_err(io::Error::other)?.flatten();
    Ok(all.filter(is_engine).filter(is_here).collect())
}

/// Lines that options of dockerd are in, with their files.
fn commands(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    let unit = UNITS
        .iter()
        .map(|folder| root.join(folder).join("docker.service"))
        .find(|path| path.exists());
    let mut parts: Vec<PathBuf> = UNITS
        .iter()
        .filter_map(|folder| fs::read_dir(root.join(folder).join("docker.service.d")).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "conf"))
        .collect();
    parts.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    for path in unit.into_iter().chain(parts) {
        // One that cannot be read is none that root's dockerd is started by.
        let text = fs::read_to_string(&path).unwrap_or_default();
        for line in text.replace("\\\n", " ").lines() {
            match line.trim().strip_prefix("ExecStart=").map(str::trim) {
                // What went before does not count.
                Some("") => found.clear(),
                Some(command) => found.push((path.clone(), command.to_owned())),
                None => {}
            }
        }
    }
    for path in VARIABLES.map(|path| below(root, path)) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
        found.extend(lines.map(|line| (path.clone(), line.to_owned())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn of_files(root: &Path) -> Launch {
        let mut launch = Launch::read(root).unwrap();
        launch
            .flags
            .retain(|flag| !flag.place.starts_with("process"));
        launch
    }

    #[test]
    fn options_are_found_where_dockerd_is_started() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(of_files(root).flags, []);
        write(
            root,
            "lib/systemd/system/docker.service",
            "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// \\\n  --iptables=true $DOCKER_OPTS\n",
        );
        write(
            root,
            "etc/default/docker",
            "#DOCKER_OPTS=\"--icc=false\"\nDOCKER_OPTS=\"--userland-proxy=false\"\n",
        );
        let conflicts = |launch: &Launch| -> Vec<String> {
            let places = launch.conflicts();
            places.map(Flag::text).collect()
        };
        let launch = of_files(root);
        assert_eq!(
            conflicts(&launch),
            ["--iptables=true", "--userland-proxy=false"]
        );
        assert_eq!(
            launch.other_file(Path::new("/etc/docker/daemon.json")),
            None
        );
        // A part that says it anew.
        write(
            root,
            "etc/systemd/system/docker.service.d/own.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --config-file /srv/docker.json\n",
        );
        let launch = of_files(root);
        assert_eq!(conflicts(&launch), ["--userland-proxy=false"]);
        let (path, place) = launch
            .other_file(Path::new("/etc/docker/daemon.json"))
            .unwrap();
        assert_eq!(path, Path::new("/srv/docker.json"));
        assert!(place.ends_with("own.conf"), "{place}");
        assert_eq!(launch.other_file(Path::new("/srv/docker.json")), None);
    }
}
