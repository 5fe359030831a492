//! Who holds a port of the host: so that a refusal can name the process.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use procfs::{
    ProcError,
    net::{TcpState, UdpState},
    process::{FDTarget, all_processes},
};

use super::netlink::diag;
use crate::model::Proto;

/// A process with a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// 0 when the process cannot be seen from here.
    pub pid: i32,
    pub comm: String,
    pub address: SocketAddr,
}

/// A socket that waits for peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub address: SocketAddr,
    /// An IPv6 socket that takes no IPv4 (IPV6_V6ONLY).
    pub only_v6: bool,
    pub inode: u64,
}

impl Holder {
    /// Whether it is in the way of whoever wants the ports `first..=last` of `ip`; `None` for
    /// every address of both families.
    pub fn holds(&self, ip: Option<IpAddr>, first: u16, last: u16) -> bool {
        let collides = ip.is_none_or(|ip| collides(ip, self.address.ip(), self.only_v6));
        (first..=last).contains(&self.address.port()) && collides
    }

    /// Its process, looked for in all of them.
    pub fn owner(&self) -> io::Result<Owner> {
        let (pid, comm) = process_of(self.inode)?.unwrap_or((0, "unknown".to_owned()));
        let address = self.address;
        Ok(Owner { pid, comm, address })
    }
}

/// Sockets of this network namespace that hold a port: TCP listening, from kernel 6.8 on bound
/// only too; UDP bound without a peer; of both families.
pub fn holders(proto: Proto) -> io::Result<Vec<Holder>> {
    let asked = match proto {
        Proto::Tcp => diag::tcp_holders()?,
        Proto::Udp => diag::udp_holders()?,
        // The kernel lists SCTP sockets only with its module (sctp_diag), and asks no hook at
        // bind (inet_bind goes to sctp_bind at once): what the host has bound loses to the port.
        Proto::Sctp => return Ok(Vec::new()),
    };
    match asked {
        Some(found) => Ok(found),
        None => listed(proto),
    }
}

/// As /proc/net lists them, for a kernel without sock_diag of the protocol. It does not tell
/// which sockets are for IPv6 only.
fn listed(proto: Proto) -> io::Result<Vec<Holder>> {
    let found: Vec<_> = match proto {
        Proto::Tcp => optional(procfs::net::tcp())?
            .into_iter()
            .chain(optional(procfs::net::tcp6())?)
            .filter(|entry| entry.state == TcpState::Listen)
            .map(|entry| (entry.local_address, entry.inode))
            .collect(),
        // A connected socket only takes its peer's packets.
        Proto::Udp => optional(procfs::net::udp())?
            .into_iter()
            .chain(optional(procfs::net::udp6())?)
            .filter(|entry| entry.state == UdpState::Close)
            .map(|entry| (entry.local_address, entry.inode))
            .collect(),
        Proto::Sctp => Vec::new(),
    };
    let holder = |(address, inode)| Holder {
        address,
        only_v6: false,
        inode,
    };
    Ok(found.into_iter().map(holder).collect())
}

/// A family that the kernel lacks has no sockets.
fn optional<T>(entries: Result<Vec<T>, ProcError>) -> io::Result<Vec<T>> {
    match entries {
        Ok(entries) => Ok(entries),
        Err(ProcError::NotFound(_)) => Ok(Vec::new()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn collides(wanted: IpAddr, held: IpAddr, only_v6: bool) -> bool {
    let held = held.to_canonical();
    let same_family = wanted.is_ipv4() == held.is_ipv4();
    if held.is_unspecified() {
        // A socket on [::] takes IPv4 too unless it said otherwise.
        return same_family || (held.is_ipv6() && !only_v6);
    }
    (wanted.is_unspecified() && same_family) || wanted == held
}

fn process_of(inode: u64) -> io::Result<Option<(i32, String)>> {
    for process in all_processes().map_err(io::Error::other)? {
        // Processes end while we look.
        let Ok(process) = process else { continue };
        let Ok(descriptors) = process.fd() else {
            continue;
        };
        let holds = descriptors
            .flatten()
            .any(|fd| matches!(fd.target, FDTarget::Socket(socket) if socket == inode));
        if holds {
            let comm = process.stat().map(|stat| stat.comm);
            return Ok(Some((process.pid, comm.unwrap_or_default())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_in_the_way_of_what_they_take() {
        let holds = |held: &str, only_v6: bool, wanted: Option<&str>| {
            let holder = Holder {
                address: held.parse().unwrap(),
                only_v6,
                inode: 1,
            };
            holder.holds(wanted.map(|ip| ip.parse().unwrap()), 80, 90)
        };
        for (held, only_v6, wanted, expected) in [
            ("0.0.0.0:80", false, Some("0.0.0.0"), true),
            ("0.0.0.0:80", false, Some("10.0.0.1"), true),
            ("0.0.0.0:80", false, Some("::"), false),
            ("0.0.0.0:80", false, Some("::1"), false),
            ("0.0.0.0:80", false, None, true),
            ("0.0.0.0:79", false, None, false),
            ("0.0.0.0:91", false, None, false),
            ("10.0.0.1:80", false, Some("0.0.0.0"), true),
            ("10.0.0.1:80", false, Some("10.0.0.1"), true),
            ("10.0.0.1:80", false, Some("10.0.0.2"), false),
            ("[::]:80", false, Some("0.0.0.0"), true),
            ("[::]:80", false, Some("10.0.0.1"), true),
            ("[::]:80", false, Some("::1"), true),
            ("[::]:80", true, Some("0.0.0.0"), false),
            ("[::]:80", true, Some("10.0.0.1"), false),
            ("[::]:80", true, Some("::"), true),
            ("[::]:80", true, Some("fd00::1"), true),
            ("[::]:80", true, None, true),
            ("[fd00::1]:80", false, Some("0.0.0.0"), false),
            ("[fd00::1]:80", false, Some("::"), true),
            ("[fd00::1]:80", false, Some("fd00::2"), false),
            ("[::ffff:10.0.0.1]:80", false, Some("10.0.0.1"), true),
            ("[::ffff:10.0.0.1]:80", false, Some("0.0.0.0"), true),
            ("[::ffff:10.0.0.1]:80", false, Some("::"), false),
        ] {
            let found = holds(held, only_v6, wanted);
            assert_eq!(found, expected, "{held} {only_v6} {wanted:?}");
        }
    }
}
