//! IPv4 addresses of interfaces.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_REPLACE},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope},
    },
};

use super::{Netlink, absent_is_done};

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub index: u32,
    pub addr: Ipv4Addr,
    pub prefix: u8,
    pub global: bool,
    pub secondary: bool,
}

impl Netlink {
    /// Every IPv4 address of the namespace.
    pub fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        let replies = self.dump(RouteNetlinkMessage::GetAddress(message))?;
        Ok(replies.into_iter().filter_map(parse).collect())
    }

    /// Adds the address; one that is there already is fine.
    pub fn add_address(&mut self, index: u32, addr: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut message = ours(index, addr, prefix);
        // The subnet's directed broadcast, so that a process may send to it.
        if prefix < 31 {
            let host_bits = u32::MAX >> prefix;
            message.attributes.push(AddressAttribute::Broadcast(
                (u32::from(addr) | host_bits).into(),
            ));
        }
        self.request(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    pub fn delete_address(&mut self, index: u32, addr: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let message = ours(index, addr, prefix);
        absent_is_done(self.request(RouteNetlinkMessage::DelAddress(message), 0))
    }
}

fn ours(index: u32, addr: Ipv4Addr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = prefix;
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(IpAddr::V4(addr)),
        AddressAttribute::Address(IpAddr::V4(addr)),
    ];
    message
}

fn parse(message: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    // IFA_LOCAL is the interface's own; IFA_ADDRESS is the peer's on point-to-point links.
    let local = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(IpAddr::V4(addr)) => Some(*addr),
        _ => None,
    });
    let address = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Address(IpAddr::V4(addr)) => Some(*addr),
        _ => None,
    });
    Some(Address {
        index: message.header.index,
        addr: local.or(address)?,
        prefix: message.header.prefix_len,
        global: message.header.scope == AddressScope::Universe,
        secondary: message.header.flags.contains(AddressHeaderFlags::Secondary),
    })
}
