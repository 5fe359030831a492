//! Which subnets and addresses are free.
//!
//! Pure: what is taken is handed in. Nothing is remembered between calls, since the model already
//! says who has what.
//!
//! Both families are given out alike: the lowest free address. An IPv6 address is not made of the
//! MAC (SLAAC, RFC 4862): short addresses can be read and typed, a container that gets its address
//! back has its MAC back too, and a subnet need not be a /64.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv6Net};
use netctl_common::wire::Mac;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Subnet, family::Family};

/// Where subnets come from when none is asked for: `base` cut into pieces of prefix length `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    pub base: IpNet,
    pub size: u8,
}

/// A subnet or an address that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IpamError {
    #[error("subnet {input:?} is not an {family} CIDR; write for example {example}")]
    SubnetSyntax {
        input: String,
        family: &'static str,
        example: &'static str,
    },
    #[error("subnet {given} has host bits set; write {network}")]
    HostBits { given: String, network: String },
    #[error("subnet {subnet}: its prefix length is not between /{shortest} and /{longest}")]
    Size {
        subnet: IpNet,
        shortest: u8,
        longest: u8,
    },
    #[error("subnet {subnet} contains {what} addresses; choose a private one such as {example}")]
    Special {
        subnet: IpNet,
        what: &'static str,
        example: &'static str,
    },
    #[error("address {input:?} is not an {family} address; write for example {example}")]
    AddressSyntax {
        input: String,
        family: &'static str,
        example: &'static str,
    },
    #[error("address {addr} is outside of {subnet}; choose one of {first} to {last}")]
    Outside {
        addr: String,
        subnet: IpNet,
        first: String,
        last: String,
    },
    #[error("address {addr} is the {what} address of {subnet}; choose one of {first} to {last}")]
    Reserved {
        addr: String,
        what: &'static str,
        subnet: IpNet,
        first: String,
        last: String,
    },
}

/// Bad input is not repeated in whole.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Parses and checks a subnet by itself.
pub fn parse_subnet<F: Family>(text: &str) -> Result<F::Net, IpamError> {
    let given: F::Net = text
        .parse()
        .map_err(|_not_a_cidr| IpamError::SubnetSyntax {
            input: shown(text),
            family: F::NAME,
            example: F::EXAMPLE_SUBNET,
        })?;
    let prefix = F::prefix(&given);
    if let Some(network) = F::network(&given).subnet(prefix)
        && network != given
    {
        return Err(IpamError::HostBits {
            given: given.to_string(),
            network: network.to_string(),
        });
    }
    if !(F::SHORTEST..=F::LONGEST).contains(&prefix) {
        return Err(IpamError::Size {
            subnet: given.into(),
            shortest: F::SHORTEST,
            longest: F::LONGEST,
        });
    }
    let mut special = F::special().iter();
    match special.find(|(net, _)| overlap::<F>(net, &given)) {
        Some((_, what)) => Err(IpamError::Special {
            subnet: given.into(),
            what,
            example: F::EXAMPLE_SUBNET,
        }),
        None => Ok(given),
    }
}

/// Parses an address.
pub fn parse_address<F: Family>(text: &str) -> Result<F, IpamError> {
    text.parse().map_err(|_not_an_ip| IpamError::AddressSyntax {
        input: shown(text),
        family: F::NAME,
        example: F::EXAMPLE_ADDRESS,
    })
}

/// Checks that an address can be given to somebody in the subnet.
pub fn check_address<F: Family>(addr: F, subnet: &F::Net) -> Result<(), IpamError> {
    let (first, last) = usable::<F>(subnet);
    let reserved = |what| IpamError::Reserved {
        addr: addr.to_string(),
        what,
        subnet: (*subnet).into(),
        first: first.to_string(),
        last: last.to_string(),
    };
    if addr < F::network(subnet) || addr > F::last(subnet) {
        return Err(IpamError::Outside {
            addr: addr.to_string(),
            subnet: (*subnet).into(),
            first: first.to_string(),
            last: last.to_string(),
        });
    }
    if addr < first {
        // In IPv6 the anycast address of the subnet's routers (RFC 4291, section 2.6.1).
        return Err(reserved("network"));
    }
    if addr > last {
        return Err(reserved("broadcast"));
    }
    Ok(())
}

