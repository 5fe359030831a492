//! sock_diag: sockets that hold their port without a peer; and connections ended by their identity.
//!
//! TCP sockets that are bound but do not listen are in no other listing; kernels before 6.8 (commit
//! 91051f003948) know no such state and leave them out. And /proc/net/tcp walks the table of
//! established connections too, which takes milliseconds however empty it is. Nor does any file of
//! /proc tell which IPv6 sockets take no IPv4.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use rtnetlink::sys::protocols::NETLINK_SOCK_DIAG;

use super::{is_absent, raw};
use crate::kernel::owner::Holder;

/// SOCK_DIAG_BY_FAMILY and SOCK_DESTROY of include/uapi/linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
/// TCP_LISTEN and TCP_BOUND_INACTIVE of include/net/tcp_states.h.
const TCP_STATES: u32 = 1 << 10 | 1 << 13;
/// TCP_CLOSE of the same: a UDP socket without a peer, which takes everybody's packets.
const UDP_STATES: u32 = 1 << 7;
/// INET_DIAG_SKV6ONLY of include/uapi/linux/inet_diag.h: one byte, without being asked for.
const SKV6ONLY: u16 = 11;
/// struct inet_diag_sockid: ports, addresses, interface, cookie.
const IDENTITY: usize = 48;
/// struct inet_diag_msg: 4 bytes, identity, then numbers; the inode is the last.
const MESSAGE: usize = 72;

/// A socket's identity, as the kernel told it.
pub(super) type Identity = [u8; IDENTITY];

/// TCP sockets of the network namespace of this thread; `None` where the kernel has no tcp_diag.
pub fn tcp_holders() -> io::Result<Option<Vec<Holder>>> {
    holders(libc::IPPROTO_TCP, TCP_STATES)
}

/// UDP sockets likewise; `None` where the kernel has no udp_diag.
pub fn udp_holders() -> io::Result<Option<Vec<Holder>>> {
    let found = holders(libc::IPPROTO_UDP, UDP_STATES)?;
    // One that only sends, and has no port yet, holds none.
    let bound = |all: Vec<Holder>| all.into_iter().filter(|h| h.address.port() != 0).collect();
    Ok(found.map(bound))
}

fn holders(protocol: i32, states: u32) -> io::Result<Option<Vec<Holder>>> {
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        match holders_of(family as u8, protocol as u8, states) {
            Ok(sockets) => found.extend(sockets),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(found))
}

fn holders_of(family: u8, protocol: u8, states: u32) -> io::Result<Vec<Holder>> {
    let messages = list(family, protocol, states)?;
    Ok(messages
        .iter()
        .filter_map(|message| parse(message))
        .collect())
}

/// The message (struct inet_diag_msg and attributes) of every socket in one of these states, bits
/// of include/net/tcp_states.h.
pub(super) fn list(family: u8, protocol: u8, states: u32) -> io::Result<Vec<Vec<u8>>> {
    let request = request([family, protocol], states, &[0; IDENTITY]);
    let messages = raw::dump(NETLINK_SOCK_DIAG, BY_FAMILY, &request)?;
    let sockets = messages.into_iter().filter(|(kind, _)| *kind == BY_FAMILY);
    Ok(sockets.map(|(_, message)| message).collect())
}

/// Ends a connection of TCP (CONFIG_INET_DIAG_DESTROY): its peer is sent a reset, its owner, where
/// it has one, gets ECONNABORTED.
pub(super) fn destroy(family: u8, socket: &Identity) -> io::Result<()> {
    let request = request([family, libc::IPPROTO_TCP as u8], u32::MAX, socket);
    raw::order(NETLINK_SOCK_DIAG, DESTROY, &request)
}

/// struct inet_diag_req_v2: family, protocol, extensions, padding, states, identity.
fn request([family, protocol]: [u8; 2], states: u32, socket: &Identity) -> Vec<u8> {
    let mut request = vec![family, protocol, 0, 0];
    request.extend(states.to_ne_bytes());
    request.extend(socket);
    request
}

/// A socket's identity in its message.
pub(super) fn identity(message: &[u8]) -> Option<&Identity> {
    message.get(4..)?.first_chunk()
}

pub(super) fn parse(message: &[u8]) -> Option<Holder> {
    let (fixed, attributes) = message.split_first_chunk::<MESSAGE>()?;
    let port = u16::from_be_bytes([fixed[4], fixed[5]]);
    let addr: IpAddr = if i32::from(fixed[0]) == libc::AF_INET {
        Ipv4Addr::from(*fixed[8..].first_chunk::<4>()?).into()
    } else {
        Ipv6Addr::from(*fixed[8..].first_chunk::<16>()?).into()
    };
    let inode = u32::from_ne_bytes(*fixed[68..].first_chunk()?);
    let only_v6 = raw::attributes(attributes)
        .any(|(kind, value)| kind == SKV6ONLY && value.first().is_some_and(|value| *value != 0));
    Some(Holder {
        address: (addr, port).into(),
        only_v6,
        inode: inode.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// As kernel 6.18 sent it for a socket on 127.0.0.1:4567, and with what it adds for IPv6.
    #[test]
    fn a_message_is_read() {
        let mut message = [0_u8; MESSAGE];
        message[..12].copy_from_slice(&[2, 7, 0, 0, 0x11, 0xd7, 0, 0, 127, 0, 0, 1]);
        message[68..72].copy_from_slice(&0x052d_u32.to_ne_bytes());
        let expected = Holder {
            address: SocketAddr::from(([127, 0, 0, 1], 4567)),
            only_v6: false,
            inode: 0x052d,
        };
        assert_eq!(parse(&message), Some(expected));
        assert_eq!(parse(&message[..60]), None);

        message[0] = 10;
        message[8..24].copy_from_slice(&[0; 16]);
        let mut long = message.to_vec();
        // INET_DIAG_SHUTDOWN, then INET_DIAG_SKV6ONLY.
        long.extend([5, 0, 8, 0, 3, 0, 0, 0, 5, 0, 11, 0, 1, 0, 0, 0]);
        let found = parse(&long).unwrap();
        assert_eq!(found.address, "[::]:4567".parse().unwrap());
        assert!(found.only_v6);
        long[84] = 0;
        assert!(!parse(&long).unwrap().only_v6);
    }
}
