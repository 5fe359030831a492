//! Names for addresses, so that lines of text can be read, and one line can stand for both
//! families.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netctl_common::wire::Mac;

/// The family of a story's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    #[default]
    V4,
    V6,
}

impl Family {
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The one of two that is of this family.
    pub fn pick<T>(self, v4: T, v6: T) -> T {
        match self {
            Self::V4 => v4,
            Self::V6 => v6,
        }
    }
}

/// Words of a line that are other ones in the other family: ICMP and its numbers (RFC 792, RFC
/// 4443).
const WORDS: [(&str, &str, &str); 5] = [
    ("icmp", "icmp", "icmp6"),
    ("request", "8", "128"),
    ("reply", "0", "129"),
    // Nobody listens on the port.
    ("closed", "type=3 code=3", "type=1 code=4"),
    ("expired", "type=11 code=0", "type=3 code=0"),
];

/// A small table of MACs, both ways, and one of addresses by name. `all` is the broadcast MAC and
/// `none` all zero.
#[derive(Clone, Debug)]
pub struct Names {
    macs: Vec<(String, Mac)>,
    addresses: Vec<(&'static str, Ipv4Addr, Ipv6Addr)>,
    /// What `{web}` in a line is: see [`Self::line`].
    pub family: Family,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            macs: vec![
                ("all".to_owned(), Mac::BROADCAST),
                ("none".to_owned(), Mac([0; 6])),
            ],
            addresses: vec![
                ("any", Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
                ("lo", Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
            ],
            family: Family::V4,
        }
    }
}

impl Names {
    /// Names a MAC.
    #[must_use]
    pub fn with(mut self, name: &str, mac: Mac) -> Self {
        self.macs.push((name.to_owned(), mac));
        self
    }

    /// Names addresses of both families.
    #[must_use]
    pub fn with_addresses(mut self, addresses: &[(&'static str, Ipv4Addr, Ipv6Addr)]) -> Self {
        self.addresses.extend(addresses);
        self
    }

    /// The same names for a story of that family.
    #[must_use]
    pub fn of(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// MAC by name, or as `aa:bb:cc:dd:ee:ff`.
    #[track_caller]
    pub fn mac(&self, text: &str) -> Mac {
        let named = self.macs.iter().find(|(name, _)| name == text);
        match named {
            Some((_, mac)) => *mac,
            None => netctl::model::mac::parse(text)
                .unwrap_or_else(|| panic!("{text:?} is neither a name nor a MAC")),
        }
    }

    /// The MAC's name, or itself where it has none.
    pub fn name(&self, bytes: &[u8]) -> String {
        let Ok(octets) = <[u8; 6]>::try_from(bytes) else {
            return "?".to_owned();
        };
        let mac = Mac(octets);
        self.macs
            .iter()
            .find(|(_, known)| *known == mac)
            .map_or_else(|| mac.to_string(), |(name, _)| name.clone())
    }

    /// Address of that name in the story's family.
    #[track_caller]
    pub fn addr(&self, name: &str) -> IpAddr {
        let found = self.addresses.iter().find(|(known, ..)| *known == name);
        let (_, v4, v6) = found.unwrap_or_else(|| panic!("nobody has the name {name:?}"));
        self.family.pick(IpAddr::V4(*v4), IpAddr::V6(*v6))
    }

    /// A line with names in braces, as a packet line of the story's family: `{web}:80` is
    /// `172.18.0.2:80` or `[fd00:0:0:1::2]:80`, `{icmp}` is `icmp` or `icmp6`.
    #[track_caller]
    pub fn line<'a>(&self, template: &'a str) -> Cow<'a, str> {
        if !template.contains('{') {
            return template.into();
        }
        let mut parts = template.split('{');
        let mut line = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part
                .split_once('}')
                .unwrap_or_else(|| panic!("{template:?}: a brace is not closed"));
            if let Some((_, v4, v6)) = WORDS.iter().find(|(word, ..)| *word == name) {
                line.push_str(self.family.pick(v4, v6));
            } else {
                match self.addr(name) {
                    IpAddr::V6(addr) if rest.starts_with(':') => {
                        line.push_str(&format!("[{addr}]"));
                    }
                    addr => line.push_str(&addr.to_string()),
                }
            }
            line.push_str(rest);
        }
        line.into()
    }
}
