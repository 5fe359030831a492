//! Preflight: what this machine offers, asked before anything is changed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::sys::statfs::{BPF_FS_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};
use procfs::{KernelVersion, process::Process};

use super::{bpf, cookie, features, sysctl};

/// Why the daemon cannot run here; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(
        "kernel {found} is too old: netctl needs {FLOOR_MAJOR}.{FLOOR_MINOR} or later (boot a newer kernel)"
    )]
    KernelTooOld { found: String },
    #[error(
        "the daemon lacks the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN (start it as root or by its systemd unit)"
    )]
    Capabilities,
    #[error(
        "{path} is not a cgroup v2 hierarchy: {reason} (mount one with `mount -t cgroup2 none DIR`, or name it with --cgroup)"
    )]
    Cgroup { path: PathBuf, reason: String },
    #[error(
        "no bpffs at {path}: {source} (mount one with `mount -t bpf bpf DIR`, or name it with --bpffs)"
    )]
    Bpffs { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Missing(#[from] features::Missing),
    #[error("attach = \"tcx\" needs kernel 6.6 or later, this is {found} (use attach = \"auto\")")]
    NoTcx { found: String },
    #[error("reading {what}")]
    Read {
        what: &'static str,
        source: io::Error,
    },
}

const FLOOR_MAJOR: u8 = 5;
const FLOOR_MINOR: u8 = 10;
/// Linux capability numbers.
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// What was found and does not change while the daemon runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub kernel: String,
    pub tcx: bool,
    /// `bpf_redirect_peer` keeps the container's RX counters: right from 6.1 on, and behind on
    /// 5.10 (tried), where the plain redirect is used unless the configuration says otherwise.
    pub redirect_peer: bool,
    /// Bind hooks may choose the error (6.1, dea6a4e17013); before, it is always EPERM.
    pub set_retval: bool,
    /// Of the network namespace that the daemon runs in: the host's.
    pub netns_cookie: u64,
    /// `ip_local_port_range` of the host.
    pub local_ports: (u16, u16),
}

/// Checks the kernel, our capabilities and the cgroup hierarchy; changes nothing that is seen.
pub fn probe(cgroup: &Path) -> Result<Facts, ProbeError> {
    let version =
        KernelVersion::current().map_err(|error| unreadable("the kernel's version", error))?;
    let kernel = format!("{}.{}.{}", version.major, version.minor, version.patch);
    let at_least = |major, minor| (version.major, version.minor) >= (major, minor);
    if !at_least(FLOOR_MAJOR, FLOOR_MINOR) {
        return Err(ProbeError::KernelTooOld { found: kernel });
    }
    let status = Process::myself()
        .and_then(|me| me.status())
        .map_err(|error| unreadable("/proc/self/status", error))?;
    let has = |capability: u32| status.capeff & (1 << capability) != 0;
    if !has(CAP_NET_ADMIN) || !has(CAP_SYS_ADMIN) {
        return Err(ProbeError::Capabilities);
    }
    check_cgroup(cgroup)?;
    features::check(cgroup)?;
    Ok(Facts {
        tcx: bpf::link::tcx_supported(),
        redirect_peer: at_least(6, 1),
        set_retval: has_set_retval(&version),
        netns_cookie: cookie::of_our_namespace(cgroup)
            .map_err(|error| unreadable("the network namespace's cookie", error))?,
        local_ports: sysctl::local_port_range()
            .map_err(|error| unreadable("ip_local_port_range", error))?,
        kernel,
    })
}

/// See [`Facts::set_retval`].
pub fn has_set_retval(kernel: &KernelVersion) -> bool {
    (kernel.major, kernel.minor) >= (6, 1)
}

fn unreadable(
    what: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ProbeError {
    ProbeError::Read {
        what,
        source: io::Error::other(error),
    }
}

fn check_cgroup(path: &Path) -> Result<(), ProbeError> {
    let reason = match statfs(path) {
        Ok(found) if found.filesystem_type() == CGROUP2_SUPER_MAGIC => return Ok(()),
        Ok(_) => "something else is there".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(ProbeError::Cgroup {
        path: path.to_owned(),
        reason,
    })
}

/// Makes sure that a bpffs is at `path`; true when it had to be mounted.
pub fn ensure_bpffs(path: &Path) -> Result<bool, ProbeError> {
    let failed = |source| ProbeError::Bpffs {
        path: path.to_owned(),
        source,
    };
    if filesystem(path).map_err(failed)? == Some(BPF_FS_MAGIC) {
        return Ok(false);
    }
    fs::create_dir_all(path).map_err(failed)?;
    nix::mount::mount(
        Some("bpf"),
        path,
        Some("bpf"),
        nix::mount::MsFlags::empty(),
        Some("mode=0700"),
    )
    .map_err(|error| failed(error.into()))?;
    Ok(true)
}

fn filesystem(path: &Path) -> io::Result<Option<FsType>> {
    match statfs(path) {
        Ok(found) => Ok(Some(found.filesystem_type())),
        Err(nix::errno::Errno::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Ticks a second (CONFIG_HZ) from one look at the kernel's clocks.
///
/// Jiffies start at 2^32 - 300 s, so that their 32-bit overflow shows early
/// (INITIAL_JIFFIES). That makes one sample enough, except near the 300th second after boot,
/// where `None` asks for a second sample.
pub fn hz_from_clock(jiffies: u64, monotonic_ns: u64) -> Option<u32> {
    let ticks = jiffies as f64 - 2_f64.powi(32);
    let seconds = monotonic_ns as f64 / 1e9 - 300.0;
    (seconds.abs() > 60.0)
        .then(|| nearest_hz(ticks / seconds))
        .flatten()
}

/// Ticks a second from two looks at the kernel's clocks.
pub fn hz_from_interval(ticks: u64, nanoseconds: u64) -> Option<u32> {
    nearest_hz(ticks as f64 / (nanoseconds as f64 / 1e9))
}

/// The CONFIG_HZ of any architecture that is near enough.
fn nearest_hz(measured: f64) -> Option<u32> {
    [
        24_u32, 32, 48, 64, 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024, 1200,
    ]
    .into_iter()
    .map(|hz| (hz, (measured / f64::from(hz) - 1.0).abs()))
    .min_by(|a, b| a.1.total_cmp(&b.1))
    .filter(|(_, error)| *error < 0.08)
    .map(|(hz, _)| hz)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hz_of_one_sample() {
        for hz in [100_u64, 250, 300, 1000] {
            for seconds in [20_u64, 3_600, 40_000_000] {
                let jiffies = (1_u64 << 32) + seconds * hz - 300 * hz;
                let found = hz_from_clock(jiffies, seconds * 1_000_000_000);
                assert_eq!(found, Some(hz as u32), "{hz} Hz after {seconds} s");
            }
        }
        assert_eq!(hz_from_clock(1 << 32, 300_000_000_000), None);
    }
}
