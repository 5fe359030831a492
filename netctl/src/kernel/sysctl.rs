//! Sysctls of single interfaces, in the network namespace of the calling thread. Global ones are
//! read, never written.

use std::{fs, io};

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
    match write("ipv6", interface, "disable_ipv6", "1") {
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
