//! Bytes to text, checksums verified.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::{
    Names, hex,
    sum::{SCTP_SUM, crc32c, internet_checksum, pseudo_header},
};

/// One line for a frame; see the module for its form.
pub fn show(names: &Names, frame: &[u8]) -> String {
    let Some(header) = frame.get(..14) else {
        return format!("short frame {}", hex::encode(frame));
    };
    let macs = format!(
        "{}>{}",
        names.name(&header[6..12]),
        names.name(&header[..6])
    );
    let rest = &frame[14..];
    let text = match u16::from_be_bytes([header[12], header[13]]) {
        0x0800 => ipv4(rest),
        0x0806 => arp(names, rest),
        0x86dd => ipv6(names, rest),
        other => Some(format!("eth:{other:04x} len={}", rest.len())),
    };
    let text = text.unwrap_or_else(|| format!("malformed {}", hex::encode(rest)));
    format!("{macs} {text}")
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn arp(names: &Names, body: &[u8]) -> Option<String> {
    let body = body.get(..28)?;
    let operation = match word(body, 6)? {
        1 => "request".to_owned(),
        2 => "reply".to_owned(),
        other => other.to_string(),
    };
    Some(format!(
        "arp {operation} {}/{}>{}/{}",
        address(&body[14..18])?,
        names.name(&body[8..14]),
        address(&body[24..28])?,
        names.name(&body[18..24]),
    ))
}

fn ipv4(packet: &[u8]) -> Option<String> {
    let header_length = usize::from(packet.first()? & 0x0f) * 4;
    let header = packet.get(..header_length)?;
    let total = usize::from(word(header, 2)?);
    let body = packet.get(header_length..total)?;
    let (src, dst) = (address(header.get(12..16)?)?, address(&header[16..20])?);
    let (proto, ttl) = (header[9], header[8]);
    let fragment = word(header, 6)?;
    let offset = fragment & 0x1fff;
    let mut text = if offset == 0 {
        transport(proto, (src.into(), dst.into()), ttl, body)?
    } else {
        format!("ip:{proto} {src}>{dst} ttl={ttl} len={}", body.len())
    };
    if fragment & 0x3fff != 0 {
        let more = if fragment & 0x2000 != 0 { "+" } else { "" };
        let _ = write!(text, " frag={offset}{more}");
    }
    if internet_checksum(&[header]) != 0 {
        text.push_str(" BAD-IP-SUM");
    }
    if fragment & 0x3fff == 0 {
        text.push_str(checksum(proto, (src.into(), dst.into()), body));
    }
    Some(text)
}

fn ipv6(names: &Names, packet: &[u8]) -> Option<String> {
    let header = packet.get(..40)?;
    let address = |at| {
        Some(Ipv6Addr::from(
            <[u8; 16]>::try_from(&header[at..at + 16]).ok()?,
        ))
    };
    let (src, dst) = (address(8)?, address(24)?);
    let (mut proto, ttl) = (header[6], header[7]);
    let mut body = packet.get(40..40 + usize::from(word(header, 4)?))?;
    let (mut extensions, mut fragment) = (Vec::new(), None);
    while let 0 | 43 | 44 | 51 | 60 = proto {
        let length = match proto {
            44 => 8,
            51 => (usize::from(*body.get(1)?) + 2) * 4,
            _ => (usize::from(*body.get(1)?) + 1) * 8,
        };
        let (extension, rest) = body.split_at_checked(length)?;
        if proto == 44 {
            fragment = word(extension, 2);
        } else {
            extensions.push(format!("{proto}:{}", hex::encode(&extension[1..])));
        }
        (proto, body) = (extension[0], rest);
        if fragment.is_some_and(|field| field >> 3 != 0) {
            break;
        }
    }
    let ends = (src.into(), dst.into());
    let mut text = match fragment {
        Some(field) if field >> 3 != 0 => {
            format!("ip:{proto} {src}>{dst} ttl={ttl} len={}", body.len())
        }
        _ if proto == 58 && matches!(body.first()?, 135 | 136) => {
            neighbour(names, ends, ttl, body)?
        }
        _ => transport(proto, ends, ttl, body)?,
    };
    if !extensions.is_empty() {
        let _ = write!(text, " ext={}", extensions.join(","));
    }
    match fragment {
        Some(field) => {
            let more = if field & 1 != 0 { "+" } else { "" };
            let _ = write!(text, " frag={}{more}", field >> 3);
        }
        None => text.push_str(checksum(proto, ends, body)),
    }
    Some(text)
}

/// A neighbour solicitation or advertisement: whom it is about, flags, the MAC of its option.
fn neighbour(names: &Names, (src, dst): (IpAddr, IpAddr), ttl: u8, body: &[u8]) -> Option<String> {
    let target = Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?);
    let kind = if body[0] == 135 {
        "solicit"
    } else {
        "advertise"
    };
    let mut text = format!("nd {kind} {src}>{dst} target={target} ttl={ttl}");
    if body[0] == 136 {
        let _ = write!(text, " flags={:02x}", body[4]);
    }
    match body.get(24..32) {
        Some([number @ (1 | 2), 1, mac @ ..]) => {
            let _ = write!(text, " option={number}/{}", names.name(mac));
        }
        _ if body.len() > 24 => {
            let _ = write!(text, " options={}", hex::encode(&body[24..]));
        }
        _ => {}
    }
    Some(text)
}

