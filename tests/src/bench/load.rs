//! The load: one connection at a time on plain blocking system calls, so that what is measured
//! is the kernel's way between two sockets and little else.
//!
//! Both ends are processes of their own, pinned to CPUs. On one CPU for both, a rate is the
//! inverse of the CPU time that a round trip takes, softirqs included: steady on a noisy machine.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::{Pid, alarm},
};

/// Kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Request and response of one byte on one TCP connection.
    Rr,
    /// Connect, request, response, close.
    Crr,
    /// Bytes of one TCP connection.
    Stream,
    /// UDP datagrams of 64 bytes, answered once for every [`WINDOW`].
    Udp,
}

impl Load {
    pub const ALL: [Self; 4] = [Self::Rr, Self::Crr, Self::Stream, Self::Udp];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "RR",
            Self::Crr => "CRR",
            Self::Stream => "stream",
            Self::Udp => "UDP 64 B",
        }
    }

    pub const fn unit(self) -> &'static str {
        match self {
            Self::Rr | Self::Crr => "round trips/s",
            Self::Stream => "GB/s",
            Self::Udp => "packets/s",
        }
    }

    /// What one counted operation is in that unit.
    pub const fn scale(self) -> f64 {
        match self {
            Self::Stream => 1e-9,
            Self::Rr | Self::Crr | Self::Udp => 1.0,
        }
    }
}

/// Datagrams under way at a time: few enough for every queue, so that none is lost.
const WINDOW: usize = 64;
const DATAGRAM: usize = 64;
const CHUNK: usize = 128 * 1024;
/// A peer that does not answer for so many seconds is broken.
const PATIENCE: u64 = 3;

/// Binds this process to a CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    Ok(())
}

/// Serves until it is killed; `ready` is called once it listens.
pub fn serve(load: Load, addr: SocketAddr, ready: impl FnOnce()) -> io::Result<()> {
    if load == Load::Udp {
        let socket = UdpSocket::bind(addr)?;
        ready();
        return serve_udp(&socket);
    }
    let listener = TcpListener::bind(addr)?;
    ready();
    let mut chunk = vec![0; CHUNK];
    loop {
        let (mut stream, _) = listener.accept()?;
        if load == Load::Rr {
            stream.set_nodelay(true)?;
        }
        // A client that went away in the middle is told of by the client.
        let _ended = match load {
            Load::Crr => answer_once(&mut stream),
            Load::Stream => drain(&mut stream, &mut chunk),
            Load::Rr | Load::Udp => echo(&mut stream),
        };
    }
}

fn echo(stream: &mut TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        stream.write_all(&byte)?;
    }
    Ok(())
}

/// The server closes first and keeps what remains of the connection: the client's ports are
/// free for the next one.
fn answer_once(stream: &mut TcpStream) -> io::Result<()> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    stream.write_all(&byte)
}

fn drain(stream: &mut TcpStream, chunk: &mut [u8]) -> io::Result<()> {
    while stream.read(chunk)? > 0 {}
    Ok(())
}

/// Answers when all datagrams of a window are there; a new window forgets an incomplete one.
fn serve_udp(socket: &UdpSocket) -> io::Result<()> {
    let mut batch = Batch::new();
    let (mut window, mut count) = (0, 0);
    loop {
        let received = batch.receive(socket)?;
        for index in 0..received {
            let number = batch.number(index);
            if number != window {
                (window, count) = (number, 0);
            }
            count += 1;
            if count == WINDOW {
                let peer = batch.peer(index);
                socket.send_to(&window.to_ne_bytes(), peer)?;
            }
        }
    }
}

/// Drives a server for that long; operations done and the time they took. A way that loses
/// packets ends this process by SIGALRM: timeouts on the sockets would cost system calls.
pub fn drive(load: Load, target: SocketAddr, time: Duration) -> io::Result<(u64, Duration)> {
    alarm::set((time.as_secs() + PATIENCE) as u32);
    match load {
        Load::Rr => {
            let mut stream = TcpStream::connect(target)?;
            stream.set_nodelay(true)?;
            repeat(time, || round_trip(&mut stream))
        }
        Load::Crr => repeat(time, || {
            let mut stream = TcpStream::connect(target)?;
            round_trip(&mut stream)?;
            // The end of the server's half.
            match stream.read(&mut [0])? {
                0 => Ok(1),
                _ => Err(io::Error::other("the server goes on talking")),
            }
        }),
        Load::Stream => stream(target, time),
        Load::Udp => {
            let bind: SocketAddr = if target.is_ipv4() {
                ([0, 0, 0, 0], 0).into()
            } else {
                ([0_u16; 8], 0).into()
            };
            let socket = UdpSocket::bind(bind)?;
            socket.connect(target)?;
            let mut batch = Batch::new();
            let mut number = 0;
            repeat(time, || {
                number += 1;
                batch.send(&socket, number)?;
                let mut answer = [0; 4];
                socket.recv(&mut answer)?;
                Ok(WINDOW as u64)
            })
        }
    }
}

