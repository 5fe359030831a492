//! From a kernel and an unpacked image to a machine that tests can run on.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::Path,
};

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sys::{
        stat::{Mode, SFlag, makedev, mknod},
        termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
    },
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
    // The kernel loads the module when it is opened (Documentation/admin-guide/devices.txt).
    fs::create_dir_all("/dev/net")?;
    let tun = makedev(10, 200);
    match mknod(
        "/dev/net/tun",
        SFlag::S_IFCHR,
        Mode::from_bits_truncate(0o666),
        tun,
    ) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(at("/dev/net/tun", &errno.into())),
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
