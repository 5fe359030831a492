//! Bytes to text, checksums verified.

use std::{fmt::Write as _, net::Ipv4Addr};

use super::{
    Names, hex,
    sum::{internet_checksum, pseudo_header},
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
    let mut text = match proto {
        _ if offset != 0 => format!("ip:{proto} {src}>{dst} ttl={ttl} len={}", body.len()),
        6 => format!(
            "tcp {src}:{}>{dst}:{} flags={} ttl={ttl} len={}",
            word(body, 0)?,
            word(body, 2)?,
            flags(*body.get(13)?),
            body.len() - usize::from(body[12] >> 4) * 4,
        ),
        17 => format!(
            "udp {src}:{}>{dst}:{} ttl={ttl} len={}",
            word(body, 0)?,
            word(body, 2)?,
            body.len().checked_sub(8)?,
        ),
        1 => format!(
            "icmp {src}>{dst} type={} code={} ident={} seq={} ttl={ttl} len={}",
            body.first()?,
            body.get(1)?,
            word(body, 4)?,
            word(body, 6)?,
            body.len() - 8,
        ),
        _ => format!("ip:{proto} {src}>{dst} ttl={ttl} len={}", body.len()),
    };
    if fragment & 0x3fff != 0 {
        let more = if fragment & 0x2000 != 0 { "+" } else { "" };
        let _ = write!(text, " frag={offset}{more}");
    }
    if internet_checksum(&[header]) != 0 {
        text.push_str(" BAD-IP-SUM");
    }
    if fragment & 0x3fff == 0 {
        text.push_str(checksum(proto, src, dst, body));
    }
    Some(text)
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

fn checksum(proto: u8, src: Ipv4Addr, dst: Ipv4Addr, body: &[u8]) -> &'static str {
    let pseudo = pseudo_header(src.octets(), dst.octets(), proto, body.len());
    match proto {
        6 if internet_checksum(&[&pseudo, body]) != 0 => " BAD-TCP-SUM",
        17 if word(body, 6) == Some(0) => " NO-UDP-SUM",
        17 if internet_checksum(&[&pseudo, body]) != 0 => " BAD-UDP-SUM",
        1 if internet_checksum(&[body]) != 0 => " BAD-ICMP-SUM",
        _ => "",
    }
}
