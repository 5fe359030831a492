//! rtnetlink, one request at a time: a small blocking client.
//!
//! Blocking since a pass is a plain sequence of steps on a thread of its own, and since a socket
//! belongs for ever to the network namespace that its thread was in when it was made: that is
//! how sandboxes are reached. Messages are built and parsed by netlink-packet-route.

pub mod address;
pub mod diag;
pub mod filter;
pub mod link;
pub mod neighbour;
pub mod netfilter;
pub mod nsid;
pub mod queued;
mod raw;
pub mod route;

use std::{io, net::IpAddr};

use rtnetlink::{
    packet_core::{
        NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
        NetlinkPayload,
    },
    packet_route::{AddressFamily, RouteNetlinkMessage},
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};

/// Dumps are cut into pages of at most this size by the kernel.
const BUFFER: usize = 32 * 1024;
/// How often a listing that changed under our eyes is asked for again.
const DUMP_TRIES: usize = 8;

/// A socket in the network namespace of the thread that opened it.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

enum Page {
    /// More pages follow.
    More,
    Done,
    /// The listing changed while it was read and may lack entries.
    Interrupted,
}

impl Netlink {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Sends a request and waits for its acknowledgement.
    pub fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.exchange(message, NLM_F_ACK | flags).map(|_| ())
    }

    /// Asks for one object; `None` when the kernel says that there is none.
    pub fn get(&mut self, message: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
        match self.exchange(message, NLM_F_ACK) {
            Ok(replies) => Ok(replies.into_iter().next()),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A complete listing.
    pub fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..DUMP_TRIES {
            match self.exchange(message.clone(), NLM_F_DUMP) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the kernel's listing kept changing while it was read",
        ))
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let mut replies = Vec::new();
        let mut interrupted = false;
        loop {
            let length = self.socket.recv(&mut &mut self.buffer[..], 0)?;
            match self.read_page(length, &mut replies)? {
                Page::More => {}
                Page::Interrupted => interrupted = true,
                Page::Done if interrupted => return Err(io::ErrorKind::Interrupted.into()),
                Page::Done => return Ok(replies),
            }
        }
    }

    fn read_page(&self, length: usize, replies: &mut Vec<RouteNetlinkMessage>) -> io::Result<Page> {
        let mut interrupted = false;
        let mut rest = &self.buffer[..length.min(self.buffer.len())];
        while rest.len() >= HEADER {
            let size = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            if size < HEADER || size > rest.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let (bytes, after) = rest.split_at(size.next_multiple_of(4).min(rest.len()));
            rest = after;
            let message = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
                Ok(message) => message,
                // An object of a kind that the parser does not understand is none of ours: a
                // missing one of ours would fail to be created again, loudly.
                Err(error) => {
                    tracing::debug!(%error, "skipped a netlink message");
                    continue;
                }
            };
            if message.header.sequence_number != self.sequence {
                continue;
            }
            interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            match message.payload {
                NetlinkPayload::InnerMessage(reply) => replies.push(reply),
                NetlinkPayload::Error(error) => match error.raw_code() {
                    0 => return Ok(Page::Done),
                    code => return Err(io::Error::from_raw_os_error(code.abs())),
                },
                NetlinkPayload::Done(_) if interrupted => {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                NetlinkPayload::Done(_) => return Ok(Page::Done),
                _ => {}
            }
        }
        Ok(if interrupted {
            Page::Interrupted
        } else {
            Page::More
        })
    }
}

const HEADER: usize = 16;

/// The family that a message about an address speaks of.
fn family_of(addr: IpAddr) -> AddressFamily {
    match addr {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// Whether an error means that the object (or what it was on) is not there any more.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENODEV | libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL | libc::ENXIO)
    )
}

/// A deletion is done when its object is not there.
pub fn absent_is_done(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_absent(&error) => Ok(()),
        result => result,
    }
}
