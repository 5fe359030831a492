//! Datagrams by the dozen, as QUIC sends them: one call sends many of one size (UDP_SEGMENT), one
//! call receives many that came together (UDP_GRO, udp(7)).

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};

use super::{
    protocol::{Burst, Returned},
    socket,
};
use crate::patience::patient;

/// Starts a server that sends back what it receives, as many datagrams at a time.
pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let server = socket::udp_server(addr, true)?;
    receive_together(&server)?;
    thread::spawn(move || {
        let mut buffer = vec![0_u8; 65536];
        loop {
            // An ICMP error to an earlier answer concerns nobody any more.
            let Ok((length, size, Some(from))) = receive(&server, &mut buffer) else {
                continue;
            };
            let _unsent = send(&server, &buffer[..length], size, Some(&from));
        }
    });
    Ok(())
}

/// Sends, and receives what comes back, one round after the other.
pub(super) fn exchange(ask: &Burst) -> io::Result<Returned> {
    let limit = patient(Duration::from_millis(ask.timeout_ms));
    let client = socket::udp(&ask.target, None, limit)?;
    client.connect(ask.target)?;
    receive_together(&client)?;
    let mut done = Returned::default();
    let mut buffer = vec![0_u8; 65536];
    for round in 0..ask.rounds {
        let data: Vec<u8> = (0..usize::from(ask.size) * ask.together)
            .map(|at| (at as u32 ^ round).wrapping_mul(0x9e37_79b1).to_be_bytes()[0])
            .collect();
        send(&client, &data, ask.size, None)?;
        let mut received = Vec::new();
        while received.len() < data.len() {
            let length = match receive(&client, &mut buffer) {
                Ok((length, _size, _from)) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            received.extend_from_slice(&buffer[..length]);
            done.largest = done.largest.max(length);
        }
        done.sent += data.len();
        done.received += received.len();
        done.wrong_rounds += u32::from(received != data);
    }
    Ok(done)
}

fn receive_together(socket: &UdpSocket) -> io::Result<()> {
    socket::roomy(socket);
    setsockopt(socket, sockopt::UdpGroSegment, &true)?;
    Ok(())
}

fn send(
    socket: &UdpSocket,
    data: &[u8],
    size: u16,
    to: Option<&SockaddrStorage>,
) -> io::Result<()> {
    let segments = [ControlMessage::UdpGsoSegments(&size)];
    // One datagram alone needs none.
    let control = if data.len() > usize::from(size) {
        &segments[..]
    } else {
        &[]
    };
    let flags = MsgFlags::empty();
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(data)],
        control,
        flags,
        to,
    )?;
    Ok(())
}

/// Bytes that came, the size of the datagrams among them, and who sent them.
fn receive(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> io::Result<(usize, u16, Option<SockaddrStorage>)> {
    let mut control = nix::cmsg_space!(libc::c_int);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let together = message.cmsgs()?.find_map(|one| match one {
        ControlMessageOwned::UdpGroSegments(size) => u16::try_from(size).ok(),
        _ => None,
    });
    // A datagram that came alone has no such message.
    let size = together.unwrap_or(u16::MAX);
    Ok((message.bytes, size, message.address))
}
