//! Connections that a listening socket has taken and no process has accepted.

use std::{io, net::SocketAddr};

use super::{diag, is_absent};

/// TCP_ESTABLISHED and TCP_CLOSE_WAIT of include/net/tcp_states.h: the states of a connection that
/// waits in the queue of a listening socket.
const STATES: u32 = 1 << 1 | 1 << 8;

/// Resets those of this thread's network namespace whose own end is one of `ends`; their number.
/// What a process has accepted, or opened, has an inode and is left alone.
///
/// # Errors
///
/// EOPNOTSUPP where the kernel has no CONFIG_INET_DIAG_DESTROY and there is something to reset.
pub fn reset(ends: impl Fn(SocketAddr) -> bool) -> io::Result<usize> {
    let mut meant = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6].map(|family| family as u8) {
        let messages = match diag::list(family, libc::IPPROTO_TCP as u8, STATES) {
            // Without tcp_diag or IPv6 there is nothing that could be told.
            Err(error) if is_absent(&error) => continue,
            listed => listed?,
        };
        for message in &messages {
            let socket = diag::parse(message).filter(|s| s.inode == 0 && ends(s.address));
            meant.extend(socket.and(diag::identity(message)).map(|id| (family, *id)));
        }
    }
    for (family, id) in &meant {
        match diag::destroy(*family, id) {
            // It ended by itself.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            done => done?,
        }
    }
    Ok(meant.len())
}
