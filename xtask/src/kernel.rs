//! What the running kernel has to offer before a test or the demo can mean anything.
//!
//! Reads the kernel's own description of itself. Where there is none, the check passes: then
//! netctl's own messages must do.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

/// The oldest kernel that netctl supports.
const OLDEST: (u32, u32) = (5, 10);

/// Options of the kernel's configuration, and what each is for.
const OPTIONS: [(&str, &str); 7] = [
    ("CONFIG_BPF_SYSCALL", "eBPF programs"),
    ("CONFIG_CGROUP_BPF", "published ports on the host itself"),
    ("CONFIG_NET_SCH_INGRESS", "programs on interfaces (clsact)"),
    ("CONFIG_NET_CLS_BPF", "programs on interfaces (clsact)"),
    ("CONFIG_NET_CLS_ACT", "programs on interfaces (clsact)"),
    ("CONFIG_VETH", "containers' interfaces"),
    ("CONFIG_NET_NS", "network namespaces"),
];

/// Fails with the list of what is missing.
pub(crate) fn check() -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")
        .context("read the kernel's version; is this Linux with /proc mounted?")?;
    let release = release.trim();
    if let Some(version) = version(release) {
        ensure!(
            version >= OLDEST,
            "kernel {release} is too old: netctl needs {}.{} or newer",
            OLDEST.0,
            OLDEST.1
        );
    }
    if let Some(config) = config(release) {
        let missing = missing(&config);
        ensure!(
            missing.is_empty(),
            "kernel {release} was built without {}: boot a kernel that has them, such as Debian's",
            missing.join(", ")
        );
    }
    let mounts = fs::read_to_string("/proc/self/mounts").context("read /proc/self/mounts")?;
    ensure!(
        mounts
            .lines()
            .any(|mount| mount.split(' ').nth(2) == Some("cgroup2")),
        "cgroup v2 is not mounted: `mount -t cgroup2 none /sys/fs/cgroup`, or boot with \
         systemd.unified_cgroup_hierarchy=1"
    );
    Ok(())
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn config(release: &str) -> Option<String> {
    if let Ok(text) = fs::read_to_string(format!("/boot/config-{release}")) {
        return Some(text);
    }
    // Not read directly: one more dependency for one file would be too much.
    let packed = Path::new("/proc/config.gz");
    let output = Command::new("gzip")
        .arg("-dc")
        .arg(packed)
        .output()
        .ok()
        .filter(|output| packed.exists() && output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn missing(config: &str) -> Vec<String> {
    OPTIONS
        .into_iter()
        .filter(|(option, _)| {
            !config.lines().any(|line| {
                line.strip_prefix(option)
                    .is_some_and(|value| value == "=y" || value == "=m")
            })
        })
        .map(|(option, purpose)| format!("{option} ({purpose})"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_distributions_are_read() {
        assert_eq!(version("5.10.0-35-cloud-amd64"), Some((5, 10)));
        assert_eq!(version("6.18.44"), Some((6, 18)));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn missing_options_are_named() {
        let config = OPTIONS
            .map(|(option, _)| format!("{option}=y"))
            .join("\n")
            .replace("CONFIG_VETH=y", "# CONFIG_VETH is not set");
        assert_eq!(missing(&config), ["CONFIG_VETH (containers' interfaces)"]);
    }
}
