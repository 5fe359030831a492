//! Packets as one line of text: what a test writes down and what it gets back.
//!
//! ```text
//! web>gw tcp 172.18.0.2:40000>203.0.113.9:80 flags=S ttl=64
//! web>all arp request 172.18.0.2/web>172.18.0.1/none
//! lan>up icmp 203.0.113.9>198.51.100.1 type=8 ident=7 seq=1 len=32
//! web>gw sctp 172.18.0.2:4000>203.0.113.9:9999 chunk=1 tag=0
//! web>gw ip:47 172.18.0.2>203.0.113.9 len=12
//! web>gw udp [fd00::2]:4000>[2001:db8::9]:53 ttl=64
//! web>gw icmp6 fd00::2>2001:db8::9 type=128 ident=7 seq=1
//! web>all nd solicit fd00::2>ff02::1:ff00:1 target=fd00::1 ttl=255 option=1/web
//! web>all eth:88cc len=40
//! ```
//!
//! Names in braces are addresses of the story's family: see [`Names::line`].
//!
//! [`build`] makes bytes of such a line, [`show`] makes the line of bytes and says
//! `BAD-IP-SUM`, `BAD-TCP-SUM`, … where a checksum is wrong. Its arithmetic is its own: a fault
//! in netctl-common would otherwise hide here too.

mod annotate;
mod build;
mod fragment;
pub mod frame;
pub mod hex;
mod ip;
mod names;
mod show;
pub mod sum;
mod transport;

pub use annotate::annotate;
pub use build::{build, quoting};
pub use fragment::fragment;
pub use names::{Family, Names};
pub use show::show;

#[cfg(test)]
mod round_trip;

/// Compares a packet with its expected line; the first word of `expected` may be `*>*` where the
/// kernel fills in the MACs later.
#[track_caller]
pub fn assert_packet(names: &Names, bytes: &[u8], expected: &str) {
    let expected = names.line(expected);
    let shown = show(names, bytes);
    let shown = if expected.starts_with("*>*") {
        shown
            .split_once(' ')
            .map_or_else(|| shown.clone(), |(_, rest)| format!("*>* {rest}"))
    } else {
        shown
    };
    assert!(
        shown == expected,
        "packet differs\n  expected: {expected}\n  got:      {shown}\n  bytes:    {}",
        hex::encode(bytes)
    );
}