fn round_trip(stream: &mut TcpStream) -> io::Result<u64> {
    let mut byte = [b'?'];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)?;
    Ok(1)
}

fn repeat(
    time: Duration,
    mut operation: impl FnMut() -> io::Result<u64>,
) -> io::Result<(u64, Duration)> {
    // The first ones fill caches and, behind a NAT, its tables.
    for _ in 0..20 {
        operation()?;
    }
    let start = Instant::now();
    let mut done = 0;
    loop {
        done += operation()?;
        let took = start.elapsed();
        if took >= time {
            return Ok((done, took));
        }
    }
}

fn stream(target: SocketAddr, time: Duration) -> io::Result<(u64, Duration)> {
    let mut stream = TcpStream::connect(target)?;
    let chunk = vec![b'x'; CHUNK];
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        stream.write_all(&chunk)?;
        sent += CHUNK as u64;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // Done when the server has it all, and closes.
    match stream.read(&mut [0])? {
        0 => Ok((sent, start.elapsed())),
        _ => Err(io::Error::other("the server goes on talking")),
    }
}

/// A window of datagrams by one system call.
struct Batch {
    datagrams: Vec<[u8; DATAGRAM]>,
    peers: Vec<libc::sockaddr_in>,
}

impl Batch {
    fn new() -> Self {
        // SAFETY: all zeroes is a valid sockaddr_in.
        let nobody: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        Self {
            datagrams: vec![[0; DATAGRAM]; WINDOW],
            peers: vec![nobody; WINDOW],
        }
    }

    fn number(&self, index: usize) -> u32 {
        let bytes = &self.datagrams[index];
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn peer(&self, index: usize) -> SocketAddr {
        let peer = &self.peers[index];
        let addr = u32::from_be(peer.sin_addr.s_addr);
        (std::net::Ipv4Addr::from(addr), u16::from_be(peer.sin_port)).into()
    }

    /// Sends the whole window under that number.
    fn send(&mut self, socket: &UdpSocket, number: u32) -> io::Result<()> {
        for datagram in &mut self.datagrams {
            datagram[..4].copy_from_slice(&number.to_ne_bytes());
        }
        let mut sent = 0;
        while sent < WINDOW {
            sent += self.call(sent, false, |headers, length| {
                // SAFETY: the headers point into this batch, which outlives the call.
                unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, length, 0) }
            })?;
        }
        Ok(())
    }

    /// Waits for datagrams; how many came.
    fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.call(0, true, |headers, length| {
            let none = std::ptr::null_mut();
            // SAFETY: as above.
            unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers,
                    length,
                    libc::MSG_WAITFORONE,
                    none,
                )
            }
        })
    }

    fn call(
        &mut self,
        from: usize,
        named: bool,
        system_call: impl FnOnce(*mut libc::mmsghdr, u32) -> i32,
    ) -> io::Result<usize> {
        let mut parts: Vec<libc::iovec> = self.datagrams[from..]
            .iter_mut()
            .map(|datagram| libc::iovec {
                iov_base: datagram.as_mut_ptr().cast(),
                iov_len: DATAGRAM,
            })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = parts
            .iter_mut()
            .zip(&mut self.peers[from..])
            .map(|(part, peer)| {
                // SAFETY: all zeroes is a valid mmsghdr.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
                if named {
                    header.msg_hdr.msg_name = std::ptr::from_mut(peer).cast();
                    header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
                }
                header
            })
            .collect();
        let done = system_call(headers.as_mut_ptr(), headers.len() as u32);
        usize::try_from(done).map_err(|_negative| io::Error::last_os_error())
    }
}
