//! The daemon under test: started in a lab's host, killed, stopped, started again.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::{net::UnixDatagram, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{eventually::eventually, lab::Lab, patience::patient};

/// Address of the metrics, in the lab's own namespace.
pub const METRICS: &str = "127.0.0.1:9469";
/// Loading a few thousand instructions takes longer when two cores run a dozen labs.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

/// What [`use_netctl`] was told.
static NETCTL: OnceLock<PathBuf> = OnceLock::new();

/// Uses that program instead of the one that the environment names; the first call counts.
/// A process that enters a mount namespace starts in its root folder: hence the absolute path.
pub fn use_netctl(path: &Path) {
    NETCTL.get_or_init(|| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
}

/// The netctl that is tested.
pub fn netctl_path() -> PathBuf {
    if let Some(path) = NETCTL.get() {
        return path.clone();
    }
    std::env::var_os("NETCTL_BIN").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../target/release/netctl"
            ))
        },
        PathBuf::from,
    )
}

/// `netctl daemon` with all folders in the lab, where `more` does not say otherwise; not started.
pub fn command(lab: &Lab, more: &[&str]) -> Command {
    let mut command = lab.host_place().command(netctl_path());
    command.arg("daemon");
    let folders = [
        ("--config", lab.config_path()),
        ("--state", lab.state()),
        ("--run", lab.run()),
        ("--bpffs", lab.bpffs()),
        ("--cgroup", lab.cgroup().to_owned()),
        ("--metrics", METRICS.into()),
    ];
    for (flag, value) in folders {
        if !more.contains(&flag) {
            command.arg(flag).arg(value);
        }
    }
    command.args(more);
    command
}

impl Daemon {
    /// Starts it and waits until it says that it is ready. The error holds its log.
    pub fn start(lab: &Lab, more: &[&str]) -> Result<Self, String> {
        if !lab.config_path().exists() {
            fs::write(lab.config_path(), "").map_err(|error| error.to_string())?;
        }
        let notify_path = lab.scratch().join("notify");
        drop(fs::remove_file(&notify_path));
        let notify = UnixDatagram::bind(&notify_path).map_err(|error| error.to_string())?;
        let log = lab.scratch().join("daemon.log");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|error| error.to_string())?;
        let mut command = command(lab, more);
        command
            .env("NOTIFY_SOCKET", &notify_path)
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(|error| error.to_string())?)
            .stderr(file);
        // SAFETY: one system call between fork and exec. The daemon goes with a test that is
        // killed, as agents do by their closed pipes.
        unsafe {
            command.pre_exec(|| {
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from)
            })
        };
        let child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", netctl_path().display()))?;
        let mut daemon = Self { child, log };
        if daemon.wait_ready(&notify) {
            Ok(daemon)
        } else {
            daemon.kill();
            Err(format!("the daemon does not get ready:\n{}", daemon.log()))
        }
    }

    fn wait_ready(&mut self, notify: &UnixDatagram) -> bool {
        drop(notify.set_read_timeout(Some(Duration::from_millis(50))));
        let end = Instant::now() + patient(READY_LIMIT);
        let mut buffer = [0_u8; 4096];
        while Instant::now() < end {
            if let Ok(length) = notify.recv(&mut buffer)
                && buffer[..length]
                    .split(|byte| *byte == b'\n')
                    .any(|line| line == b"READY=1")
            {
                return true;
            }
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
        }
        false
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let read = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        match read {
            Ok(_) => text,
            Err(error) => format!("no log: {error}\n"),
        }
    }

    /// kill -9, and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGTERM; the exit code.
    #[track_caller]
    pub fn terminate(&mut self) -> i32 {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        let status = eventually(Duration::from_secs(20), || self.child.try_wait().unwrap());
        let status: ExitStatus = status.expect("the daemon ends after SIGTERM");
        status.code().unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
