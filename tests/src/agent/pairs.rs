//! A resolver's way of asking: two datagrams at once from a socket of their own, for A and AAAA.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{Agent, Request, socket};
use crate::patience::patient;

/// Whom to ask, and how often: each time from a new socket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pairs {
    pub target: SocketAddr,
    pub count: u32,
    pub timeout_ms: u64,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Times that both datagrams were answered.
    pub answered: u32,
    pub slowest_ms: u64,
}

impl Agent {
    /// Asks an echo server.
    #[track_caller]
    pub fn pairs(&self, ask: Pairs) -> Paired {
        self.must(&Request::Pairs(ask))
    }
}

pub(super) fn ask(ask: &Pairs) -> io::Result<Paired> {
    let limit = patient(Duration::from_millis(ask.timeout_ms));
    let mut paired = Paired::default();
    for round in 0..ask.count {
        let client = socket::udp(&ask.target, None, limit)?;
        client.connect(ask.target)?;
        let questions = ["A", "AAAA"].map(|kind| format!("{kind} {round}"));
        let start = Instant::now();
        for question in &questions {
            client.send(question.as_bytes())?;
        }
        if answers(&client, &questions)? {
            paired.answered += 1;
        }
        paired.slowest_ms = paired.slowest_ms.max(start.elapsed().as_millis() as u64);
    }
    Ok(paired)
}

/// Whether both came back, in whatever order, each once.
fn answers(client: &UdpSocket, questions: &[String; 2]) -> io::Result<bool> {
    let mut missing: Vec<&String> = questions.iter().collect();
    let mut buffer = [0_u8; 64];
    while !missing.is_empty() {
        let length = match client.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        missing.retain(|question| question.as_bytes() != &buffer[..length]);
    }
    Ok(true)
}
