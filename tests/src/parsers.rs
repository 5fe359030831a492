//! What netctl reads that others wrote: every parser, with what must hold of it for any input.
//!
//! `tests/parsers` runs them under a coverage-guided fuzzer; the corpus of named inputs beside it
//! runs with the other tests.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use netctl::{
    api::types,
    config::{self, Config},
    kernel::events,
    model::{
        family::Family,
        ipam, mac, names,
        spec::{HostPorts, Spec},
    },
};
use netctl_common::{checksum, event::DropEvent, port, publish, tcp};

/// A parser's name, and the property that has to hold of it for those bytes: it panics else.
pub type Parser = (&'static str, fn(&[u8]));

/// Every parser.
pub const ALL: &[Parser] = &[
    ("address", address),
    ("api", api),
    ("arithmetic", arithmetic),
    ("config", config),
    ("drop-sample", drop_sample),
    ("mac", mac_address),
    ("name", name),
    ("spec", spec),
    ("subnet", subnet),
];

/// Text as a command line or a request brings it.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What is taken means what was written: no sign, no blank, no leading zero changes it silently.
fn address(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(addr) = ipam::parse_address::<Ipv4Addr>(text) {
        assert_eq!(addr.to_string(), text);
    }
    if let Ok(addr) = ipam::parse_address::<Ipv6Addr>(text) {
        assert_eq!(addr.to_string().parse(), Ok(addr));
        assert!(!text.contains(['.', '+', ' ', '%']) || text.contains(':'));
    }
}

fn subnet(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    subnet_of::<Ipv4Addr>(text);
    subnet_of::<Ipv6Addr>(text);
}

fn subnet_of<F: Family>(text: &str) {
    let Ok(subnet) = ipam::parse_subnet::<F>(text) else {
        return;
    };
    assert_eq!(
        ipam::parse_subnet::<F>(&subnet.to_string()).ok(),
        Some(subnet)
    );
    let (first, last) = ipam::usable::<F>(&subnet);
    assert!(F::network(&subnet) < first && first <= last && last <= F::last(&subnet));
    for addr in [first, last] {
        assert!(ipam::check_address(addr, &subnet).is_ok());
    }
    assert!(ipam::overlap::<F>(&subnet, &subnet));
}

/// A name becomes part of paths and interface aliases.
fn name(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if names::check(text).is_ok() {
        assert!(!text.is_empty() && text.len() <= 255 && text != "." && text != "..");
        assert!(!text.contains(['/', '\0', '\n', ' ']), "{text:?}");
        assert!(!text.starts_with('-'), "{text:?} would be an option");
    }
}

fn mac_address(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(mac) = mac::parse(text) {
        assert_eq!(mac.to_string(), text.to_lowercase());
    }
}

fn spec(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let parsed: Spec = match text.parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            // A refusal names what was refused, or the beginning of it.
            let shown = format!("{error}");
            let input = text.chars().take(20).collect::<String>();
            let quoted = format!("{input:?}");
            assert!(shown.contains(quoted.trim_end_matches('"')), "{error}");
            return;
        }
    };
    assert!(parsed.count > 0 && parsed.container_port > 0);
    assert!(
        parsed
            .container_port
            .checked_add(parsed.count - 1)
            .is_some()
    );
    match parsed.host {
        HostPorts::Any => {}
        HostPorts::From(first) => {
            assert!(first > 0 && first.checked_add(parsed.count - 1).is_some());
        }
        HostPorts::OneOf { first, last } => assert!(0 < first && first <= last),
    }
    assert_eq!(parsed.to_string().parse().as_ref(), Ok(&parsed), "{text:?}");
}

fn config(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let path = Path::new("/etc/netctl/netctl.toml");
    match Config::parse(text, path) {
        Ok(config) => {
            if let Some(ports) = config.datapath.nat_ports {
                assert!(0 < ports.first && ports.first <= ports.last, "{ports:?}");
            }
            assert!(config.datapath.max_flows > 0 && config.timeouts.udp > 0);
        }
        Err(error) => assert!(error.to_string().contains("netctl.toml"), "{error}"),
    }
    if let Ok(Some(addr)) = config::parse_metrics(text) {
        assert_eq!(addr.to_string().parse(), Ok(addr));
    }
}

/// Bodies of requests: a client may be anything that reaches the socket.
fn api(bytes: &[u8]) {
    fn both<T: serde::de::DeserializeOwned + serde::Serialize>(bytes: &[u8]) {
        let Ok(value) = serde_json::from_slice::<T>(bytes) else {
            return;
        };
        // What was taken is passed on as it was meant.
        let once = serde_json::to_value(&value).unwrap();
        let again: T = serde_json::from_value(once.clone()).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), once);
    }
    both::<types::NetworkCreate>(bytes);
    both::<types::NsCreate>(bytes);
    both::<types::Connect>(bytes);
    both::<types::Specs>(bytes);
}

/// What the ring buffer holds is written by programs, perhaps by those of another version.
fn drop_sample(bytes: &[u8]) {
    if let Ok(event) = bytemuck::try_pod_read_unaligned::<DropEvent>(bytes) {
        let sample = events::sample(&event);
        assert!(!sample.packet.is_empty() && !sample.packet.contains(char::is_control));
    }
}

/// The datapath's arithmetic, which the verifier holds to no values but its bounds.
fn arithmetic(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<12>() else {
        return;
    };
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (first, last) = (word(0).min(word(2)), word(0).max(word(2)));
    let mut next = u32::from(first);
    for block in publish::port_blocks(first, last) {
        assert_eq!(u32::from(block.base), next);
        next += 1 << (16 - block.bits);
    }
    assert_eq!(next, u32::from(last) + 1);
    let seed = u32::from(word(4)) << 16 | u32::from(word(6));
    let size = port::size(first, last);
    for n in 0..port::PROBES {
        let candidate = port::candidate(first, size, seed, n);
        assert!((first..=last).contains(&candidate));
    }
    let state = tcp::TcpState::of(head[8], head[9]);
    assert_eq!(
        state == tcp::TcpState::Closing,
        (head[8] | head[9]) & (tcp::seen::FIN | tcp::seen::RST) != 0
    );
    // A word of any data is changed, and the checksum brought up to date instead of made anew.
    let even = &rest[..rest.len() & !1];
    if even.len() >= 4 {
        let mut data = even.to_vec();
        let before = !checksum::sum(&data);
        let at = usize::from(head[10]) % (data.len() / 2) * 2;
        let old = u16::from_ne_bytes([data[at], data[at + 1]]);
        data[at..at + 2].copy_from_slice(&word(4).to_ne_bytes());
        let change = checksum::difference(u32::from(old), u32::from(word(4)));
        let updated = checksum::update(before, change);
        let whole = !checksum::sum(&data);
        // Ones' complement has two zeroes.
        let same = updated == whole || (updated ^ whole == 0xffff && (updated == 0 || whole == 0));
        assert!(same, "{updated:04x} {whole:04x}");
    }
    let addr = Ipv4Addr::from_bits(seed);
    assert_eq!(
        netctl_common::wire::Address::is_loopback(netctl_common::wire::V4::from(addr)),
        IpAddr::V4(addr).is_loopback()
    );
}
