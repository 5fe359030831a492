//! Tables of nftables, which iptables' rules are in as well on most machines: read, never written.

use std::{ffi::CStr, io};

use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::raw::{attribute, attributes, dump};

/// NFNL_SUBSYS_NFTABLES of include/uapi/linux/netfilter/nfnetlink.h, in a message's type.
const NFTABLES: u16 = 10 << 8;
/// nf_tables_msg_types of include/uapi/linux/netfilter/nf_tables.h.
const NEW_CHAIN: u16 = NFTABLES | 3;
const GET_CHAIN: u16 = NFTABLES | 4;
const NEW_RULE: u16 = NFTABLES | 6;
const GET_RULE: u16 = NFTABLES | 7;
/// struct nfgenmsg: family, version, resource.
const HEADER: usize = 4;
/// Types of attributes, of the same file.
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;

/// A chain, and the table that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// NFPROTO_… as nft writes it: ip, ip6, inet, bridge, arp, netdev.
    pub family: &'static str,
    number: u8,
    pub table: String,
    pub name: String,
}

#[cfg(test)]
impl Chain {
    pub(crate) fn new(family: &'static str, table: &str, name: &str) -> Self {
        Self {
            family,
            number: 0,
            table: table.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Every chain of the network namespace of this thread; `None` where the kernel has no nftables.
pub fn chains() -> io::Result<Option<Vec<Chain>>> {
    let messages = match dump(NETLINK_NETFILTER, GET_CHAIN, &[0; HEADER]) {
        Ok(messages) => messages,
        Err(error)
            if matches!(
                error.raw_os_error(),
                // No such protocol; no such subsystem.
                Some(libc::EPROTONOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP)
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let new = messages.iter().filter(|(kind, _)| *kind == NEW_CHAIN);
    Ok(Some(
        new.filter_map(|(_, message)| chain(message)).collect(),
    ))
}

/// The rules of a chain, each by the names of its expressions (`payload`, `cmp`, `immediate`).
pub fn rules(chain: &Chain) -> io::Result<Vec<Vec<String>>> {
    let mut request = vec![chain.number, 0, 0, 0];
    for (kind, name) in [(RULE_TABLE, &chain.table), (RULE_CHAIN, &chain.name)] {
        let mut text = name.clone().into_bytes();
        text.push(0);
        request.extend(attribute(kind, &text));
    }
    let messages = dump(NETLINK_NETFILTER, GET_RULE, &request)?;
    let new = messages.iter().filter(|(kind, _)| *kind == NEW_RULE);
    Ok(new.map(|(_, message)| expressions(message)).collect())
}

fn chain(message: &[u8]) -> Option<Chain> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    let text = |wanted| attributes(rest).find_map(|(kind, value)| named(kind, wanted, value));
    Some(Chain {
        family: family(header[0]),
        number: header[0],
        table: text(CHAIN_TABLE)?,
        name: text(CHAIN_NAME)?,
    })
}

fn expressions(message: &[u8]) -> Vec<String> {
    let rest = message.get(HEADER..).unwrap_or_default();
    let lists = attributes(rest).filter(|(kind, _)| *kind == RULE_EXPRESSIONS);
    let elements = lists.flat_map(|(_, list)| attributes(list));
    elements
        .filter_map(|(_, element)| {
            attributes(element).find_map(|(kind, value)| named(kind, EXPRESSION_NAME, value))
        })
        .collect()
}

fn named(kind: u16, wanted: u16, value: &[u8]) -> Option<String> {
    let text = CStr::from_bytes_until_nul(value).ok()?;
    (kind == wanted).then(|| text.to_string_lossy().into_owned())
}

/// NFPROTO_… of include/uapi/linux/netfilter.h.
const fn family(number: u8) -> &'static str {
    match number {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kernel 6.18 sends them, but for attributes that are not read.
    #[test]
    fn chains_and_rules_are_read() {
        let message = |parts: &[Vec<u8>]| [vec![2, 0, 0, 0], parts.concat()].concat();
        let handle = attribute(2, &7_u64.to_be_bytes());
        let found = chain(&message(&[
            attribute(CHAIN_TABLE, b"filter\0"),
            handle.clone(),
            attribute(CHAIN_NAME, b"DOCKER-USER\0"),
        ]));
        let found = found.unwrap();
        assert_eq!((found.family, &*found.table), ("ip", "filter"));
        assert_eq!(found.name, "DOCKER-USER");
        assert_eq!(chain(&message(&[handle])), None);
        let expression = |name: &[u8]| {
            let inside = [attribute(EXPRESSION_NAME, name), attribute(2, &[0; 8])];
            attribute(1 | 1 << 15, &inside.concat())
        };
        let list = [expression(b"counter\0"), expression(b"immediate\0")];
        let rule = message(&[attribute(RULE_EXPRESSIONS | 1 << 15, &list.concat())]);
        assert_eq!(expressions(&rule), ["counter", "immediate"]);
        assert!(expressions(&[2]).is_empty());
    }
}
