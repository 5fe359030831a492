//! Exact amounts to a server that echoes, and what comes back.

use std::{
    fmt::Display,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Agent, Proto, Request, socket};
use crate::patience::patient;

/// How much to send, and where to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// Not HTTP.
    proto: Proto,
    target: SocketAddr,
    /// UDP: datagrams, one after the other. Others: rounds of `size` bytes on one connection.
    count: u32,
    size: usize,
    timeout_ms: u64,
}

impl Exchange {
    /// So many rounds of so many bytes, each of which may take twenty seconds.
    pub fn of(proto: Proto, target: impl Into<SocketAddr>, count: u32, size: usize) -> Self {
        Self {
            proto,
            target: target.into(),
            count,
            size,
            timeout_ms: 20_000,
        }
    }

    /// Gives a round up after that long.
    #[must_use]
    pub fn within_ms(mut self, timeout_ms: u64) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }
}

/// Exact amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanged {
    pub sent: u32,
    pub received: u32,
    /// Answers whose bytes differ from what was sent.
    pub corrupted: u32,
}

impl Agent {
    /// Sends, and tells what came back.
    #[track_caller]
    pub fn exchange(&self, ask: Exchange) -> Exchanged {
        self.must(&Request::Exchange(ask))
    }

    /// Sends, and everything comes back as it was; `what` tells whose traffic failed.
    #[track_caller]
    pub fn exchange_all(&self, ask: Exchange, what: impl Display) {
        let done = self.exchange(ask);
        let all = Exchanged {
            sent: ask.count,
            received: ask.count,
            corrupted: 0,
        };
        assert_eq!(done, all, "{what}: {ask:?}");
    }
}

/// Nothing came in time; or the way's MTU came in the place of an answer, which connected sockets of
/// IPv6 are told as an error (udpv6_err).
fn is_loss(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EMSGSIZE)
}

pub(super) fn run(ask: &Exchange) -> io::Result<Exchanged> {
    let limit = patient(Duration::from_millis(ask.timeout_ms));
    let mut done = Exchanged::default();
    // Bytes that differ by position and by round, so that swapped or stale data is seen.
    let payload = |round: u32| -> Vec<u8> {
        (0..ask.size)
            .map(|i| (i as u32).wrapping_mul(31).wrapping_add(round) as u8)
            .collect()
    };
    if ask.proto == Proto::Udp {
        let client = socket::udp(&ask.target, None, limit)?;
        client.connect(ask.target)?;
        let mut buffer = vec![0_u8; 65536];
        for round in 0..ask.count {
            let data = payload(round);
            done.sent += 1;
            match client.send(&data).and_then(|_| client.recv(&mut buffer)) {
                Ok(length) => {
                    done.received += 1;
                    done.corrupted += u32::from(buffer[..length] != data);
                }
                Err(error) if is_loss(&error) => {}
                Err(error) => return Err(error),
            }
        }
        return Ok(done);
    }
    let stream = socket::stream(ask.proto, ask.target, None, limit)?;
    for round in 0..ask.count {
        let data = payload(round);
        let mut answer = vec![0_u8; ask.size];
        // Both directions at once: a large round would fill both buffers otherwise.
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (&stream).write_all(&data));
            let read = (&stream).read_exact(&mut answer);
            writer
                .join()
                .map_err(|_panic| io::Error::other("writer panicked"))??;
            read
        })?;
        done.sent += 1;
        done.received += 1;
        done.corrupted += u32::from(answer != data);
    }
    Ok(done)
}
