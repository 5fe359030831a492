//! What has to hold of every packet, whatever it was. Written from the design and the RFCs, not
//! from the programs, and with arithmetic of its own.

use std::net::IpAddr;

use netctl_common::network::flags::INTERNAL;

use super::{
    scene::{Facts, Member, Seed},
    told,
};
use crate::{
    packet::frame::{ETH, Ip, proto},
    prog::{Program, Verdict},
};

/// A packet before and after.
pub(super) struct Case<'a> {
    pub(super) seed: &'a Seed,
    pub(super) input: &'a [u8],
    pub(super) verdict: Verdict,
    pub(super) output: &'a [u8],
}

/// Why a packet should not have been treated like that.
pub(super) type Ruling = Result<(), &'static str>;

pub(super) fn require(holds: bool, rule: &'static str) -> Ruling {
    if holds { Ok(()) } else { Err(rule) }
}

/// Judges one packet.
pub(super) fn judge(facts: &Facts, case: &Case<'_>) -> Ruling {
    match (case.verdict, case.seed.program) {
        (Verdict::Drop, _) => Ok(()),
        (Verdict::NotOurs, Program::FromContainer) => {
            Err("a container's packet is never left to whoever comes next")
        }
        (Verdict::NotOurs, program) => {
            require(case.input == case.output, "what is not ours is not changed")?;
            if program == Program::FromUplink {
                left_to_the_stack(facts, case)?;
            }
            Ok(())
        }
        (Verdict::Redirect, _) if told::is_told(case) => told::judge(facts, case),
        (Verdict::Redirect, _) => sent_on(facts, case),
        (Verdict::Other(_), _) => Err("a verdict that no hook gives"),
    }
}

/// Nothing for or from a container's address goes past an uplink's program.
fn left_to_the_stack(facts: &Facts, case: &Case<'_>) -> Ruling {
    let Ok(ip) = Ip::of_frame(case.input) else {
        return Ok(());
    };
    require(
        !(facts.is_inside(ip.src) || facts.is_inside(ip.dst)),
        "a packet from outside with a container's address is not left to the stack",
    )
}

fn sent_on(facts: &Facts, case: &Case<'_>) -> Ruling {
    if is_advertised(case) {
        return advertised(facts, case);
    }
    require(
        case.input.len() == case.output.len(),
        "a packet that is sent on keeps its length",
    )?;
    if case.input[12..14] == [0x08, 0x06] {
        return answered(facts, case);
    }
    let (Ok(before), Ok(after)) = (Ip::of_frame(case.input), Ip::of_frame(case.output)) else {
        return Err("what cannot be read, or lies about its length, is not sent on");
    };
    unchanged_but_for_translation(case, &before, &after)?;
    sums_in_step(case, &before, &after)?;
    match case.seed.program {
        Program::FromContainer => by_container(facts, case, &before, &after),
        Program::FromUplink => by_uplink(facts, case, &before, &after),
        Program::FromHost => by_host(facts, case, &before, &after),
    }
}

/// An ARP request became its answer (RFC 826), for somebody of the asker's own network who is not
/// the asker.
fn answered(facts: &Facts, case: &Case<'_>) -> Ruling {
    let (Some(ask), Some(answer)) = (
        case.input.get(ETH..ETH + 28),
        case.output.get(ETH..ETH + 28),
    ) else {
        return Err("an ARP packet that is cut short is not answered");
    };
    let asker = sender(facts, case)?;
    let target = IpAddr::from([ask[24], ask[25], ask[26], ask[27]]);
    let owner = if facts.is_local(target) {
        facts
            .nets
            .iter()
            .find(|net| net.id == asker.net.id)
            .map(|net| net.mac)
    } else {
        let mut members = facts.members.iter();
        members
            .find(|member| member.has(target) && member.net.id == asker.net.id)
            .map(|member| member.mac)
    };
    let owner = owner.ok_or("only addresses of the asker's network are answered for")?;
    require(ask[6..8] == [0, 1], "only ARP requests are answered")?;
    require(!asker.has(target), "nobody is told who has his own address")?;
    require(
        ask[8..14] == asker.mac && case.input[6..12] == asker.mac,
        "a request in another's name is not answered",
    )?;
    require(
        answer[..6] == ask[..6] && answer[6..8] == [0, 2],
        "an answer has the request's form",
    )?;
    require(
        answer[8..14] == owner && answer[14..18] == ask[24..28] && answer[18..28] == ask[8..18],
        "an answer says who has the address, to who asked",
    )?;
    require(
        case.output[..6] == asker.mac && case.output[6..12] == owner,
        "an answer goes to who asked",
    )
}

