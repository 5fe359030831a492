//! One packet with chosen hops and size, and what comes back: an answer, or an ICMP error as the
//! socket's error queue has it (IP_RECVERR, ip(7)).

use std::{
    io::{self, IoSliceMut},
    mem::size_of_val,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, bind,
        connect, getsockopt, recvmsg, send, setsockopt, socket, sockopt,
    },
};

use super::{
    ping,
    protocol::{Cutting, Kind, Probe, Probed, Told},
    socket,
};
use crate::patience::patient;

/// See the module. An error of the call itself (a packet larger than the path is known to take,
/// a refused connection) is the request's error.
pub(super) fn probe(ask: &Probe) -> io::Result<Probed> {
    let limit = patient(Duration::from_millis(ask.timeout_ms));
    let fd = open(ask)?;
    prepare(&fd, ask)?;
    let identifier = std::process::id() as u16 ^ fd.as_raw_fd() as u16;
    let sent: Vec<u8> = (0..ask.size).map(|at| (at * 7 + 1) as u8).collect();
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(ask.target)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    match ask.kind {
        Kind::Tcp => {}
        Kind::Udp => drop(send(fd.as_raw_fd(), &sent, MsgFlags::empty())?),
        Kind::Echo => {
            let message = ping::echo(ask.target.ip(), identifier, 1, &sent);
            send(fd.as_raw_fd(), &message, MsgFlags::empty())?;
        }
    }
    let end = Instant::now() + limit;
    let mut probed = Probed::default();
    while let Some(events) = wait(&fd, ask.kind, end)? {
        if let Some(told) = told(&fd)? {
            probed.told = Some(told);
            break;
        }
        if is_answered(&fd, ask, identifier, &sent, events)? {
            probed.answered = true;
            break;
        }
    }
    probed.path_mtu = path_mtu(&fd, ask.target)?;
    Ok(probed)
}

fn open(ask: &Probe) -> io::Result<OwnedFd> {
    let family = if ask.target.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = match ask.kind {
        Kind::Udp => socket(family, SockType::Datagram, flags, None)?,
        Kind::Tcp => socket(family, SockType::Stream, flags, None)?,
        Kind::Echo => {
            let protocol = if ask.target.is_ipv4() {
                libc::IPPROTO_ICMP
            } else {
                libc::IPPROTO_ICMPV6
            };
            let fd = socket::raw(family as i32, protocol, Duration::from_secs(1))?;
            setsockopt(&fd, sockopt::RcvBuf, &(1 << 18))?;
            set_nonblocking(&fd)?;
            fd
        }
    };
    if let Some(source) = ask.source {
        bind(fd.as_raw_fd(), &SockaddrStorage::from(source))?;
    }
    Ok(fd)
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: plain system call on a descriptor that is open.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn prepare(fd: &OwnedFd, ask: &Probe) -> io::Result<()> {
    let hops = ask.hops.map(i32::from);
    let discover = match ask.cutting {
        Cutting::Usual => None,
        // IP_PMTUDISC_DO and IP_PMTUDISC_DONT, the same numbers for IPv6 (ip(7), ipv6(7)).
        Cutting::Never => Some(libc::IP_PMTUDISC_DO),
        Cutting::Allowed => Some(libc::IP_PMTUDISC_DONT),
    };
    if ask.target.is_ipv4() {
        setsockopt(fd, sockopt::Ipv4RecvErr, &true)?;
        if let Some(hops) = hops {
            setsockopt(fd, sockopt::Ipv4Ttl, &hops)?;
        }
        discover.map_or(Ok(()), |how| {
            set(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, how)
        })
    } else {
        setsockopt(fd, sockopt::Ipv6RecvErr, &true)?;
        if let Some(hops) = hops {
            setsockopt(fd, sockopt::Ipv6Ttl, &hops)?;
        }
        discover.map_or(Ok(()), |how| {
            set(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, how)
        })
    }
}

fn set(fd: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option's value is the c_int on the stack.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What the kernel knows of the path (IP_MTU, IPV6_MTU: of connected sockets).
fn path_mtu(fd: &OwnedFd, target: SocketAddr) -> io::Result<u32> {
    let (level, option) = if target.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_MTU)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU)
    };
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the option's value and its length are on the stack.
    let done = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if done < 0 {
        let error = io::Error::last_os_error();
        // A connection that was refused has no path any more.
        if error.raw_os_error() == Some(libc::ENOTCONN) {
            return Ok(0);
        }
        return Err(error);
    }
    Ok(value.cast_unsigned())
}

/// `None`: nothing came by the deadline.
fn wait(fd: &OwnedFd, kind: Kind, end: Instant) -> io::Result<Option<PollFlags>> {
    let wanted = if kind == Kind::Tcp {
        PollFlags::POLLOUT
    } else {
        PollFlags::POLLIN
    };
    let left = end.saturating_duration_since(Instant::now());
    let left = u16::try_from(left.as_millis()).unwrap_or(u16::MAX);
    let mut fds = [PollFd::new(fd.as_fd(), wanted)];
    if poll(&mut fds, PollTimeout::from(left))? == 0 {
        return Ok(None);
    }
    Ok(fds[0].revents())
}

/// The oldest entry of the error queue.
fn told(fd: &OwnedFd) -> io::Result<Option<Told>> {
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut quoted = [0_u8; 2048];
    let mut parts = [IoSliceMut::new(&mut quoted)];
    let message = match recvmsg::<SockaddrStorage>(
        fd.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_ERRQUEUE,
    ) {
        Ok(message) => message,
        Err(Errno::EAGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let about = message.address.as_ref().and_then(ip_of);
    for one in message.cmsgs()? {
        let (error, from) = match one {
            ControlMessageOwned::Ipv4RecvErr(error, from) => {
                let from = from.map(|from| u32::from_be(from.sin_addr.s_addr));
                (error, from.map(|from| IpAddr::V4(from.into())))
            }
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                let from = from.map(|from| from.sin6_addr.s6_addr);
                (error, from.map(|from| IpAddr::V6(from.into())))
            }
            _ => continue,
        };
        return Ok(Some(Told {
            from,
            about,
            kind: error.ee_type,
            code: error.ee_code,
            mtu: error.ee_info,
            errno: format!("{:?}", Errno::from_raw(error.ee_errno.cast_signed())),
        }));
    }
    Ok(None)
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
        (None, Some(v6)) => Some(IpAddr::V6(v6.ip())),
        (None, None) => None,
    }
}

fn is_answered(
    fd: &OwnedFd,
    ask: &Probe,
    identifier: u16,
    sent: &[u8],
    events: PollFlags,
) -> io::Result<bool> {
    if ask.kind == Kind::Tcp {
        let error = getsockopt(fd, sockopt::SocketError)?;
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        return Ok(events.contains(PollFlags::POLLOUT));
    }
    let mut buffer = vec![0_u8; 65536];
    let (length, from) = match socket::receive_from(fd, &mut buffer) {
        Ok(received) => received,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error),
    };
    let received = &buffer[..length];
    Ok(match ask.kind {
        Kind::Echo => {
            let ends = (ask.target.ip(), from);
            ping::is_answer(received, ends, identifier, 1) && received.ends_with(sent)
        }
        _ => received == sent,
    })
}
