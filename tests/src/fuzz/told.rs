//! A packet that was dropped, and whose sender was told so by an ICMP error in its place.

use super::{
    judge::{Case, Ruling, require},
    scene::Facts,
};
use crate::{
    packet::frame::{ETH, Ip},
    prog::Verdict,
};

/// Whether what came out is an error that quotes what went in, sent back to where it came from.
pub(super) fn is_told(case: &Case<'_>) -> bool {
    let (Ok(before), Ok(after)) = (Ip::of_frame(case.input), Ip::of_frame(case.output)) else {
        return false;
    };
    let quoted = case.output.get(after.l4 + 8..after.end);
    // With its header: a sender's own error, on its way, may hold a few bytes of itself.
    let header = if before.src.is_ipv4() { 20 } else { 40 };
    case.verdict == Verdict::Redirect
        && after.is_error(case.output)
        && after.dst == before.src
        && quoted.is_some_and(|q| q.len() >= header && case.input[ETH..].starts_with(q))
}

/// The rules of RFC 1122 (3.2.2), RFC 1812 (4.3.2) and RFC 4443 (2.4).
pub(super) fn judge(facts: &Facts, case: &Case<'_>) -> Ruling {
    let (Ok(before), Ok(after)) = (Ip::of_frame(case.input), Ip::of_frame(case.output)) else {
        return Err("what cannot be read is not answered");
    };
    let right = |sum: Option<u16>| sum.is_none_or(|sum| sum == 0xffff);
    require(
        right(after.header_sum(case.output)) && right(after.transport_sum(case.output)),
        "an error's checksums are right",
    )?;
    require(
        case.output[..6] == case.input[6..12] && case.output[6..12] == case.input[..6],
        "an error goes back to who sent the packet",
    )?;
    require(
        facts.is_local(after.src),
        "an error comes from an address of the host",
    )?;
    require(
        !before.is_error(case.input) && before.fragment.0 == 0,
        "no error about an error, or about a later part of a datagram",
    )?;
    require(
        case.input[0] & 1 == 0 && !before.dst.is_multicast(),
        "no error about what many received",
    )?;
    let longest = if after.src.is_ipv4() { 576 } else { 1280 };
    require(
        after.end == case.output.len() && after.end - ETH <= longest,
        "an error is as long as it says, and fits everywhere",
    )
}
