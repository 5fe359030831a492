//! Sysctls of single interfaces, in the network namespace of the calling thread. Global ones are
//! read, never written: IPv6 forwarding switched on for all would end the host's own
//! autoconfiguration.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};

use super::netlink::link::Ipv6;

/// Lets the host's stack pass packets of this interface on, and take 127/8 sources on it.
pub fn make_anchor(interface: &str) -> io::Result<()> {
    let write = |name: &str| fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/{name}"), "1");
    write("forwarding")?;
    write("route_localnet")
}

const CONF: &str = "/proc/sys/net/ipv6/conf";

/// The IPv6 settings of the interfaces of one namespace, for who changes many of them.
///
/// The kernel's cache of names has /proc/sys/net/ipv6 once for each namespace, all in one list
/// that it searches for the right one: with a thousand namespaces that takes longer than all the
/// rest of a write. So the folder is looked for once.
pub struct Ipv6Settings(Option<OwnedFd>);

impl Ipv6Settings {
    /// Those of the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match open(CONF, flags, Mode::empty()) {
            Ok(folder) => Ok(Self(Some(folder))),
            Err(nix::errno::Errno::ENOENT) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an interface's part in IPv6 what is wanted.
    pub fn put(&self, interface: &str, wanted: Ipv6) -> io::Result<()> {
        let number = |on: bool| if on { "1" } else { "0" };
        match wanted {
            // A kernel without IPv6 has nothing to switch off.
            Ipv6::Off => unless_absent(self.write(interface, "disable_ipv6", "1")),
            Ipv6::On {
                accept_ra,
                eui64,
                forwarding,
            } => {
                // Switched on last: no router's advertisement, and no address of another make,
                // slips in before.
                self.write(interface, "accept_ra", number(accept_ra))
                    .map_err(explain_absent)?;
                self.write(interface, "addr_gen_mode", number(!eui64))?;
                // Off as it comes; a container that switched it on may have it so.
                if forwarding {
                    self.write(interface, "forwarding", "1")?;
                }
                self.write(interface, "disable_ipv6", "0")
            }
        }
    }

    /// Switches IPv6 on, and leaves its settings as they are.
    pub fn enable(&self, interface: &str) -> io::Result<()> {
        self.write(interface, "disable_ipv6", "0")
    }

    /// Why interfaces of this namespace cannot have IPv6; none: they can.
    pub fn missing(&self) -> io::Result<Option<String>> {
        let mut value = String::new();
        let read = self
            .file("all", "disable_ipv6", OFlag::O_RDONLY)
            .and_then(|mut file| file.read_to_string(&mut value));
        match read {
            Ok(_) if value.trim() == "0" => Ok(None),
            Ok(_) => Ok(Some(
                "the sysctl net.ipv6.conf.all.disable_ipv6 switches it off; set it to 0".into(),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(
                "its kernel has no IPv6; boot one that has, without ipv6.disable=1".into(),
            )),
            Err(error) => Err(error),
        }
    }

    fn write(&self, interface: &str, name: &str, value: &str) -> io::Result<()> {
        let mut file = self.file(interface, name, OFlag::O_WRONLY)?;
        file.write_all(value.as_bytes())
    }

    fn file(&self, interface: &str, name: &str, mode: OFlag) -> io::Result<File> {
        let path = format!("{interface}/{name}");
        let flags = mode | OFlag::O_CLOEXEC;
        let opened = match &self.0 {
            Some(folder) => openat(folder, path.as_str(), flags, Mode::empty()),
            // The kernel may have learnt IPv6 since.
            None => open(format!("{CONF}/{path}").as_str(), flags, Mode::empty()),
        };
        Ok(File::from(opened?))
    }
}

fn explain_absent(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "the kernel has no IPv6 for this interface: boot one that has, without ipv6.disable=1",
        )
    } else {
        error
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
