//! Permanent neighbour entries.
//!
//! They are exempt from the machine's limit of neighbours (gc_thresh3, 1024 as it comes): on it
//! a network of more members would fail at random, for the host and inside every sandbox.

use std::{io, net::IpAddr};

use netctl_common::wire::Mac;
use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_REPLACE},
    packet_route::{
        RouteNetlinkMessage,
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
        route::RouteProtocol,
    },
};

use super::{Netlink, absent_is_done, family_of};
use crate::kernel::names::NEIGHBOUR_PROTOCOL;

/// A permanent entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    pub index: u32,
    pub addr: IpAddr,
    pub mac: Mac,
    /// Has our protocol number.
    pub marked: bool,
}

impl Netlink {
    /// The namespace's permanent entries.
    pub fn neighbours(&mut self) -> io::Result<Vec<Neighbour>> {
        let message = NeighbourMessage::default();
        let replies = self.dump(RouteNetlinkMessage::GetNeighbour(message))?;
        Ok(replies.into_iter().filter_map(parse).collect())
    }

    /// The permanent entry of one address.
    pub fn neighbour(&mut self, index: u32, addr: IpAddr) -> io::Result<Option<Neighbour>> {
        let reply = self.get(RouteNetlinkMessage::GetNeighbour(entry(index, addr)))?;
        Ok(reply.and_then(parse))
    }

    pub fn put_neighbour(&mut self, index: u32, addr: IpAddr, mac: Mac) -> io::Result<()> {
        let mut message = entry(index, addr);
        message.header.state = NeighbourState::Permanent;
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        message
            .attributes
            .push(NeighbourAttribute::Protocol(NEIGHBOUR_PROTOCOL.into()));
        self.request(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    pub fn delete_neighbour(&mut self, index: u32, addr: IpAddr) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelNeighbour(entry(index, addr));
        absent_is_done(self.request(message, 0))
    }
}

fn entry(index: u32, addr: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(addr);
    message.header.ifindex = index;
    let addr = match addr {
        IpAddr::V4(addr) => NeighbourAddress::Inet(addr),
        IpAddr::V6(addr) => NeighbourAddress::Inet6(addr),
    };
    message.attributes = vec![NeighbourAttribute::Destination(addr)];
    message
}

fn parse(message: RouteNetlinkMessage) -> Option<Neighbour> {
    let RouteNetlinkMessage::NewNeighbour(message) = message else {
        return None;
    };
    if message.header.state != NeighbourState::Permanent {
        return None;
    }
    let mut addr = None;
    let mut mac = None;
    let mut marked = false;
    for attribute in message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(found)) => {
                addr = Some(found.into());
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(found)) => {
                addr = Some(found.into());
            }
            NeighbourAttribute::LinkLayerAddress(found) => mac = found.try_into().ok().map(Mac),
            NeighbourAttribute::Protocol(protocol) => {
                marked = protocol == RouteProtocol::from(NEIGHBOUR_PROTOCOL);
            }
            _ => {}
        }
    }
    Some(Neighbour {
        index: message.header.ifindex,
        addr: addr?,
        mac: mac?,
        marked,
    })
}
