//! sock_diag: TCP sockets that hold their port without a peer.
//!
//! Those that are bound but do not listen are in no other listing; kernels before 6.8 (commit
//! 91051f003948) know no such state and leave them out. And /proc/net/tcp walks the table of
//! established connections too, which takes milliseconds however empty it is.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rtnetlink::sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_SOCK_DIAG};

use super::is_absent;

/// SOCK_DIAG_BY_FAMILY of include/uapi/linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// TCP_LISTEN and TCP_BOUND_INACTIVE of include/net/tcp_states.h.
const STATES: u32 = 1 << 10 | 1 << 13;
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
/// struct inet_diag_req_v2: family, protocol, extensions, padding, states, socket identity.
const REQUEST: usize = 56;
/// struct inet_diag_msg: 4 bytes, identity (ports, addresses, interface, cookie), then numbers;
/// the inode is the last.
const MESSAGE: usize = 72;

/// Local address and inode of each, in the network namespace of this thread; `None` where the
/// kernel has no tcp_diag.
pub fn tcp_holders() -> io::Result<Option<Vec<(SocketAddr, u64)>>> {
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        match holders_of(family as u8) {
            Ok(sockets) => found.extend(sockets),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(found))
}

fn holders_of(family: u8) -> io::Result<Vec<(SocketAddr, u64)>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&NetlinkAddr::new(0, 0))?;
    socket.send(&request(family), 0)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let length = socket.recv(&mut &mut buffer[..], 0)?;
        let mut rest = &buffer[..length.min(buffer.len())];
        while rest.len() >= HEADER {
            let size = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            if size < HEADER || size > rest.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let payload = &rest[HEADER..size];
            match u16::from_ne_bytes([rest[4], rest[5]]) {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(refusal(payload)),
                BY_FAMILY => found.extend(parse(payload)),
                _ => {}
            }
            rest = &rest[size.next_multiple_of(4).min(rest.len())..];
        }
    }
}

fn request(family: u8) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let mut bytes = ((HEADER + REQUEST) as u32).to_ne_bytes().to_vec();
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence number and port: one request a socket.
    bytes.extend([0; 8]);
    bytes.extend([family, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend(STATES.to_ne_bytes());
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

fn refusal(payload: &[u8]) -> io::Error {
    match payload.first_chunk() {
        Some(code) => io::Error::from_raw_os_error(i32::from_ne_bytes(*code).abs()),
        None => io::ErrorKind::InvalidData.into(),
    }
}

fn parse(message: &[u8]) -> Option<(SocketAddr, u64)> {
    let message: &[u8; MESSAGE] = message.first_chunk()?;
    let port = u16::from_be_bytes([message[4], message[5]]);
    let addr: IpAddr = if i32::from(message[0]) == libc::AF_INET {
        Ipv4Addr::from(*message[8..].first_chunk::<4>()?).into()
    } else {
        Ipv6Addr::from(*message[8..].first_chunk::<16>()?).into()
    };
    let inode = u32::from_ne_bytes(*message[68..].first_chunk()?);
    Some(((addr, port).into(), inode.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kernel 6.18 sent it for a socket on 127.0.0.1:4567.
    #[test]
    fn a_message_is_read() {
        let mut message = [0_u8; MESSAGE + 20];
        message[..12].copy_from_slice(&[2, 7, 0, 0, 0x11, 0xd7, 0, 0, 127, 0, 0, 1]);
        message[68..72].copy_from_slice(&0x052d_u32.to_ne_bytes());
        let expected = SocketAddr::from(([127, 0, 0, 1], 4567));
        assert_eq!(parse(&message), Some((expected, 0x052d)));
        assert_eq!(parse(&message[..60]), None);
    }
}