/// A neighbour solicitation that became an advertisement.
fn is_advertised(case: &Case<'_>) -> bool {
    let kind = |frame: &[u8]| {
        let ip = Ip::of_frame(frame).ok()?;
        (ip.src.is_ipv6() && ip.is_icmp() && ip.has_transport()).then(|| frame[ip.l4])
    };
    case.seed.program == Program::FromContainer
        && kind(case.input) == Some(135)
        && kind(case.output) == Some(136)
}

/// Neighbour discovery (RFC 4861), as [`answered`]: one option, which says who has the address.
fn advertised(facts: &Facts, case: &Case<'_>) -> Ruling {
    let (Ok(ask), Ok(answer)) = (Ip::of_frame(case.input), Ip::of_frame(case.output)) else {
        return Err("what cannot be read is not answered");
    };
    let own = sender(facts, case)?;
    let fits = answer.end == case.output.len() && answer.end == answer.l4 + 32;
    require(
        fits,
        "an advertisement has one option and nothing behind it",
    )?;
    require(
        answer.transport_sum(case.output) == Some(0xffff) && answer.ttl == 255,
        "an advertisement is one that hosts accept",
    )?;
    let target = case.input.get(ask.l4 + 8..ask.l4 + 24);
    let said = &case.output[answer.l4 + 8..answer.l4 + 24];
    require(
        target == Some(said),
        "an advertisement is about what was asked",
    )?;
    let mut octets = [0; 16];
    octets.copy_from_slice(said);
    let target = IpAddr::from(octets);
    require(!own.has(target), "nobody is told who has his own address")?;
    let mut members = facts.members.iter();
    let member = members.find(|member| member.has(target) && member.net.id == own.net.id);
    let mac = member.map_or(own.net.mac, |member| member.mac);
    require(
        member.is_some() || facts.is_local(target),
        "only addresses of the asker's network are answered for",
    )?;
    require(
        case.output[answer.l4 + 26..answer.end] == mac && case.output[6..12] == mac,
        "an advertisement says who has the address",
    )?;
    require(
        case.output[..6] == own.mac && (own.has(answer.dst) || answer.dst.is_multicast()),
        "an advertisement goes to who asked",
    )
}

/// Every byte that a translation has no business with is as it was.
fn unchanged_but_for_translation(case: &Case<'_>, before: &Ip, after: &Ip) -> Ruling {
    require(
        (before.proto, before.l4, before.end, before.fragment)
            == (after.proto, after.l4, after.end, after.fragment),
        "a packet keeps its protocol, lengths and place in its datagram",
    )?;
    let error = before.is_error(case.input);
    let changes = case
        .input
        .iter()
        .zip(case.output)
        .enumerate()
        .filter(|(_, (old, new))| old != new);
    for (at, _) in changes {
        let fine = at < 12
            || is_address_ttl_or_sum(before, at)
            || (before.has_transport() && is_port_or_sum(case.input, before, at))
            // What an error quotes is translated back.
            || (error && (before.l4 + 8..before.end).contains(&at));
        require(fine, "only addresses, ports, TTL and checksums are changed")?;
    }
    Ok(())
}

fn is_address_ttl_or_sum(ip: &Ip, at: usize) -> bool {
    let at = at.wrapping_sub(ip.start);
    match ip.src {
        IpAddr::V4(_) => matches!(at, 8 | 10 | 11 | 12..20),
        IpAddr::V6(_) => matches!(at, 7..40),
    }
}

fn is_port_or_sum(frame: &[u8], ip: &Ip, at: usize) -> bool {
    if ip
        .checksum_at()
        .is_some_and(|sum| at == sum || at == sum + 1)
    {
        return true;
    }
    let at = at.wrapping_sub(ip.l4);
    match ip.proto {
        proto::TCP | proto::UDP => at < 4,
        _ if ip.is_echo(frame) => matches!(at, 4 | 5),
        // SCTP's ports are under its CRC.
        _ => false,
    }
}

/// Checksums that were right are right, and a wrong one is not made right.
fn sums_in_step(case: &Case<'_>, before: &Ip, after: &Ip) -> Ruling {
    require(
        before.header_sum(case.input) == after.header_sum(case.output),
        "the IPv4 header's checksum is kept in step",
    )?;
    require(
        before.transport_sum(case.input) == after.transport_sum(case.output),
        "the transport's checksum is kept in step",
    )
}

fn sender<'f>(facts: &'f Facts, case: &Case<'_>) -> Result<&'f Member, &'static str> {
    let mut members = facts.members.iter();
    members
        .find(|member| member.id == case.seed.endpoint)
        .ok_or("only containers send by from_container")
}

