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
const CHAIN_HOOK: u16 = 4;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;
/// Where an expression `immediate` has the code of its verdict (NFTA_EXPR_DATA,
/// NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT, NFTA_VERDICT_CODE).
const VERDICT: [u16; 4] = [2, 2, 2, 1];
/// NF_DROP of include/uapi/linux/netfilter.h, big endian as in the message.
const DROP: [u8; 4] = 0_u32.to_be_bytes();

/// A chain, and the table that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// NFPROTO_… as nft writes it: ip, ip6, inet, bridge, arp, netdev.
    pub family: &'static str,
    number: u8,
    pub table: String,
    pub name: String,
    /// Where packets enter it by themselves; `None` where another chain's rule sends them.
    pub hook: Option<Hook>,
}

/// A chain's place on the way of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `filter`, `nat` or `route`.
    pub kind: String,
    /// NF_INET_… of include/uapi/linux/netfilter.h; in the family netdev NF_NETDEV_….
    pub number: u32,
}

/// A rule of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names of its expressions (`payload`, `cmp`, `immediate`).
    pub expressions: Vec<String>,
    /// All of it, as the kernel tells.
    message: Vec<u8>,
}

impl Rule {
    /// Whether a chain, an interface or an extension of that name, or one that it is a part of,
    /// occurs in it.
    pub fn mentions(&self, name: &str) -> bool {
        let mut places = self.message.windows(name.len());
        places.any(|place| place == name.as_bytes())
    }

    /// Whether what it is about is dropped or rejected.
    pub fn refuses(&self) -> bool {
        let rejects = self.expressions.iter().any(|name| name == "reject");
        // By an extension of iptables, which nftables calls a target.
        let is_target = self.expressions.iter().any(|name| name == "target");
        let drops =
            || elements(&self.message).any(|element| within(element, &VERDICT) == Some(&DROP[..]));
        rejects || is_target && self.mentions("REJECT") || drops()
    }

    fn of(message: Vec<u8>) -> Self {
        Self {
            expressions: expressions(&message),
            message,
        }
    }
}

#[cfg(test)]
impl Rule {
    pub(crate) fn new(expressions: &[&str], message: &[u8]) -> Self {
        Self {
            expressions: expressions.iter().map(|name| (*name).to_owned()).collect(),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
impl Chain {
    pub(crate) fn new(family: &'static str, table: &str, name: &str) -> Self {
        Self {
            family,
            number: 0,
            table: table.to_owned(),
            name: name.to_owned(),
            hook: None,
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

/// The rules of a chain.
pub fn rules(chain: &Chain) -> io::Result<Vec<Rule>> {
    let mut request = vec![chain.number, 0, 0, 0];
    for (kind, name) in [(RULE_TABLE, &chain.table), (RULE_CHAIN, &chain.name)] {
        let mut text = name.clone().into_bytes();
        text.push(0);
        request.extend(attribute(kind, &text));
    }
    let messages = dump(NETLINK_NETFILTER, GET_RULE, &request)?;
    let new = messages.into_iter().filter(|(kind, _)| *kind == NEW_RULE);
    Ok(new.map(|(_, message)| Rule::of(message)).collect())
}

fn chain(message: &[u8]) -> Option<Chain> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    let text = |wanted| attributes(rest).find_map(|(kind, value)| named(kind, wanted, value));
    Some(Chain {
        family: family(header[0]),
        number: header[0],
        table: text(CHAIN_TABLE)?,
        name: text(CHAIN_NAME)?,
        hook: hook(rest),
    })
}

/// Of the attributes of a chain.
fn hook(chain: &[u8]) -> Option<Hook> {
    let number = within(chain, &[CHAIN_HOOK, HOOK_NUMBER])?;
    Some(Hook {
        kind: attributes(chain).find_map(|(kind, value)| named(kind, CHAIN_TYPE, value))?,
        number: u32::from_be_bytes(number.try_into().ok()?),
    })
}

fn expressions(message: &[u8]) -> Vec<String> {
    elements(message)
        .filter_map(|element| {
            attributes(element).find_map(|(kind, value)| named(kind, EXPRESSION_NAME, value))
        })
        .collect()
}

/// The expressions of a rule.
fn elements(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = message.get(HEADER..).unwrap_or_default();
    let lists = attributes(rest).filter(|(kind, _)| *kind == RULE_EXPRESSIONS);
    let elements = lists.flat_map(|(_, list)| attributes(list));
    elements.map(|(_, element)| element)
}

/// The first attribute of these kinds, each within the one before.
fn within<'a>(bytes: &'a [u8], path: &[u16]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, wanted| {
        let found = attributes(bytes).find(|(kind, _)| kind == wanted);
        found.map(|(_, value)| value)
    })
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
        assert_eq!((&*found.name, found.hook), ("DOCKER-USER", None));
        let inside = attribute(HOOK_NUMBER, &2_u32.to_be_bytes());
        let found = chain(&message(&[
            attribute(CHAIN_TABLE, b"filter\0"),
            attribute(CHAIN_NAME, b"FORWARD\0"),
            attribute(CHAIN_HOOK | 1 << 15, &inside),
            attribute(CHAIN_TYPE, b"filter\0"),
        ]));
        let forward = Hook {
            kind: "filter".into(),
            number: 2,
        };
        assert_eq!(found.unwrap().hook, Some(forward));
        assert_eq!(chain(&message(&[handle])), None);
        let expression = |name: &[u8]| {
            let inside = [attribute(EXPRESSION_NAME, name), attribute(2, &[0; 8])];
            attribute(1 | 1 << 15, &inside.concat())
        };
        let list = [expression(b"counter\0"), expression(b"immediate\0")];
        let rule = message(&[attribute(RULE_EXPRESSIONS | 1 << 15, &list.concat())]);
        let rule = Rule::of(rule);
        assert_eq!(rule.expressions, ["counter", "immediate"]);
        assert!(rule.mentions("count") && !rule.mentions("DOCKER"));
        assert!(expressions(&[2]).is_empty());
    }
}
