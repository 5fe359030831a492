//! A flood of one frame, as a network card would receive it.
//!
//! A sender with a socket costs several times what refusing a packet does, and on veth its packets
//! come as the stack's own, which an XDP program in the driver never sees on a network card. So
//! the frames are XDP's (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18): the receiving end polls them
//! in batches of 64 and makes packets of them only if nobody has dropped them before. It does so in
//! a softirq that runs in the sender's place, on the one CPU that the sender is pinned to: no frame
//! waits, none is lost, and the sender's time on the CPU is all that sending and receiving take.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use nix::net::if_::if_nametoindex;

use super::{flood::datagram, task_clock::TaskClock};
use crate::{
    lab::{HOST_MAC, LAN, LAN_MAC},
    packet::sum::internet_checksum,
    prog::Frames,
};

/// Without its check sum, the shortest of Ethernet.
const LENGTH: usize = 60;
const ETHERNET: usize = 14;
const IPV4: usize = 20;
/// Frames for each system call, of which some set-up is part.
const AT_ONCE: u32 = 1 << 14;
/// Half of veth's ring (VETH_RING_SIZE).
const FEW: u32 = 128;
/// Nobody else's in a lab.
pub const SOURCE_PORT: u16 = 1024;

/// Sends for that long from the lab's neighbour by `interface`, an end of the lab's uplink; how
/// many frames, and the CPU time it took.
pub fn send(interface: &str, target: SocketAddr, time: Duration) -> io::Result<(u64, Duration)> {
    let frames = Frames::new(if_nametoindex(interface)?, frame(target)?)?;
    let (start, clock) = (Instant::now(), TaskClock::start()?);
    let mut sent = 0;
    loop {
        frames
            .send(AT_ONCE)
            .map_err(|error| cannot(interface, &error))?;
        sent += u64::from(AT_ONCE);
        if start.elapsed() >= time {
            return Ok((sent, clock.elapsed()?));
        }
    }
}

/// Sends as many as the receiving end has room for while it does not get to them: it may be called
/// later, on a busy machine.
pub fn send_few(interface: &str, target: SocketAddr) -> io::Result<u64> {
    let frames = Frames::new(if_nametoindex(interface)?, frame(target)?)?;
    frames
        .send(FEW)
        .map_err(|error| cannot(interface, &error))?;
    Ok(u64::from(FEW))
}

fn cannot(interface: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!("XDP frames by {interface} (Linux 5.18): {error}"))
}

/// A datagram of UDP from the neighbour to the host, padded.
fn frame(target: SocketAddr) -> io::Result<Vec<u8>> {
    let IpAddr::V4(addr) = target.ip() else {
        return Err(io::Error::other("IPv4 only"));
    };
    let mut frame = Vec::with_capacity(LENGTH);
    frame.extend(HOST_MAC);
    frame.extend(LAN_MAC);
    frame.extend([0x08, 0x00]);
    frame.extend(datagram((LAN, SOURCE_PORT), (addr, target.port()), 0));
    let header = ETHERNET..ETHERNET + IPV4;
    let sum = internet_checksum(&[&frame[header]]);
    frame[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum.to_be_bytes());
    frame.resize(LENGTH, 0);
    Ok(frame)
}
