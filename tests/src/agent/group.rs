//! Multicast and broadcast: who hears what is said to many.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    time::{Duration, Instant},
};

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{setsockopt, sockopt},
};

use super::{protocol::Heard, socket};
use crate::patience::patient;

/// Sockets that listen, by name.
pub(super) type Listeners = HashMap<String, UdpSocket>;

/// The listener has all that it waits for when nothing came for so long.
const QUIET: Duration = Duration::from_millis(50);

/// A socket that hears what is said to `group`; a broadcast address is no group to join.
pub(super) fn listen(group: SocketAddr, interface: &str) -> io::Result<UdpSocket> {
    let any: IpAddr = match group {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let listener = socket::udp_server((any, group.port()).into(), true)?;
    setsockopt(&listener, sockopt::BindToDevice, &interface.into())?;
    socket::roomy(&listener);
    match group.ip() {
        IpAddr::V4(group) if group.is_multicast() => {
            let request = libc::ip_mreqn {
                imr_multiaddr: libc::in_addr {
                    s_addr: u32::from(group).to_be(),
                },
                imr_address: libc::in_addr { s_addr: 0 },
                imr_ifindex: if_nametoindex(interface)? as libc::c_int,
            };
            socket::set(
                &listener,
                libc::IPPROTO_IP,
                libc::IP_ADD_MEMBERSHIP,
                &request,
            )?;
        }
        IpAddr::V4(_) => {}
        IpAddr::V6(group) => listener.join_multicast_v6(&group, if_nametoindex(interface)?)?,
    }
    Ok(listener)
}

/// Says a text to many, so many times.
pub(super) fn say(to: SocketAddr, interface: &str, text: &str, count: u32) -> io::Result<()> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let speaker = UdpSocket::bind((any, 0))?;
    setsockopt(&speaker, sockopt::BindToDevice, &interface.into())?;
    setsockopt(&speaker, sockopt::Broadcast, &true)?;
    let to = match to {
        SocketAddr::V4(_) => to,
        SocketAddr::V6(to) => {
            SocketAddrV6::new(*to.ip(), to.port(), 0, if_nametoindex(interface)?).into()
        }
    };
    for _ in 0..count {
        speaker.send_to(text.as_bytes(), to)?;
    }
    Ok(())
}

/// What a listener has heard: returns once there are `at_least` and it is quiet, or at the end.
pub(super) fn heard(
    listener: &UdpSocket,
    at_least: usize,
    limit: Duration,
) -> io::Result<Vec<Heard>> {
    listener.set_read_timeout(Some(patient(QUIET)))?;
    let end = Instant::now() + limit;
    let mut all = Vec::new();
    let mut buffer = [0_u8; 2048];
    loop {
        match listener.recv_from(&mut buffer) {
            Ok((length, from)) => all.push(Heard {
                from: from.ip(),
                text: String::from_utf8_lossy(&buffer[..length]).into_owned(),
            }),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if all.len() >= at_least || Instant::now() >= end => return Ok(all),
            Err(_) => {}
        }
    }
}
