//! Frames as they are: put on an interface, or recorded from it.

use std::{
    ffi::CString,
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use super::{protocol::Sniffed, socket};
use crate::{packet::hex, patience::patient};

fn open(interface: &str, protocol: u16, limit: Duration) -> io::Result<OwnedFd> {
    let name = CString::new(interface).map_err(io::Error::other)?;
    // SAFETY: a valid C string for the length of the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = socket::raw(libc::AF_PACKET, i32::from(protocol.to_be()), limit)?;
    // SAFETY: all zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index as i32;
    // SAFETY: the address lives for the call and has the length given.
    let bound = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}

/// Sends frames out of an interface.
pub(super) fn send(interface: &str, frames: &[String]) -> io::Result<()> {
    let fd = open(interface, 0, Duration::from_secs(1))?;
    for frame in frames {
        let bytes = hex::decode(frame).map_err(io::Error::other)?;
        // SAFETY: the frame is as long as said.
        let sent = unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A recording has all that it waits for when nothing came for so long.
const QUIET: Duration = Duration::from_millis(20);

/// A running recording: the kernel queues what passes until it is taken.
pub(super) struct Sniffer(OwnedFd);

impl Sniffer {
    pub(super) fn start(interface: &str) -> io::Result<Self> {
        let fd = open(interface, libc::ETH_P_ALL as u16, patient(QUIET))?;
        socket::roomy(&fd);
        Ok(Self(fd))
    }

    /// Frames with `pattern` in them: returns once `at_least` were seen or at the deadline.
    pub(super) fn take(
        &self,
        pattern: &str,
        at_least: usize,
        limit: Duration,
    ) -> io::Result<Sniffed> {
        let pattern = hex::decode(pattern).map_err(io::Error::other)?;
        let end = Instant::now() + limit;
        let mut sniffed = Sniffed::default();
        let mut buffer = vec![0_u8; 65536 + 64];
        loop {
            // SAFETY: the buffer is as long as said.
            let length = unsafe {
                libc::recv(
                    self.0.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    0,
                )
            };
            if length >= 0 {
                let frame = &buffer[..length as usize];
                let found =
                    pattern.is_empty() || frame.windows(pattern.len()).any(|part| part == pattern);
                if found {
                    sniffed.frames.push(hex::encode(frame));
                }
                if Instant::now() >= end {
                    return Ok(sniffed);
                }
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            if sniffed.frames.len() >= at_least || Instant::now() >= end {
                return Ok(sniffed);
            }
        }
    }
}

/// A socket for whole IPv4 packets.
pub struct RawIp(OwnedFd);

/// Opens one (IP_HDRINCL of ip(7) comes with IPPROTO_RAW).
pub fn raw_ip() -> io::Result<RawIp> {
    let limit = Duration::from_secs(1);
    socket::raw(libc::AF_INET, libc::IPPROTO_RAW, limit).map(RawIp)
}

impl RawIp {
    /// Sends a packet by the route to `to`; waits where the queue is full.
    pub fn send(&self, to: Ipv4Addr, packet: &[u8]) -> io::Result<()> {
        socket::send_to(&self.0, to.into(), packet)
    }
}
