//! Parts of a packet.

use std::ops::Range;

use super::{frame::ETH, sum::internet_checksum};

const IPV4: usize = ETH + 20;
const IPV6: usize = ETH + 40;
const FRAGMENT_HEADER: u8 = 44;

/// The fragment with those bytes of a whole packet's data (RFC 791, section 2.3; RFC 8200,
/// section 4.5). The packet has neither options nor extension headers; the range starts at a
/// multiple of 8.
#[track_caller]
pub fn fragment(frame: &[u8], id: u16, part: Range<usize>) -> Vec<u8> {
    assert!(part.start.is_multiple_of(8), "{part:?}");
    let header = match frame[ETH] >> 4 {
        4 => IPV4,
        6 => IPV6,
        other => panic!("version {other}"),
    };
    let (header, data) = frame.split_at(header);
    let more = part.end < data.len();
    let (start, part) = (part.start as u16, &data[part]);
    let mut fragment = header.to_vec();
    if header.len() == IPV4 {
        let length = (20 + part.len()) as u16;
        fragment[ETH + 2..ETH + 4].copy_from_slice(&length.to_be_bytes());
        fragment[ETH + 4..ETH + 6].copy_from_slice(&id.to_be_bytes());
        let offset = (start / 8) | (u16::from(more) << 13);
        fragment[ETH + 6..ETH + 8].copy_from_slice(&offset.to_be_bytes());
        fragment[ETH + 10..ETH + 12].fill(0);
        let sum = internet_checksum(&[&fragment[ETH..]]);
        fragment[ETH + 10..ETH + 12].copy_from_slice(&sum.to_be_bytes());
    } else {
        let length = (8 + part.len()) as u16;
        fragment[ETH + 4..ETH + 6].copy_from_slice(&length.to_be_bytes());
        let next = std::mem::replace(&mut fragment[ETH + 6], FRAGMENT_HEADER);
        fragment.extend([next, 0]);
        fragment.extend((start | u16::from(more)).to_be_bytes());
        fragment.extend(u32::from(id).to_be_bytes());
    }
    fragment.extend(part);
    fragment
}
