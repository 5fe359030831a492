//! A limit: the kernel's own bridge and forwarding without any rule, connection tracking or
//! translation. The LAN knows the way to the containers' addresses and uses them.

use std::net::Ipv4Addr;

use super::{Bed, Cast, INNER, Path, Route, route_of, same_conditions_in, sh};
use crate::{
    bench::interrupt,
    lab::{HOST, LAN, Lab},
};

pub(super) const WEB: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 2);

pub struct Routed {
    lab: Lab,
    cast: Cast,
}

impl Routed {
    pub const NAME: &str = "routed, no NAT";

    pub fn start() -> Result<Self, String> {
        let (lab, cast) = bridged()?;
        let route = format!("ip route add 172.20.0.0/16 via {HOST}");
        sh(lab.lan_place(), &route)?;
        Ok(Self { lab, cast })
    }
}

/// A lab with a bridge, and its members.
pub(super) fn bridged() -> Result<(Lab, Cast), String> {
    interrupt::check()?;
    let lab = Lab::bare();
    sh(
        lab.host_place(),
        "ip link add br0 type bridge
         ip addr add 172.20.0.1/16 dev br0
         ip link set br0 up
         echo 1 > /proc/sys/net/ipv4/ip_forward
         echo 1 > /proc/sys/net/ipv4/conf/br0/route_localnet
         for end in web:2 client:3; do
             name=${end%:*}
             ip netns add $name
             ip link add v-$name type veth peer name eth0 netns $name
             ip link set v-$name master br0 up
             ip link set v-$name type bridge_slave hairpin on
             ip -n $name addr add 172.20.0.${end#*:}/16 dev eth0
             ip -n $name link set eth0 up
             ip -n $name link set lo up
             ip -n $name route add default via 172.20.0.1
         done",
    )?;
    let cast = Cast::named(&lab, WEB);
    same_conditions_in(&lab, &cast)?;
    Ok((lab, cast))
}

/// Gives the bridge and its members IPv6: fd00:20::/64, with the last numbers of IPv4.
pub(super) fn with_ipv6(lab: &Lab) -> Result<(), String> {
    sh(
        lab.host_place(),
        "ip addr add fd00:20::1/64 dev br0 nodad
         echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
         for end in web:2 client:3; do
             name=${end%:*}
             ip -n $name addr add fd00:20::${end#*:}/64 dev eth0 nodad
             ip -n $name -6 route add default via fd00:20::1
         done",
    )
    .map(drop)
}

impl Bed for Routed {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn route(&self, path: Path) -> Option<Route> {
        let addr = match path {
            Path::Same | Path::Published => WEB,
            Path::Outside => LAN,
            // Published ports by another address, which takes a translation.
            Path::Loopback | Path::Direct | Path::Own | Path::Neighbour => return None,
        };
        let route = route_of(&self.lab, &self.cast, path);
        Some(Route {
            target: (addr, INNER).into(),
            ..route
        })
    }
}