/// First and last address that a member can have.
pub fn usable<F: Family>(subnet: &F::Net) -> (F, F) {
    let last = F::last(subnet).bits();
    (
        F::from_bits(F::network(subnet).bits() + 1),
        F::from_bits(last - u128::from(F::HAS_BROADCAST)),
    )
}

/// Whether the two have an address in common.
pub fn overlap<F: Family>(a: &F::Net, b: &F::Net) -> bool {
    F::network(a) <= F::last(b) && F::network(b) <= F::last(a)
}

/// As [`overlap`], of whatever family: those of different ones have nothing in common.
pub fn overlap_any(a: &IpNet, b: &IpNet) -> bool {
    match (a, b) {
        (IpNet::V4(a), IpNet::V4(b)) => overlap::<Ipv4Addr>(a, b),
        (IpNet::V6(a), IpNet::V6(b)) => overlap::<Ipv6Addr>(a, b),
        _ => false,
    }
}

/// The first piece of the pools that overlaps nothing taken.
pub fn free_subnet<F: Family>(pools: &[Pool], taken: &[IpNet]) -> Option<F::Net> {
    let taken: Vec<F::Net> = taken.iter().filter_map(F::of_net).collect();
    let mut own = pools.iter().filter_map(|pool| {
        let size = pool.size.min(F::BITS);
        Some((F::of_net(&pool.base)?, size))
    });
    own.find_map(|(base, size)| {
        let end = F::last(&base).bits();
        let step = 1_u128 << (F::BITS - size).min(127);
        let mut next = F::network(&base).bits();
        while next.checked_add(step - 1).is_some_and(|last| last <= end) {
            let candidate = F::from_bits(next).subnet(size)?;
            match taken.iter().find(|net| overlap::<F>(net, &candidate)) {
                None => return Some(candidate),
                // Go on behind a larger one at once.
                Some(net) => {
                    let behind = F::last(net).bits().checked_add(1)?;
                    next = behind.checked_next_multiple_of(step)?.max(next + step);
                }
            }
        }
        None
    })
}

/// The lowest address of the subnet's range that nobody has.
pub fn free_address<F: Family>(subnet: &Subnet<F>, taken: &HashSet<F>) -> Option<F> {
    let (first, last) = usable::<F>(&subnet.subnet);
    let range = subnet.ip_range.unwrap_or(subnet.subnet);
    let first = first.max(F::network(&range)).bits();
    let last = last.min(F::last(&range)).bits();
    (first..=last)
        .map(F::from_bits)
        .find(|addr| *addr != subnet.gateway && !taken.contains(addr))
}

/// The MAC that goes with an address: locally administered, and the same again for a container
/// that gets its address back, so that nobody's ARP cache is wrong.
pub fn mac_of(addr: Ipv4Addr) -> Mac {
    let [a, b, c, d] = addr.octets();
    Mac([0x02, 0x6e, a, b, c, d])
}

/// The same for who has an IPv6 address only. It has more bits than fit: `taken` says which MACs
/// the network has already.
pub fn mac_of_v6(addr: Ipv6Addr, taken: impl Fn(Mac) -> bool) -> Mac {
    let folded = addr.to_bits();
    let folded = (folded ^ (folded >> 32) ^ (folded >> 64) ^ (folded >> 96)) as u32;
    let mut candidates = (0..=u32::MAX).map(|n: u32| {
        // Odd: another value for each `n`.
        let [a, b, c, d] = folded
            .wrapping_add(n.wrapping_mul(0x9e37_79b1))
            .to_be_bytes();
        Mac([0x02, 0x6f, a, b, c, d])
    });
    candidates.find(|mac| !taken(*mac)).unwrap_or_default()
}

/// Unique local addresses (RFC 4193, section 3): where the /64 of a network comes from that asks
/// for IPv6 and names no subnet. `global_id` are 40 random bits, chosen once for a host.
pub fn unique_local(global_id: u64) -> Pool {
    let prefix = 0xfd << 40 | u128::from(global_id & 0xff_ffff_ffff);
    let base = Ipv6Net::new_assert(Ipv6Addr::from_bits(prefix << 80), 48);
    Pool {
        base: base.into(),
        size: 64,
    }
}

#[cfg(test)]
mod tests;
