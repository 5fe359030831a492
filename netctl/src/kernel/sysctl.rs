//! Sysctls of single interfaces, in the network namespace of the calling thread. Global ones are
//! read, never written.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::fd::OwnedFd,
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};

/// Whether an interface forwards IPv4 (`forwarding`) or takes part in IPv6 (`disable_ipv6`), ….
fn write(family: &str, interface: &str, name: &str, value: &str) -> io::Result<()> {
    fs::write(
        format!("/proc/sys/net/{family}/conf/{interface}/{name}"),
        value,
    )
}

/// Lets the host's stack pass packets of this interface on, and take 127/8 sources on it.
pub fn make_anchor(interface: &str) -> io::Result<()> {
    write("ipv4", interface, "forwarding", "1")?;
    write("ipv4", interface, "route_localnet", "1")
}

/// Switches IPv6 off on an interface; a kernel without IPv6 has nothing to switch.
pub fn disable_ipv6(interface: &str) -> io::Result<()> {
    unless_absent(write("ipv6", interface, "disable_ipv6", "1"))
}

/// The IPv6 settings of the interfaces of one namespace, for who changes many of them.
///
/// The kernel's cache of names has /proc/sys/net/ipv6 once for each namespace, all in one list
/// that it searches for the right one: with a thousand namespaces that takes longer than all the
/// rest of a write. So the folder is looked for once.
pub struct Ipv6(Option<OwnedFd>);

impl Ipv6 {
    /// Those of the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match open("/proc/sys/net/ipv6/conf", flags, Mode::empty()) {
            Ok(folder) => Ok(Self(Some(folder))),
            Err(nix::errno::Errno::ENOENT) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Switches IPv6 off on an interface.
    pub fn disable(&self, interface: &str) -> io::Result<()> {
        let Some(folder) = &self.0 else {
            // The kernel may have learnt IPv6 since.
            return disable_ipv6(interface);
        };
        let path = format!("{interface}/disable_ipv6");
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        unless_absent(
            openat(folder, path.as_str(), flags, Mode::empty())
                .map_err(io::Error::from)
                .and_then(|file| File::from(file).write_all(b"1")),
        )
    }
}

fn unless_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Neighbours that all namespaces together may have; only the initial namespace can tell.
pub fn neighbour_limit() -> Option<usize> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/neigh/default/gc_thresh3").ok()?;
    text.trim().parse().ok()
}

/// Ports that processes of this namespace draw from.
pub fn local_port_range() -> io::Result<(u16, u16)> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Ok((first, last)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("ip_local_port_range reads {text:?}"),
        )),
    }
}
