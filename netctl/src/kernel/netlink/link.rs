//! Links: what they are, and the few ways in which we make and change them.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use netctl_common::wire::Mac;
use rtnetlink::{
    packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL},
    packet_route::{
        RouteNetlinkMessage,
        link::{
            AfSpecInet, AfSpecInet6, AfSpecUnspec, InfoBridge, InfoData, InfoKind, InfoVeth,
            LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
            LinkXdp, XdpAttached,
        },
    },
};

use super::{Netlink, absent_is_done};

/// What netlink tells of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub alias: Option<String>,
    pub mac: Option<Mac>,
    pub mtu: u32,
    pub frame: Frame,
    pub loopback: bool,
    pub up: bool,
    pub arp: bool,
    pub kind: Kind,
    /// Index of the interface that this one is a part of.
    pub master: Option<u32>,
    /// Number of the network namespace that the other end is in, as this one counts them; `None`
    /// when it is in this one.
    pub peer_netns: Option<i32>,
    /// Index of the other end there; of a VLAN, of the interface that carries it.
    pub peer: Option<u32>,
    pub group: u32,
    pub forwarding: bool,
    pub route_localnet: bool,
    pub ipv6: Ipv6,
    pub xdp: Option<Xdp>,
}

/// An interface's XDP program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xdp {
    pub place: XdpPlace,
    /// Its number; 0 where there are several.
    pub program: u32,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpPlace {
    /// In the driver, before the packet has a buffer of the stack's (native mode).
    Driver,
    /// In the stack's receive path (generic mode).
    Stack,
    /// In the device, or in several of these.
    Other,
}

/// What made it, as far as that matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Bridge,
    Veth,
    Vlan,
    #[default]
    Other,
}

/// What the interface's frames begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frame {
    Ethernet,
    /// The IP header: tun, WireGuard, PPP, tunnels.
    Ip,
    #[default]
    Other,
}

/// An interface's part in IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv6 {
    /// None, as on a kernel without IPv6.
    #[default]
    Off,
    On {
        /// Routers may configure it (accept_ra).
        accept_ra: bool,
        /// Its link-local address is made of its MAC (addr_gen_mode, RFC 4291 appendix A).
        eui64: bool,
        forwarding: bool,
    },
}

/// A bridge without ports, to be made.
pub struct NewBridge<'a> {
    pub index: u32,
    pub name: &'a str,
    pub mac: Mac,
    pub mtu: u32,
}

/// A veth pair, to be made with its other end inside a namespace, or in this one.
pub struct NewVeth<'a> {
    pub index: u32,
    pub name: &'a str,
    pub mtu: u32,
    pub peer_index: u32,
    pub peer_name: &'a str,
    pub peer_mac: Mac,
    pub peer_netns: Option<BorrowedFd<'a>>,
}

/// What to change of a link; `None` leaves it.
#[derive(Default)]
pub struct Change<'a> {
    pub up: Option<bool>,
    pub arp: Option<bool>,
    pub mac: Option<Mac>,
    pub mtu: Option<u32>,
    pub alias: Option<&'a str>,
    pub group: Option<u32>,
    pub no_master: bool,
}

