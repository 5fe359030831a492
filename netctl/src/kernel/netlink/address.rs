//! Addresses of interfaces, of both families.

use std::{io, net::IpAddr};

use ipnet::IpNet;
use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_REPLACE},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope},
    },
};

use super::{Netlink, absent_is_done, family_of};

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub index: u32,
    /// With the length of its subnet's prefix.
    pub net: IpNet,
    pub global: bool,
    /// IPv4: another address of the subnet came first. IPv6: a temporary one (RFC 8981).
    pub secondary: bool,
    /// IPv6: not to be used for new connections (RFC 4862, section 5.5.4).
    pub deprecated: bool,
    /// IPv6: not to be used at all, as somebody else may have it or does.
    pub tentative: bool,
}

impl Address {
    pub fn addr(&self) -> IpAddr {
        self.net.addr()
    }
}

impl Netlink {
    /// Every address of the namespace.
    pub fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let message = AddressMessage::default();
        let replies = self.dump(RouteNetlinkMessage::GetAddress(message))?;
        Ok(replies.into_iter().filter_map(parse).collect())
    }

    /// Adds the address; one that is there already is fine. An IPv6 one is not asked for on the
    /// link first: it is ours to give out, and must be usable at once.
    pub fn add_address(&mut self, index: u32, net: IpNet) -> io::Result<()> {
        let mut message = ours(index, net);
        match net {
            // The subnet's directed broadcast, so that a process may send to it.
            IpNet::V4(net) if net.prefix_len() < 31 => {
                let broadcast = AddressAttribute::Broadcast(net.broadcast());
                message.attributes.push(broadcast);
            }
            IpNet::V4(_) => {}
            IpNet::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
        }
        self.request(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    pub fn delete_address(&mut self, index: u32, net: IpNet) -> io::Result<()> {
        let message = ours(index, net);
        absent_is_done(self.request(RouteNetlinkMessage::DelAddress(message), 0))
    }
}

fn ours(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family_of(net.addr());
    message.header.prefix_len = net.prefix_len();
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(net.addr()),
        AddressAttribute::Address(net.addr()),
    ];
    message
}

fn parse(message: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    let header = &message.header;
    if !matches!(header.family, AddressFamily::Inet | AddressFamily::Inet6) {
        return None;
    }
    // IFA_LOCAL is the interface's own; IFA_ADDRESS is the peer's on point-to-point links.
    let local = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(addr) => Some(*addr),
        _ => None,
    });
    let address = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Address(addr) => Some(*addr),
        _ => None,
    });
    let has = |flag| header.flags.contains(flag);
    Some(Address {
        index: header.index,
        net: IpNet::new(local.or(address)?, header.prefix_len).ok()?,
        global: header.scope == AddressScope::Universe,
        secondary: has(AddressHeaderFlags::Secondary),
        deprecated: has(AddressHeaderFlags::Deprecated),
        tentative: has(AddressHeaderFlags::Tentative) || has(AddressHeaderFlags::Dadfailed),
    })
}
