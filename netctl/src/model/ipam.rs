//! Which subnets and addresses are free.
//!
//! Pure: what is taken is handed in. Nothing is remembered between calls, since the model already
//! says who has what.

use std::{collections::HashSet, net::Ipv4Addr};

use ipnet::Ipv4Net;
use netctl_common::wire::Mac;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Network;

/// Shortest prefix of a subnet.
const SHORTEST: u8 = 8;
/// Longest: a network address, a gateway, a container and a broadcast address.
const LONGEST: u8 = 30;

/// Where subnets come from when none is asked for: `base` cut into pieces of prefix length `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    pub base: Ipv4Net,
    pub size: u8,
}

/// A subnet or an address that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IpamError {
    #[error("subnet {0:?} is not an IPv4 CIDR; write for example 10.1.2.0/24")]
    SubnetSyntax(String),
    #[error("subnet {given} has host bits set; write {network}")]
    HostBits { given: Ipv4Net, network: Ipv4Net },
    #[error("subnet {0}: its prefix length is not between /{SHORTEST} and /{LONGEST}")]
    Size(Ipv4Net),
    #[error("subnet {subnet} contains {what} addresses; choose a private one such as 10.1.2.0/24")]
    Special { subnet: Ipv4Net, what: &'static str },
    #[error("address {0:?} is not an IPv4 address; write for example 10.1.2.3")]
    AddressSyntax(String),
    #[error("address {addr} is outside of {subnet}; choose one of {first} to {last}")]
    Outside {
        addr: Ipv4Addr,
        subnet: Ipv4Net,
        first: Ipv4Addr,
        last: Ipv4Addr,
    },
    #[error("address {addr} is the {what} address of {subnet}; choose one of {first} to {last}")]
    Reserved {
        addr: Ipv4Addr,
        what: &'static str,
        subnet: Ipv4Net,
        first: Ipv4Addr,
        last: Ipv4Addr,
    },
}

/// Ranges that no network may contain a part of (RFC 6890).
const SPECIAL: [(Ipv4Net, &str); 4] = [
    (
        Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8),
        "unspecified",
    ),
    (
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
        "loopback",
    ),
    (
        Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
        "multicast",
    ),
    (
        Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
        "reserved",
    ),
];

/// Parses and checks a subnet by itself.
pub fn parse_subnet(text: &str) -> Result<Ipv4Net, IpamError> {
    let given: Ipv4Net = text
        .parse()
        .map_err(|_not_a_cidr| IpamError::SubnetSyntax(text.chars().take(100).collect()))?;
    let network = given.trunc();
    if given != network {
        return Err(IpamError::HostBits { given, network });
    }
    if !(SHORTEST..=LONGEST).contains(&given.prefix_len()) {
        return Err(IpamError::Size(given));
    }
    match SPECIAL.iter().find(|(net, _)| overlap(net, &given)) {
        Some((_, what)) => Err(IpamError::Special {
            subnet: given,
            what,
        }),
        None => Ok(given),
    }
}

/// Parses an address.
pub fn parse_address(text: &str) -> Result<Ipv4Addr, IpamError> {
    text.parse()
        .map_err(|_not_an_ip| IpamError::AddressSyntax(text.chars().take(100).collect()))
}

/// Checks that an address can be given to somebody in the subnet.
pub fn check_address(addr: Ipv4Addr, subnet: Ipv4Net) -> Result<(), IpamError> {
    let (first, last) = usable(subnet);
    let reserved = |what| IpamError::Reserved {
        addr,
        what,
        subnet,
        first,
        last,
    };
    if !subnet.contains(&addr) {
        return Err(IpamError::Outside {
            addr,
            subnet,
            first,
            last,
        });
    }
    if addr == subnet.network() {
        return Err(reserved("network"));
    }
    if addr == subnet.broadcast() {
        return Err(reserved("broadcast"));
    }
    Ok(())
}

/// First and last address that a member can have.
pub fn usable(subnet: Ipv4Net) -> (Ipv4Addr, Ipv4Addr) {
    (
        Ipv4Addr::from_bits(subnet.network().to_bits() + 1),
        Ipv4Addr::from_bits(subnet.broadcast().to_bits() - 1),
    )
}

/// Whether the two have an address in common.
pub fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// The first piece of the pools that overlaps nothing taken.
pub fn free_subnet(pools: &[Pool], taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    pools.iter().find_map(|pool| {
        let end = u64::from(pool.base.broadcast().to_bits());
        let step = 1_u64 << (32 - pool.size);
        let mut next = u64::from(pool.base.network().to_bits());
        while next + step - 1 <= end {
            let bits = u32::try_from(next).ok()?;
            let candidate = Ipv4Net::new(Ipv4Addr::from_bits(bits), pool.size).ok()?;
            match taken.iter().find(|net| overlap(net, &candidate)) {
                None => return Some(candidate),
                // Go on behind a larger one at once.
                Some(net) => {
                    let behind = u64::from(net.broadcast().to_bits()) + 1;
                    next = behind.next_multiple_of(step).max(next + step);
                }
            }
        }
        None
    })
}

/// The lowest address of the network's range that nobody has.
pub fn free_address(network: &Network, taken: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let (first, last) = usable(network.subnet);
    let range = network.ip_range.unwrap_or(network.subnet);
    let first = first.max(range.network()).to_bits();
    let last = last.min(range.broadcast()).to_bits();
    (first..=last)
        .map(Ipv4Addr::from_bits)
        .find(|addr| *addr != network.gateway && !taken.contains(addr))
}

/// The MAC that goes with an address: locally administered, and the same again for a container
/// that gets its address back, so that nobody's ARP cache is wrong.
pub fn mac_of(addr: Ipv4Addr) -> Mac {
    let [a, b, c, d] = addr.octets();
    Mac([0x02, 0x6e, a, b, c, d])
}

#[cfg(test)]
mod tests;
