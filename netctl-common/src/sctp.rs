//! SCTP's chunks as what TCP's flags say, so that one set of states serves both.

use crate::tcp::header;

/// Chunk types that open and close an association (RFC 9260, section 3.2).
pub mod chunk {
    /// Asks for an association.
    pub const INIT: u8 = 1;
    /// Answers it.
    pub const INIT_ACK: u8 = 2;
    /// Ends it at once.
    pub const ABORT: u8 = 6;
    /// Nothing more to send.
    pub const SHUTDOWN: u8 = 7;
    /// Nor on the other side.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// The end.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}

/// What a packet that begins with a chunk of that type would be in TCP: an INIT is a SYN, an ABORT
/// an RST. The chunks named here are alone in their packet or the first of it (RFC 9260, sections
/// 5.1, 6.10 and 9.2).
#[inline(always)]
pub const fn flags(kind: u8) -> u8 {
    match kind {
        chunk::INIT => header::SYN,
        chunk::INIT_ACK => header::SYN | header::ACK,
        chunk::ABORT => header::RST,
        chunk::SHUTDOWN | chunk::SHUTDOWN_ACK | chunk::SHUTDOWN_COMPLETE => {
            header::FIN | header::ACK
        }
        _ => header::ACK,
    }
}
