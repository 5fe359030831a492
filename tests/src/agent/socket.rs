//! Sockets with the few options that tests need and std does not offer before connect().

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use nix::{
    libc,
    sys::{
        socket::{
            Backlog, MsgFlags, SockaddrStorage, bind, connect, listen, recvfrom, sendto,
            setsockopt, sockopt,
        },
        time::TimeVal,
    },
};

use super::protocol::Proto;

fn new(proto: Proto, target: &SocketAddr, source: Option<SocketAddr>) -> io::Result<OwnedFd> {
    let family = if target.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let (kind, protocol) = match proto {
        Proto::Tcp | Proto::Http => (libc::SOCK_STREAM, 0),
        Proto::Sctp => (libc::SOCK_STREAM, libc::IPPROTO_SCTP),
        Proto::Udp => (libc::SOCK_DGRAM, 0),
    };
    let fd = open(family, kind, protocol)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if let Some(source) = source {
        bind(fd.as_raw_fd(), &SockaddrStorage::from(source))?;
    }
    Ok(fd)
}

/// A TCP socket that is bound and nothing else.
pub(super) fn bound_tcp(addr: SocketAddr) -> io::Result<OwnedFd> {
    new(Proto::Tcp, &addr, Some(addr))
}

/// A socket on an address; one on an IPv6 address takes no IPv4 if `only_v6`.
fn server(proto: Proto, addr: SocketAddr, only_v6: bool) -> io::Result<OwnedFd> {
    let fd = new(proto, &addr, None)?;
    if addr.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &only_v6)?;
    }
    if proto == Proto::Udp {
        // Two servers on one port would share its datagrams.
        setsockopt(&fd, sockopt::ReuseAddr, &false)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(addr))?;
    Ok(fd)
}

/// A server of TCP or SCTP.
pub(super) fn listener(proto: Proto, addr: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let fd = server(proto, addr, only_v6)?;
    listen(&fd, Backlog::new(128)?)?;
    Ok(fd.into())
}

pub(super) fn udp_server(addr: SocketAddr, only_v6: bool) -> io::Result<UdpSocket> {
    server(Proto::Udp, addr, only_v6).map(UdpSocket::from)
}

/// connect() with a bound source and a deadline (SO_SNDTIMEO counts for connect() on Linux).
pub(super) fn stream(
    proto: Proto,
    target: SocketAddr,
    source: Option<SocketAddr>,
    limit: Duration,
) -> io::Result<TcpStream> {
    let fd = new(proto, &target, source)?;
    setsockopt(&fd, sockopt::SendTimeout, &time_val(limit))?;
    if let Err(errno) = connect(fd.as_raw_fd(), &SockaddrStorage::from(target)) {
        return Err(match errno {
            nix::errno::Errno::EINPROGRESS => io::ErrorKind::TimedOut.into(),
            other => other.into(),
        });
    }
    let stream = TcpStream::from(fd);
    no_delay(proto, &stream)?;
    stream.set_read_timeout(Some(limit))?;
    Ok(stream)
}

/// Has small writes leave at once.
pub(super) fn no_delay(proto: Proto, stream: &TcpStream) -> io::Result<()> {
    /// SCTP_NODELAY (RFC 6458, section 8.1.5; linux/sctp.h).
    const SCTP_NODELAY: i32 = 3;
    match proto {
        Proto::Sctp => set(stream, libc::IPPROTO_SCTP, SCTP_NODELAY, &1_i32),
        Proto::Tcp | Proto::Http | Proto::Udp => stream.set_nodelay(true),
    }
}

/// Has close() send an RST (SO_LINGER of 0, socket(7)).
pub(super) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(stream, sockopt::Linger, &linger)?;
    Ok(())
}

/// A UDP socket, bound to `source` or left to the kernel.
pub(super) fn udp(
    target: &SocketAddr,
    source: Option<SocketAddr>,
    limit: Duration,
) -> io::Result<UdpSocket> {
    let fd = new(Proto::Udp, target, source)?;
    let socket = UdpSocket::from(fd);
    socket.set_read_timeout(Some(limit))?;
    Ok(socket)
}

/// Receive room for bursts while the reader waits for a CPU (as root, beyond rmem_max).
pub(super) fn roomy(socket: &impl AsRawFd) {
    let bytes: libc::c_int = 8 << 20;
    // SAFETY: the option's value is the c_int on the stack; a failure only leaves the default.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
}

/// setsockopt() of an option that nix has not.
pub(super) fn set<T>(socket: &impl AsRawFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the value lives for the call and has the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A raw ICMP socket, or a packet socket: kinds that nix types only in part.
pub(super) fn raw(domain: i32, protocol: i32, limit: Duration) -> io::Result<OwnedFd> {
    let fd = open(domain, libc::SOCK_RAW, protocol)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &time_val(limit))?;
    Ok(fd)
}

/// socket() with numbers that nix has no names for.
fn open(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; the descriptor is owned from here on.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends by the route to an address.
pub(super) fn send_to(fd: &impl AsRawFd, to: IpAddr, bytes: &[u8]) -> io::Result<()> {
    let to = SockaddrStorage::from(SocketAddr::new(to, 0));
    sendto(fd.as_raw_fd(), bytes, &to, MsgFlags::empty())?;
    Ok(())
}

/// Length of what came in, and the IPv6 address that it came from.
pub(super) fn receive_from(
    fd: &impl AsRawFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<Ipv6Addr>)> {
    let (length, from) = recvfrom::<SockaddrStorage>(fd.as_raw_fd(), buffer)?;
    let from = from.and_then(|from| from.as_sockaddr_in6().map(|from| from.ip()));
    Ok((length, from))
}

fn time_val(limit: Duration) -> TimeVal {
    TimeVal::new(limit.as_secs() as i64, i64::from(limit.subsec_micros()))
}

/// The symbolic name of an error where it has one: what tests compare.
pub(super) fn errno_name(error: &io::Error) -> String {
    match (error.raw_os_error(), error.kind()) {
        (_, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => "ETIMEDOUT".to_owned(),
        (Some(code), _) => format!("{:?}", nix::errno::Errno::from_raw(code)),
        (None, kind) => format!("{kind:?}: {error}"),
    }
}
