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
    pub inode: u64,
}

impl Holder {
    /// Whether it is in the way of whoever wants the ports `first..=last` of `ip`.
    pub fn holds(&self, ip: IpAddr, first: u16, last: u16) -> bool {
        (first..=last).contains(&self.address.port()) && collides(ip, self.address.ip())
    }

    /// Its process, looked for in all of them.
    pub fn owner(&self) -> io::Result<Owner> {
        let (pid, comm) = process_of(self.inode)?.unwrap_or((0, "unknown".to_owned()));
        let address = self.address;
        Ok(Owner { pid, comm, address })
    }
}

/// Sockets of this network namespace that hold a port: TCP listening, from kernel 6.8 on bound
/// only too; UDP bound; v4 and dual-stack v6.
pub fn holders(proto: Proto) -> io::Result<Vec<Holder>> {
    let found: Vec<_> = match proto {
        Proto::Tcp => match diag::tcp_holders()? {
            Some(found) => found,
            None => optional(procfs::net::tcp())?
                .into_iter()
                .chain(optional(procfs::net::tcp6())?)
                .filter(|entry| entry.state == TcpState::Listen)
                .map(|entry| (entry.local_address, entry.inode))
                .collect(),
        },
        // A connected socket only takes its peer's packets.
        Proto::Udp => optional(procfs::net::udp())?
            .into_iter()
            .chain(optional(procfs::net::udp6())?)
            .filter(|entry| entry.state == UdpState::Close)
            .map(|entry| (entry.local_address, entry.inode))
            .collect(),
        // The kernel lists SCTP sockets only with its module; the bind hook covers them.
        Proto::Sctp => Vec::new(),
    };
    let holder = |(address, inode)| Holder { address, inode };
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

fn collides(wanted: IpAddr, held: IpAddr) -> bool {
    let held = held.to_canonical();
    // A socket on [::] takes IPv4 too unless it said otherwise, which /proc does not tell.
    wanted.is_unspecified() || held.is_unspecified() || wanted.to_canonical() == held
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
