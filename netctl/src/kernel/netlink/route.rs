//! Routes: the host's are read, a sandbox's default route is set.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_EXCL},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        route::{
            RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
            RouteType,
        },
    },
};

use super::{Netlink, family_of};

/// A unicast route of any table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: IpNet,
    pub gateway: Option<IpAddr>,
    pub index: Option<u32>,
    pub metric: u32,
    pub main_table: bool,
}

impl Netlink {
    pub fn routes(&mut self) -> io::Result<Vec<Route>> {
        let message = RouteMessage::default();
        let replies = self.dump(RouteNetlinkMessage::GetRoute(message))?;
        Ok(replies.into_iter().filter_map(parse).collect())
    }

    pub fn add_default_route(&mut self, index: u32, gateway: IpAddr) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = family_of(gateway);
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        let gateway = match gateway {
            IpAddr::V4(addr) => RouteAddress::Inet(addr),
            IpAddr::V6(addr) => RouteAddress::Inet6(addr),
        };
        message.attributes = vec![RouteAttribute::Gateway(gateway), RouteAttribute::Oif(index)];
        match self.request(
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
        ) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            result => result,
        }
    }
}

fn parse(message: RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    if message.header.kind != RouteType::Unicast {
        return None;
    }
    let mut destination = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut route = Route {
        destination: destination.into(),
        gateway: None,
        index: None,
        metric: 0,
        main_table: message.header.table == RouteHeader::RT_TABLE_MAIN,
    };
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Destination(addr) => destination = ip(&addr)?,
            RouteAttribute::Gateway(addr) => route.gateway = ip(&addr),
            RouteAttribute::Oif(index) => route.index = Some(index),
            RouteAttribute::Priority(metric) => route.metric = metric,
            // The first of several next hops stands for all.
            RouteAttribute::MultiPath(hops) => {
                route.index = route.index.or(hops.first().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    route.destination = IpNet::new(destination, message.header.destination_prefix_length).ok()?;
    Some(route)
}

fn ip(addr: &RouteAddress) -> Option<IpAddr> {
    match addr {
        RouteAddress::Inet(addr) => Some((*addr).into()),
        RouteAddress::Inet6(addr) => Some((*addr).into()),
        _ => None,
    }
}
