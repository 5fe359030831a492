//! What an interface leaves to its device, as ethtool(8) and ip(8) set it.

use std::{io, os::fd::AsRawFd};

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};
use serde::{Deserialize, Serialize};

/// linux/sockios.h and linux/ethtool.h.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_SGRO: u32 = 0x2c;
/// linux/rtnetlink.h and linux/if_link.h.
const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const IFLA_GSO_IPV4_MAX_SIZE: u16 = 63;

/// A switch of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offload {
    /// The device makes the checksums of what goes out, or the kernel, as for a device that
    /// cannot; it segments then, too.
    Checksums,
    /// What comes in is polled (NAPI) and merged (GRO), as by a network card's driver.
    Merging,
}

/// Turns it on or off.
pub(super) fn switch(interface: &str, offload: Offload, on: bool) -> io::Result<()> {
    let command = match offload {
        Offload::Checksums => ETHTOOL_STXCSUM,
        Offload::Merging => ETHTOOL_SGRO,
    };
    let value = [command, u32::from(on)];
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (into, byte) in request.ifr_name[..room].iter_mut().zip(interface.bytes()) {
        *into = byte.cast_signed();
    }
    request.ifr_ifru.ifru_data = value.as_ptr().cast_mut().cast();
    let fd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: the request and the struct ethtool_value that it points to outlive the call.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), SIOCETHTOOL, &raw const request) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Lets IPv4 packets of many segments grow beyond 64 KiB (BIG TCP, kernel 6.3).
pub(super) fn big_segments(interface: &str, bytes: u32) -> io::Result<()> {
    const LENGTH: u32 = 16 + 16 + 8;
    let index = if_nametoindex(interface)?;
    let mut message = Vec::new();
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend([0; 8]);
    // struct ifinfomsg: family and type, index, flags, change.
    message.extend([0; 4]);
    message.extend(index.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(8_u16.to_ne_bytes());
    message.extend(IFLA_GSO_IPV4_MAX_SIZE.to_ne_bytes());
    message.extend(bytes.to_ne_bytes());
    let fd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(fd.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0_u8; 256];
    let length = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // struct nlmsgerr after the header: 0 is the acknowledgement.
    match answer.get(16..20).filter(|_| length >= 20) {
        Some(&[a, b, c, d]) => match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
