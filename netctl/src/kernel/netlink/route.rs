//! IPv4 routes: the host's are read, a sandbox's default route is set.

use std::{io, net::Ipv4Addr};

use ipnet::Ipv4Net;
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

use super::Netlink;

/// A unicast route of any table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: Ipv4Net,
    pub gateway: Option<Ipv4Addr>,
    pub index: Option<u32>,
    pub metric: u32,
    pub main_table: bool,
}

impl Netlink {
    pub fn routes(&mut self) -> io::Result<Vec<Route>> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        let replies = self.dump(RouteNetlinkMessage::GetRoute(message))?;
        Ok(replies.into_iter().filter_map(parse).collect())
    }

    pub fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)),
            RouteAttribute::Oif(index),
        ];
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
    let mut destination = Ipv4Addr::UNSPECIFIED;
    let mut route = Route {
        destination: Ipv4Net::default(),
        gateway: None,
        index: None,
        metric: 0,
        main_table: message.header.table == RouteHeader::RT_TABLE_MAIN,
    };
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(addr)) => destination = addr,
            RouteAttribute::Gateway(RouteAddress::Inet(addr)) => route.gateway = Some(addr),
            RouteAttribute::Oif(index) => route.index = Some(index),
            RouteAttribute::Priority(metric) => route.metric = metric,
            // The first of several next hops stands for all.
            RouteAttribute::MultiPath(hops) => {
                route.index = route.index.or(hops.first().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    route.destination = Ipv4Net::new(destination, message.header.destination_prefix_length).ok()?;
    Some(route)
}
