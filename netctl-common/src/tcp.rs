//! TCP state from the flags that each direction has shown.
//!
//! Each half of a flow remembers only what its own direction sent; the state is a pure function
//! of both halves. That keeps the per-packet path free of a second lookup.

/// Bits of [`crate::flow::Flow::tcp_seen`].
pub mod seen {
    /// A SYN.
    pub const SYN: u8 = 1 << 0;
    /// A FIN.
    pub const FIN: u8 = 1 << 1;
    /// An RST.
    pub const RST: u8 = 1 << 2;
    /// An ACK without SYN: the handshake's end or data.
    pub const ACK: u8 = 1 << 3;
}

/// TCP header flag bits (RFC 9293, section 3.1).
pub mod header {
    /// No more data.
    pub const FIN: u8 = 0x01;
    /// Synchronise.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Acknowledge.
    pub const ACK: u8 = 0x10;
}

/// What a header's flags add to [`seen`].
#[inline(always)]
pub const fn observe(flags: u8) -> u8 {
    let mut add = 0;
    if flags & header::SYN != 0 {
        add |= seen::SYN;
    } else if flags & header::ACK != 0 {
        add |= seen::ACK;
    }
    if flags & header::FIN != 0 {
        add |= seen::FIN;
    }
    if flags & header::RST != 0 {
        add |= seen::RST;
    }
    add
}

/// State of a connection, as far as its lifetime goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TcpState {
    /// The handshake is not done.
    Opening,
    /// Both directions have acknowledged.
    Established,
    /// A FIN was seen from one or both sides, or an RST.
    Closing,
}

impl TcpState {
    /// From what the first packet's direction and the reply direction have shown.
    pub const fn of(original: u8, reply: u8) -> Self {
        if (original | reply) & (seen::FIN | seen::RST) != 0 {
            Self::Closing
        } else if original & seen::ACK != 0 && reply & (seen::ACK | seen::SYN) != 0 {
            Self::Established
        } else {
            Self::Opening
        }
    }

    /// Whether nothing more is expected of the connection: both sides have sent a FIN, or one
    /// an RST.
    pub const fn is_over(original: u8, reply: u8) -> bool {
        (original & reply) & seen::FIN != 0 || (original | reply) & seen::RST != 0
    }

    /// For tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Established => "established",
            Self::Closing => "closing",
        }
    }
}
