//! What was measured on.

use std::{fmt, fs, process::Command};

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    pub netctl: String,
    /// Peers' programs and their versions.
    pub versions: Vec<String>,
    pub date: String,
}

impl Machine {
    /// `tools`: folder of the peers' unpacked packages.
    pub fn now(tools: &std::path::Path) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("unknown CPU", |rest| {
                rest.trim_start_matches([' ', '\t', ':'])
            });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let docker = tools.join("usr/sbin/dockerd").display().to_string();
        let asked = [(docker.as_str(), "--version"), ("nft", "--version")];
        let versions = asked.map(|(program, flag)| first_line(program, &[flag]));
        Self {
            cpu: cpu.to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
            netctl: first_line(
                &crate::daemon::netctl_path().display().to_string(),
                &["--version"],
            ),
            versions: versions.into(),
            date: first_line("date", &["--utc", "+%Y-%m-%d"]),
        }
    }
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().next().unwrap_or_default().to_owned()
        }
        Err(error) => format!("{program}: {error}"),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} × {}, Linux {}, {}; {}",
            self.date,
            self.cpus,
            self.cpu,
            self.kernel,
            self.netctl,
            self.versions.join("; ")
        )
    }
}