impl Netlink {
    pub fn link(&mut self, index: u32) -> io::Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(skip_stats());
        Ok(self
            .get(RouteNetlinkMessage::GetLink(message))?
            .and_then(parse))
    }

    /// A link of another network namespace, by the number that this one has for it.
    pub fn link_in(&mut self, netns: i32, index: u32) -> io::Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(skip_stats());
        let netns = DefaultNla::new(IFLA_TARGET_NETNSID, netns.to_ne_bytes().to_vec());
        message.attributes.push(LinkAttribute::Other(netns));
        match self.get(RouteNetlinkMessage::GetLink(message)) {
            // The namespace has ended.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(None),
            result => Ok(result?.and_then(parse)),
        }
    }

    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let mut message = LinkMessage::default();
        message.attributes.push(skip_stats());
        let replies = self.dump(RouteNetlinkMessage::GetLink(message))?;
        Ok(replies.into_iter().filter_map(parse).collect())
    }

    pub fn add_bridge(&mut self, new: &NewBridge<'_>) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = new.index;
        // Without this flag a packet that leaves by the anchor would first be held for ARP,
        // which nobody behind a bridge without ports answers.
        message.header.flags = LinkFlags::Noarp;
        message.header.change_mask = LinkFlags::Noarp;
        message.attributes = vec![
            LinkAttribute::IfName(new.name.to_owned()),
            LinkAttribute::Mtu(new.mtu),
            LinkAttribute::Address(new.mac.0.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
            ]),
        ];
        self.request(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    pub fn add_veth(&mut self, new: &NewVeth<'_>) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.header.index = new.peer_index;
        peer.attributes = vec![
            LinkAttribute::IfName(new.peer_name.to_owned()),
            LinkAttribute::Mtu(new.mtu),
            LinkAttribute::Address(new.peer_mac.0.to_vec()),
        ];
        let netns = new.peer_netns;
        peer.attributes
            .extend(netns.map(|netns| LinkAttribute::NetNsFd(netns.as_raw_fd())));
        let mut message = LinkMessage::default();
        message.header.index = new.index;
        message.attributes = vec![
            LinkAttribute::IfName(new.name.to_owned()),
            LinkAttribute::Mtu(new.mtu),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.request(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    pub fn change_link(&mut self, index: u32, change: &Change<'_>) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        for (flag, wanted) in [
            (LinkFlags::Up, change.up),
            (LinkFlags::Noarp, change.arp.map(|arp| !arp)),
        ] {
            if let Some(set) = wanted {
                message.header.change_mask |= flag;
                message.header.flags.set(flag, set);
            }
        }
        let attributes = &mut message.attributes;
        attributes.extend(change.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        attributes.extend(change.mtu.map(LinkAttribute::Mtu));
        attributes.extend(change.group.map(LinkAttribute::Group));
        attributes.extend(
            change
                .alias
                .map(|alias| LinkAttribute::IfAlias(alias.to_owned())),
        );
        if change.no_master {
            attributes.push(LinkAttribute::Controller(0));
        }
        self.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    pub fn delete_link(&mut self, index: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        absent_is_done(self.request(RouteNetlinkMessage::DelLink(message), 0))
    }

    /// Removes every link of a group at once.
    pub fn delete_group(&mut self, group: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::Group(group)];
        absent_is_done(self.request(RouteNetlinkMessage::DelLink(message), 0))
    }
}

/// Statistics are most of a link's listing and read every CPU's counters.
fn skip_stats() -> LinkAttribute {
    LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])
}

fn parse(message: RouteNetlinkMessage) -> Option<Link> {
    match message {
        RouteNetlinkMessage::NewLink(message) => Some(from_message(message)),
        _ => None,
    }
}

/// Also used for notifications.
pub fn from_message(message: LinkMessage) -> Link {
    let header = message.header;
    let mut link = Link {
        index: header.index,
        frame: frame(header.link_layer_type),
        loopback: header.flags.contains(LinkFlags::Loopback),
        up: header.flags.contains(LinkFlags::Up),
        arp: !header.flags.contains(LinkFlags::Noarp),
        ..Link::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(mac) => link.mac = mac.try_into().ok().map(Mac),
            LinkAttribute::Group(group) => link.group = group,
            LinkAttribute::Controller(master) => link.master = (master != 0).then_some(master),
            LinkAttribute::Link(peer) => link.peer = Some(peer),
            LinkAttribute::LinkNetNsId(id) => link.peer_netns = Some(id),
            LinkAttribute::LinkInfo(infos) => link.kind = kind(&infos),
            LinkAttribute::AfSpecUnspec(families) => read_sysctls(&mut link, &families),
            LinkAttribute::Xdp(values) => link.xdp = xdp(&values),
            _ => {}
        }
    }
    link
}

fn xdp(values: &[LinkXdp]) -> Option<Xdp> {
    let mut places = values.iter().filter_map(|value| match value {
        LinkXdp::Attached(XdpAttached::None) => None,
        LinkXdp::Attached(XdpAttached::Driver) => Some(XdpPlace::Driver),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(XdpPlace::Stack),
        LinkXdp::Attached(_) => Some(XdpPlace::Other),
        _ => None,
    });
    let mut programs = values.iter().filter_map(|value| match value {
        LinkXdp::ProgId(program) => Some(*program),
        _ => None,
    });
    let program = programs.next().unwrap_or_default();
    let place = places.next_back()?;
    Some(Xdp { place, program })
}

fn kind(infos: &[LinkInfo]) -> Kind {
    let mut kinds = infos.iter().filter_map(|info| match info {
        LinkInfo::Kind(InfoKind::Bridge) => Some(Kind::Bridge),
        LinkInfo::Kind(InfoKind::Veth) => Some(Kind::Veth),
        LinkInfo::Kind(InfoKind::Vlan) => Some(Kind::Vlan),
        _ => None,
    });
    kinds.next_back().unwrap_or_default()
}

/// Of include/uapi/linux/if_link.h.
const IFLA_TARGET_NETNSID: u16 = 46;

/// IN6_ADDR_GEN_MODE_EUI64 of include/uapi/linux/if_link.h.
const EUI64: i32 = 0;

/// ARPHRD_… of include/uapi/linux/if_arp.h.
const fn frame(kind: LinkLayerType) -> Frame {
    match kind {
        LinkLayerType::Ether => Frame::Ethernet,
        LinkLayerType::None
        | LinkLayerType::Rawip
        | LinkLayerType::Ppp
        | LinkLayerType::Tunnel
        | LinkLayerType::Tunnel6
        | LinkLayerType::Sit
        | LinkLayerType::Ipgre
        | LinkLayerType::Ip6gre => Frame::Ip,
        _ => Frame::Other,
    }
}

/// A link's listing carries its sysctls: observing them costs nothing more.
fn read_sysctls(link: &mut Link, families: &[AfSpecUnspec]) {
    for family in families {
        match family {
            AfSpecUnspec::Inet(values) => {
                for value in values {
                    if let AfSpecInet::DevConf(conf) = value {
                        link.forwarding = conf.forwarding != 0;
                        link.route_localnet = conf.route_localnet != 0;
                    }
                }
            }
            AfSpecUnspec::Inet6(values) => {
                for value in values {
                    if let AfSpecInet6::DevConf(conf) = value {
                        link.ipv6 = match conf.disable_ipv6 {
                            0 => Ipv6::On {
                                accept_ra: conf.accept_ra != 0,
                                eui64: conf.addr_gen_mode == EUI64,
                                forwarding: conf.forwarding != 0,
                            },
                            _ => Ipv6::Off,
                        };
                    }
                }
            }
            _ => {}
        }
    }
}
