//! The cookie of the network namespace that the daemon runs in, by which the programs on cgroups
//! tell the host's sockets from containers'.
//!
//! Since Linux 5.14 any socket tells it (SO_NETNS_COOKIE). Before, only a program can ask: one is
//! on the cgroup for the moment of a connect() of our own.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    path::Path,
};

use super::{
    bpf::{link, map::Map, program},
    state::Hook,
};

/// libc knows neither on all targets.
const SO_COOKIE: libc::c_int = 57;
const SO_NETNS_COOKIE: libc::c_int = 71;

/// The cookie, never 0. `cgroup` is the folder whose processes the programs see; the daemon must
/// be one of them where the kernel is older than 5.14.
pub(super) fn of_our_namespace(cgroup: &Path) -> io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    match option(&socket, SO_NETNS_COOKIE) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => by_program(cgroup),
        told => told,
    }
}

fn by_program(cgroup: &Path) -> io::Result<u64> {
    let hook = Hook::SockConnect4.attach_type();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let answer = Map::create_array(size_of::<u64>() as u32)?;
    let program = program::tell_netns_cookie(hook, option(&socket, SO_COOKIE)?, answer.as_fd())?;
    let cgroup = File::open(cgroup)?;
    let link = link::create(program.as_fd(), cgroup.as_raw_fd() as u32, hook)?;
    // A UDP socket sends nothing when it is connected. Port 9 is discard (RFC 863).
    let connected = socket.connect((Ipv4Addr::LOCALHOST, 9));
    drop(link);
    connected?;
    let value = answer.lookup(&0_u32.to_ne_bytes())?;
    let told = value.and_then(|value| value.try_into().ok());
    match told.map_or(0, u64::from_ne_bytes) {
        0 => Err(io::Error::other(
            "the daemon is not one of the processes of the cgroup that it is to serve (start it there, or name a folder above by --cgroup)",
        )),
        cookie => Ok(cookie),
    }
}

fn option(socket: &UdpSocket, name: libc::c_int) -> io::Result<u64> {
    let mut value = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: both pointers are to live locals of the size that is passed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_mut(&mut value).cast(),
            &mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}
