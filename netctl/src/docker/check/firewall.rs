//! Firewalls that people configure: none stands in netctl's way, and none filters what it serves.

use std::{fs, path::Path};

use super::Finding;
use crate::docker::setup::below;

/// Of links that systemd's `enable` makes.
const FIREWALLD: [&str; 2] = [
    "/etc/systemd/system/multi-user.target.wants/firewalld.service",
    "/etc/systemd/system/dbus-org.fedoraproject.FirewallD1.service",
];

pub(super) fn findings(root: &Path) -> Vec<Finding> {
    vec![ufw(root), firewalld(root)]
}

fn ufw(root: &Path) -> Finding {
    const TOPIC: &str = "ufw";
    let enabled = fs::read_to_string(below(root, "/etc/ufw/ufw.conf")).is_ok_and(|text| {
        let mut values = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("ENABLED="));
        // The last one counts, as to a shell.
        let value = values.next_back().unwrap_or_default();
        value.trim().trim_matches('"').eq_ignore_ascii_case("yes")
    });
    if !enabled {
        return Finding::ok(TOPIC, "not enabled");
    }
    Finding::note(
        TOPIC,
        "enabled: as with stock Docker, published ports are open whatever it says; what containers send to the host itself passes its rules",
        [
            "# a port for this host alone: -p 127.0.0.1:8080:80; for some sources: the label netctl.allow=10.0.0.0/8",
            "sudo ufw allow in on docker0   # if containers may reach services of the host",
        ],
    )
}

fn firewalld(root: &Path) -> Finding {
    const TOPIC: &str = "firewalld";
    let runs = fs::read_to_string(below(root, "/run/firewalld.pid"))
        .is_ok_and(|pid| Path::new("/proc").join(pid.trim()).exists());
    let enabled = FIREWALLD
        .iter()
        // The link's target may be on another root.
        .any(|link| fs::symlink_metadata(below(root, link)).is_ok());
    let how = match (runs, enabled) {
        (true, _) => "runs",
        (false, true) => "is enabled, and does not run",
        (false, false) => return Finding::ok(TOPIC, "not enabled"),
    };
    Finding::note(
        TOPIC,
        format!(
            "{how}: published ports are open whatever its zones say, and its reload changes nothing; without iptables the Engine puts its bridges into no zone any more, so what containers send to the host itself passes the default one"
        ),
        [
            "# if containers may reach services of the host:",
            "sudo firewall-cmd --permanent --zone=trusted --add-interface=docker0 && sudo firewall-cmd --reload",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::check::Level;

    #[test]
    fn firewalls_are_told_by_their_files() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let write = |path: &str, text: &str| {
            let path = below(root, path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let levels = || -> Vec<Level> { findings(root).iter().map(|f| f.level).collect() };
        assert_eq!(levels(), [Level::Ok, Level::Ok]);
        write(
            "/etc/ufw/ufw.conf",
            "# ENABLED=yes\nENABLED=no\nLOGLEVEL=low\n",
        );
        assert_eq!(levels(), [Level::Ok, Level::Ok]);
        write("/etc/ufw/ufw.conf", "ENABLED=yes\n");
        assert_eq!(levels(), [Level::Note, Level::Ok]);
        // A process that has ended.
        write("/run/firewalld.pid", "4194305\n");
        assert_eq!(levels(), [Level::Note, Level::Ok]);
        write("/run/firewalld.pid", &format!("{}\n", std::process::id()));
        assert_eq!(levels(), [Level::Note, Level::Note]);
        fs::remove_file(below(root, "/run/firewalld.pid")).unwrap();
        let link = below(root, FIREWALLD[0]);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/lib/systemd/system/firewalld.service", link).unwrap();
        assert_eq!(levels(), [Level::Note, Level::Note]);
    }
}
