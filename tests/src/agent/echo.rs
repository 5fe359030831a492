//! Servers: they echo every byte, and answer the one question "whom do you see?".

use std::{
    io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Read, Write},
    net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    thread,
};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};

use super::{protocol::Proto, socket};

/// Asks a server of no HTTP for the address that it sees; any other bytes are echoed.
pub(super) const QUESTION: &[u8] = b"peer?\n";

/// Starts a server on threads of its own; they end with the process.
pub(super) fn serve(proto: Proto, addr: SocketAddr) -> io::Result<()> {
    match proto {
        Proto::Udp => {
            let server = socket::udp_server(addr, true)?;
            socket::roomy(&server);
            thread::spawn(move || serve_udp(&server));
        }
        Proto::Tcp | Proto::Sctp => accept(proto, addr, serve_stream)?,
        Proto::Http => accept(proto, addr, serve_http)?,
    }
    Ok(())
}

/// Answers from the very address that was asked, which a wildcard socket does not do by itself.
fn serve_udp(server: &UdpSocket) -> io::Result<()> {
    match server.local_addr()? {
        SocketAddr::V4(_) => setsockopt(server, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(server, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    let mut buffer = vec![0_u8; 65536];
    loop {
        // An ICMP error to an earlier answer shows up here and concerns nobody any more.
        let Ok((length, peer, asked)) = receive(server, &mut buffer) else {
            continue;
        };
        let text = peer.to_string();
        let data = if &buffer[..length] == QUESTION {
            text.as_bytes()
        } else {
            &buffer[..length]
        };
        let from4;
        let control = match &asked {
            Some(Asked::V4(info)) => {
                from4 = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: info.ipi_addr,
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&from4))
            }
            Some(Asked::V6(info)) => Some(ControlMessage::Ipv6PacketInfo(info)),
            None => None,
        };
        let control: Vec<ControlMessage<'_>> = control.into_iter().collect();
        let to = SockaddrStorage::from(peer);
        let _unsent = sendmsg(
            server.as_raw_fd(),
            &[IoSlice::new(data)],
            &control,
            MsgFlags::empty(),
            Some(&to),
        );
    }
}

/// The address that a datagram was sent to.
enum Asked {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

fn receive(
    server: &UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, Option<Asked>)> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        server.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let peer = message.address.ok_or(io::ErrorKind::InvalidData)?;
    let peer = match (peer.as_sockaddr_in(), peer.as_sockaddr_in6()) {
        (Some(v4), _) => SocketAddr::V4((*v4).into()),
        (None, Some(v6)) => SocketAddr::V6((*v6).into()),
        (None, None) => return Err(io::ErrorKind::InvalidData.into()),
    };
    let asked = message.cmsgs()?.find_map(|one| match one {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Asked::V4(info)),
        ControlMessageOwned::Ipv6PacketInfo(mut info) => {
            // The way back is for the routes to choose, but for an address of one link only.
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            if !address.is_unicast_link_local() {
                info.ipi6_ifindex = 0;
            }
            Some(Asked::V6(info))
        }
        _ => None,
    });
    Ok((message.bytes, peer, asked))
}

fn accept(proto: Proto, addr: SocketAddr, each: fn(TcpStream) -> io::Result<()>) -> io::Result<()> {
    let listener = socket::listener(proto, addr, true)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                socket::no_delay(proto, &stream)?;
                each(stream)
            });
        }
    });
    Ok(())
}

fn serve_stream(mut stream: TcpStream) -> io::Result<()> {
    let peer = stream.peer_addr()?;
    let mut buffer = vec![0_u8; 65536];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        if &buffer[..length] == QUESTION {
            stream.write_all(format!("{peer}\n").as_bytes())?;
        } else {
            stream.write_all(&buffer[..length])?;
        }
    }
}

fn serve_http(mut stream: TcpStream) -> io::Result<()> {
    let peer = stream.peer_addr()?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut head = String::new();
        loop {
            let before = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            if head[before..].trim_end().is_empty() {
                break;
            }
        }
        let last = head.to_ascii_lowercase().contains("connection: close");
        let body = peer.to_string();
        let connection = if last { "close" } else { "keep-alive" };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body}",
            body.len()
        )?;
        if last {
            return Ok(());
        }
    }
}