/// From a container: to a container, to the host, or out.
fn by_container(facts: &Facts, case: &Case<'_>, before: &Ip, after: &Ip) -> Ruling {
    let own = sender(facts, case)?;
    require(
        (own.has(before.src) || before.src.is_unspecified()) && case.input[6..12] == own.mac,
        "a container sends in its own name only",
    )?;
    // What goes out by the neighbour table keeps the MACs that it came with until then.
    let addressed = case.input == case.output || case.input[..12] != case.output[..12];
    if let Some(member) = facts.member(&case.output[..6]).filter(|_| addressed) {
        if case.input == case.output {
            return require(member.net.id == own.net.id, "a frame stays in its network");
        }
        to_container(member, case, after)?;
        let published = facts.is_local(before.dst) || facts.is_local(after.src);
        return require(
            member.net.id == own.net.id || published,
            "networks meet by published ports only",
        );
    }
    // What goes to ::1 is received on the loopback device, whose MAC is zero.
    let to_loopback = after.dst.is_loopback() && case.output[..6] == [0; 6];
    if facts.is_local(after.dst) || after.dst.is_loopback() {
        return require(
            own.has(after.src) && (case.output[..6] == own.net.mac || to_loopback),
            "the host sees a container by its own address",
        );
    }
    leaves(facts, own, case, (before, after))
}

/// Out by an uplink: what the wire must never see.
fn leaves(facts: &Facts, own: &Member, case: &Case<'_>, (before, after): (&Ip, &Ip)) -> Ruling {
    require(
        own.net.flags & INTERNAL == 0,
        "nothing leaves an internal network",
    )?;
    let translated = facts.uplinks.contains(&after.src);
    let may_be_seen = !own.net.is_masqueraded() || own.net.is_open();
    let plain = may_be_seen && own.addrs.contains(&after.src);
    require(
        translated || plain,
        "no untranslated private source goes out by an uplink",
    )?;
    let told = after.quoted_destination(case.output);
    require(
        !translated || told.is_none_or(|addr| !facts.is_inside(addr)),
        "an error does not tell the outside who was behind the translation",
    )?;
    require(
        !facts.is_inside(after.dst) && !after.dst.is_multicast() && !after.dst.is_unspecified(),
        "what goes out by an uplink has a destination outside",
    )?;
    require(
        after.ttl + 1 == before.ttl && after.ttl > 0,
        "a packet that is routed has one hop less",
    )
}

/// Into a container, translated or routed.
fn to_container(member: &Member, case: &Case<'_>, after: &Ip) -> Ruling {
    require(
        member.has(after.dst),
        "a container gets packets for its own address",
    )?;
    require(
        case.output[6..12] == member.net.mac,
        "a routed packet comes from the gateway",
    )?;
    require(
        !after.src.is_loopback(),
        "no loopback source is ever seen inside",
    )
}

/// From outside: into a container, by a published port or as an answer.
fn by_uplink(facts: &Facts, case: &Case<'_>, before: &Ip, after: &Ip) -> Ruling {
    let member = facts
        .member(&case.output[..6])
        .ok_or("what an uplink's program redirects goes into a container")?;
    to_container(member, case, after)?;
    require(
        after.src == before.src,
        "an outside client's address is never changed",
    )?;
    require(
        !facts.is_inside(before.src)
            && !facts.is_local(before.src)
            && !before.src.is_multicast()
            && !before.src.is_unspecified(),
        "an outside packet has the source of an outside host",
    )?;
    require(
        facts.is_local(before.dst)
            || (member.has(before.dst) && (!member.net.is_masqueraded() || member.net.is_open())),
        "containers are reached by the host's addresses, or by routing where that is wanted",
    )?;
    require(
        member.net.flags & INTERNAL == 0,
        "nothing enters an internal network",
    )?;
    require(
        after.ttl + 1 == before.ttl && after.ttl > 0,
        "a packet that is routed has one hop less",
    )
}

/// From a host process: into a container, or (with a container's source, which only root can
/// forge) where that container's own flow goes.
fn by_host(facts: &Facts, case: &Case<'_>, before: &Ip, after: &Ip) -> Ruling {
    let mut members = facts.members.iter();
    let forged = members.find(|member| member.has(before.src));
    if let Some(forged) = forged.filter(|_| !facts.is_inside(after.dst)) {
        if facts.is_local(after.dst) || after.dst.is_loopback() {
            return Ok(());
        }
        return leaves(facts, forged, case, (before, after));
    }
    let member = facts
        .member(&case.output[..6])
        .ok_or("what the host sends to containers goes into one")?;
    to_container(member, case, after)
}
