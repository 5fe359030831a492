//! What of the machine itself a demo could have left behind.

use std::{collections::BTreeSet, fs};

use crate::lab;

/// Names of things on this machine.
pub(super) struct Machine(BTreeSet<String>);

impl Machine {
    /// As it is now.
    pub(super) fn now() -> Self {
        let mut found = BTreeSet::new();
        let folders = [
            ("link", "/sys/class/net".to_owned()),
            ("namespace", "/run/netns".to_owned()),
            ("pin", "/sys/fs/bpf".to_owned()),
            ("cgroup", lab::cgroup_root().display().to_string()),
        ];
        for (kind, folder) in folders {
            // A folder that is not there holds nothing.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                found.insert(format!("{kind} {}", entry.file_name().to_string_lossy()));
            }
        }
        for line in fs::read_to_string("/proc/self/mounts")
            .unwrap_or_default()
            .lines()
        {
            let place = line.split(' ').nth(1).unwrap_or_default();
            found.insert(format!("mount {place}"));
        }
        let own = std::process::id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        for pid in children.unwrap_or_default().split_whitespace() {
            found.insert(format!("process {pid}"));
        }
        Self(found)
    }

    /// What is there now and was not then. Of cgroups and mounts only the labs' own kinds count:
    /// other programs of the machine make theirs meanwhile.
    pub(super) fn left_over(&self) -> Vec<String> {
        let now = Self::now();
        let ours = |name: &String| !name.starts_with("cgroup ") || name.contains("netctl");
        now.0
            .difference(&self.0)
            .filter(|name| ours(name))
            .cloned()
            .collect()
    }
}
