//! Where a process runs: mount namespace, network namespace and cgroup, entered between fork and
//! exec, so that the calling process never moves.

use std::{
    ffi::{CString, OsStr},
    fs::File,
    io,
    os::{fd::AsRawFd, unix::ffi::OsStrExt, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// A network namespace: held open, or by its path inside the place's mount namespace.
#[derive(Clone, Debug)]
enum Net {
    Held(Arc<File>),
    Path(PathBuf),
}

/// Namespaces and cgroup of a process to be started.
#[derive(Clone, Debug)]
pub struct Place {
    mount: Option<Arc<File>>,
    net: Net,
    cgroup: Option<PathBuf>,
}

impl Place {
    /// The namespaces that process `pid` lives in.
    pub fn of_process(pid: u32, cgroup: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            mount: Some(Arc::new(File::open(format!("/proc/{pid}/ns/mnt"))?)),
            net: Net::Held(Arc::new(File::open(format!("/proc/{pid}/ns/net"))?)),
            cgroup: cgroup.map(Path::to_owned),
        })
    }

    /// The same machine, another network namespace.
    #[must_use]
    pub fn in_netns(&self, path: &Path) -> Self {
        Self {
            net: Net::Path(path.to_owned()),
            ..self.clone()
        }
    }

    /// A command that will run here.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let mount = self.mount.clone();
        let held = match &self.net {
            Net::Held(file) => Some(file.clone()),
            Net::Path(_) => None,
        };
        let path = match &self.net {
            Net::Held(_) => None,
            Net::Path(path) => Some(c_string(path)),
        };
        let procs = self
            .cgroup
            .as_ref()
            .map(|folder| c_string(&folder.join("cgroup.procs")));
        let enter = move || {
            if let Some(procs) = &procs {
                join_cgroup(procs)?;
            }
            if let Some(mount) = &mount {
                setns(mount.as_raw_fd(), libc::CLONE_NEWNS)?;
            }
            if let Some(held) = &held {
                setns(held.as_raw_fd(), libc::CLONE_NEWNET)?;
            }
            if let Some(path) = &path {
                let net = open(path, libc::O_RDONLY)?;
                setns(net, libc::CLONE_NEWNET)?;
                close(net);
            }
            Ok(())
        };
        // SAFETY: `enter` makes system calls only: no allocation, no lock, nothing that another
        // thread of the parent could hold at the fork.
        unsafe { command.pre_exec(enter) };
        command
    }
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn setns(fd: i32, kind: i32) -> io::Result<()> {
    // SAFETY: plain system call on a descriptor that the caller keeps open.
    check(unsafe { libc::setns(fd, kind) }).map(drop)
}

fn open(path: &CString, flags: i32) -> io::Result<i32> {
    // SAFETY: the path is a valid C string for the length of the call.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })
}

fn close(fd: i32) {
    // SAFETY: the caller owns the descriptor and does not use it again.
    unsafe { libc::close(fd) };
}

/// Writing 0 moves the writer itself.
fn join_cgroup(procs: &CString) -> io::Result<()> {
    let fd = open(procs, libc::O_WRONLY)?;
    // SAFETY: one byte from a static string.
    let written = unsafe { libc::write(fd, c"0".as_ptr().cast(), 1) };
    let result = if written == 1 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    };
    close(fd);
    result
}