/// `ADDRESS:PORT>ADDRESS:PORT` of a body that begins with ports.
fn ports((src, dst): (IpAddr, IpAddr), body: &[u8]) -> Option<String> {
    let (from, to) = (word(body, 0)?, word(body, 2)?);
    Some(format!(
        "{}>{}",
        SocketAddr::new(src, from),
        SocketAddr::new(dst, to)
    ))
}

fn transport(proto: u8, ends: (IpAddr, IpAddr), ttl: u8, body: &[u8]) -> Option<String> {
    let (src, dst) = ends;
    Some(match proto {
        6 => format!(
            "tcp {} flags={} ttl={ttl} len={}",
            ports(ends, body)?,
            flags(*body.get(13)?),
            body.len().checked_sub(usize::from(body[12] >> 4) * 4)?,
        ),
        17 => format!(
            "udp {} ttl={ttl} len={}",
            ports(ends, body)?,
            body.len().checked_sub(8)?,
        ),
        132 if body.len() >= 16 => format!(
            "sctp {} chunk={} ttl={ttl} len={}",
            ports(ends, body)?,
            body[12],
            body.len() - 16,
        ),
        1 | 58 => format!(
            "{} {src}>{dst} type={} code={} ident={} seq={} ttl={ttl} len={}",
            if proto == 1 { "icmp" } else { "icmp6" },
            body.first()?,
            body.get(1)?,
            word(body, 4)?,
            word(body, 6)?,
            body.len().checked_sub(8)?,
        ),
        _ => format!("ip:{proto} {src}>{dst} ttl={ttl} len={}", body.len()),
    })
}

fn flags(bits: u8) -> String {
    let letters = [
        (0x02, 'S'),
        (0x01, 'F'),
        (0x04, 'R'),
        (0x08, 'P'),
        (0x10, 'A'),
        (0x20, 'U'),
    ];
    let text: String = letters
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, letter)| letter)
        .collect();
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

fn is_sctp_sum_right(packet: &[u8]) -> bool {
    packet[SCTP_SUM] == crc32c(packet).to_le_bytes()
}

fn checksum(proto: u8, (src, dst): (IpAddr, IpAddr), body: &[u8]) -> &'static str {
    let pseudo = pseudo_header(src, dst, proto, body.len());
    let over_pseudo = internet_checksum(&[&pseudo, body]);
    match proto {
        6 if over_pseudo != 0 => " BAD-TCP-SUM",
        17 if word(body, 6) == Some(0) => " NO-UDP-SUM",
        17 if over_pseudo != 0 => " BAD-UDP-SUM",
        132 if body.len() >= 16 && !is_sctp_sum_right(body) => " BAD-SCTP-SUM",
        1 if internet_checksum(&[body]) != 0 => " BAD-ICMP-SUM",
        58 if over_pseudo != 0 => " BAD-ICMP6-SUM",
        _ => "",
    }
}
