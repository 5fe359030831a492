//! From a kernel and an unpacked image to a machine that tests can run on.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::Path,
};

use nix::{
    mount::{MsFlags, mount},
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
};

/// Filesystem, folder. No bpffs: labs mount their own.
const MOUNTS: [(&str, &str); 6] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("cgroup2", "/sys/fs/cgroup"),
];

pub(super) fn set_up() -> io::Result<()> {
    for (kind, folder) in MOUNTS {
        fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
        mount(
            Some(kind),
            folder,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        )
        .map_err(|errno| at(folder, &errno.into()))?;
    }
    // What udev makes elsewhere.
    if !Path::new("/dev/fd").exists() {
        symlink("/proc/self/fd", "/dev/fd")?;
    }
    fs::create_dir_all("/run/netns")
}

/// A serial port that passes every byte on as it is.
pub(super) fn open_serial(path: &str) -> io::Result<File> {
    let port = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| at(path, &error))?;
    let mut settings = tcgetattr(&port)?;
    cfmakeraw(&mut settings);
    tcsetattr(&port, SetArg::TCSANOW, &settings)?;
    Ok(port)
}

fn at(place: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}
