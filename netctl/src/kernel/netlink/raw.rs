//! Requests to other subsystems than rtnetlink, as bytes: for what no crate reads.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;
/// Of an attribute: length with this header, type.
const ATTRIBUTE: usize = 4;
/// NLA_F_NESTED and NLA_F_NET_BYTEORDER of include/uapi/linux/netlink.h.
const FLAGS: u16 = 1 << 15 | 1 << 14;

/// Everything that a request lists: types and payloads of the answers. `body` follows the
/// request's header.
pub(super) fn dump(protocol: isize, kind: u16, body: &[u8]) -> io::Result<Vec<(u16, Vec<u8>)>> {
    ask(protocol, kind, libc::NLM_F_DUMP, body)
}

/// Has something done; an error if the kernel does not.
pub(super) fn order(protocol: isize, kind: u16, body: &[u8]) -> io::Result<()> {
    ask(protocol, kind, libc::NLM_F_ACK, body).map(|_none| ())
}

fn ask(
    protocol: isize,
    kind: u16,
    flags: libc::c_int,
    body: &[u8],
) -> io::Result<Vec<(u16, Vec<u8>)>> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(kind, flags, body), 0)?;
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
                // An acknowledgement is an error of number 0.
                NLMSG_ERROR if payload.starts_with(&[0; 4]) => return Ok(found),
                NLMSG_ERROR => return Err(refusal(payload)),
                kind => found.push((kind, payload.to_vec())),
            }
            rest = &rest[size.next_multiple_of(4).min(rest.len())..];
        }
    }
}

fn request(kind: u16, flags: libc::c_int, body: &[u8]) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | flags) as u16;
    let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence number and port: one request a socket.
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

fn refusal(payload: &[u8]) -> io::Error {
    match payload.first_chunk() {
        Some(code) => io::Error::from_raw_os_error(i32::from_ne_bytes(*code).abs()),
        None => io::ErrorKind::InvalidData.into(),
    }
}

/// Attributes that follow each other (struct nlattr), each with its type; a damaged one ends them.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [a, b, c, d] = *bytes.first_chunk::<ATTRIBUTE>()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = bytes.get(ATTRIBUTE..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & !FLAGS, value))
    })
}

/// An attribute as a request carries it.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = ATTRIBUTE + value.len();
    let mut bytes = (length as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length.next_multiple_of(4), 0);
    bytes
}
