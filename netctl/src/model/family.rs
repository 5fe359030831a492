//! What IPAM does with the addresses of one family: the sums, the names, the limits. One trait,
//! so that the rules are written once for both.

use std::{
    fmt::{Debug, Display},
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 or IPv6, named by its address type.
pub trait Family:
    Copy + Ord + Hash + Debug + Display + FromStr + Into<IpAddr> + Send + Sync + 'static
{
    type Net: Copy + PartialEq + Debug + Display + FromStr + Into<IpNet>;

    /// As people write it.
    const NAME: &'static str;
    /// Length of an address in bits.
    const BITS: u8;
    /// Shortest prefix of a subnet.
    const SHORTEST: u8;
    /// Longest: a network address, a gateway, a container and a last address.
    const LONGEST: u8;
    /// For messages.
    const EXAMPLE_SUBNET: &'static str;
    /// For messages.
    const EXAMPLE_ADDRESS: &'static str;
    /// Whether a subnet's last address is its broadcast address. IPv6 has none.
    const HAS_BROADCAST: bool;

    /// Ranges that no network may contain a part of, and what they hold.
    fn special() -> &'static [(Self::Net, &'static str)];
    fn bits(self) -> u128;
    /// Of the low bits.
    fn from_bits(bits: u128) -> Self;
    /// `None` where the prefix is longer than an address.
    fn subnet(self, prefix: u8) -> Option<Self::Net>;
    fn network(net: &Self::Net) -> Self;
    fn last(net: &Self::Net) -> Self;
    fn prefix(net: &Self::Net) -> u8;
    /// The subnet, if it is of this family.
    fn of_net(net: &IpNet) -> Option<Self::Net>;
    /// The address, if it is of this family.
    fn of_addr(addr: IpAddr) -> Option<Self>;
}

macro_rules! family {
    ($addr:ty, $net:ty, $variant:ident, $bits:ty, {$($consts:tt)*}, $special:expr) => {
        impl Family for $addr {
            type Net = $net;
            $($consts)*

            fn special() -> &'static [(Self::Net, &'static str)] {
                const SPECIAL: &[($net, &str)] = &$special;
                SPECIAL
            }
            fn bits(self) -> u128 {
                self.to_bits().into()
            }
            fn from_bits(bits: u128) -> Self {
                Self::from_bits(bits as $bits)
            }
            fn subnet(self, prefix: u8) -> Option<Self::Net> {
                <$net>::new(self, prefix).ok()
            }
            fn network(net: &Self::Net) -> Self {
                net.network()
            }
            fn last(net: &Self::Net) -> Self {
                net.broadcast()
            }
            fn prefix(net: &Self::Net) -> u8 {
                net.prefix_len()
            }
            fn of_net(net: &IpNet) -> Option<Self::Net> {
                match net {
                    IpNet::$variant(net) => Some(*net),
                    _ => None,
                }
            }
            fn of_addr(addr: IpAddr) -> Option<Self> {
                match addr {
                    IpAddr::$variant(addr) => Some(addr),
                    _ => None,
                }
            }
        }
    };
}

family!(
    Ipv4Addr,
    Ipv4Net,
    V4,
    u32,
    {
        const NAME: &'static str = "IPv4";
        const BITS: u8 = 32;
        const SHORTEST: u8 = 8;
        const LONGEST: u8 = 30;
        const EXAMPLE_SUBNET: &'static str = "10.1.2.0/24";
        const EXAMPLE_ADDRESS: &'static str = "10.1.2.3";
        const HAS_BROADCAST: bool = true;
    },
    [
        // RFC 6890.
        (
            Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8),
            "unspecified"
        ),
        (
            Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
            "loopback"
        ),
        (
            Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
            "multicast"
        ),
        (
            Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
            "reserved"
        ),
    ]
);

family!(
    Ipv6Addr,
    Ipv6Net,
    V6,
    u128,
    {
        const NAME: &'static str = "IPv6";
        const BITS: u8 = 128;
        const SHORTEST: u8 = 16;
        const LONGEST: u8 = 126;
        const EXAMPLE_SUBNET: &'static str = "fd12:3456:789a:1::/64";
        const EXAMPLE_ADDRESS: &'static str = "fd12:3456:789a:1::3";
        const HAS_BROADCAST: bool = false;
    },
    [
        // RFC 4291, section 2.4: ::/8 holds ::, ::1 and the v4-mapped addresses.
        (
            Ipv6Net::new_assert(Ipv6Addr::from_bits(0), 8),
            "loopback or v4-mapped"
        ),
        (
            Ipv6Net::new_assert(Ipv6Addr::from_bits(0xfe80 << 112), 10),
            "link-local"
        ),
        // RFC 3879.
        (
            Ipv6Net::new_assert(Ipv6Addr::from_bits(0xfec0 << 112), 10),
            "deprecated site-local"
        ),
        (
            Ipv6Net::new_assert(Ipv6Addr::from_bits(0xff00 << 112), 8),
            "multicast"
        ),
    ]
);
