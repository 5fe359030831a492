//! Follows the kernel's notifications and says where to look again.

use std::{io, sync::mpsc::Sender};

use futures_util::StreamExt as _;
use rtnetlink::{
    MulticastGroup, new_multicast_connection,
    packet_core::NetlinkPayload,
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkFlags, LinkMessage},
        route::{RouteAttribute, RouteMessage},
    },
};
use tokio::task::JoinHandle;

use super::{dirty::Event, worker::Request};
use crate::kernel::names::OurLink;

/// Subscribes in the network namespace of the calling thread.
pub(super) fn follow(filters: bool, worker: Sender<Request>) -> io::Result<JoinHandle<()>> {
    let mut groups = vec![
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv4Route,
    ];
    if filters {
        groups.push(MulticastGroup::Tc);
    }
    let (connection, handle, mut messages) = new_multicast_connection(&groups)?;
    Ok(tokio::spawn(async move {
        let read = async {
            while let Some((message, _from)) = messages.next().await {
                let event = match message.payload {
                    NetlinkPayload::InnerMessage(message) => event(message),
                    NetlinkPayload::Overrun(_) => Some(Event::Lost),
                    _ => None,
                };
                if let Some(event) = event
                    && worker.send(Request::Event(event)).is_err()
                {
                    return;
                }
            }
        };
        // The connection ends when its last handle is dropped.
        let _handle = handle;
        tokio::select! {
            () = connection => tracing::error!("the netlink connection ended: only the timer is left"),
            () = read => {}
        }
    }))
}

fn event(message: RouteNetlinkMessage) -> Option<Event> {
    match message {
        RouteNetlinkMessage::NewLink(link) => Some(link_event(&link, true)),
        RouteNetlinkMessage::DelLink(link) => Some(link_event(&link, false)),
        RouteNetlinkMessage::NewAddress(message) => foreign(message.header.index),
        RouteNetlinkMessage::DelAddress(message) => Some(stripped(message.header.index)),
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
            foreign(out_interface(&route))
        }
        RouteNetlinkMessage::DelQueueDiscipline(message)
        | RouteNetlinkMessage::DelTrafficFilter(message) => {
            Some(stripped(message.header.index as u32))
        }
        _ => None,
    }
}

fn link_event(link: &LinkMessage, exists: bool) -> Event {
    match OurLink::from_ifindex(link.header.index) {
        Some(ours) => Event::Ours {
            link: ours,
            sound: exists && link.header.flags.contains(LinkFlags::Up),
        },
        None => Event::Host,
    }
}

/// News that only matter of interfaces that are not ours.
fn foreign(ifindex: u32) -> Option<Event> {
    OurLink::from_ifindex(ifindex)
        .is_none()
        .then_some(Event::Host)
}

fn stripped(ifindex: u32) -> Event {
    OurLink::from_ifindex(ifindex).map_or(Event::Host, Event::Stripped)
}

fn out_interface(route: &RouteMessage) -> u32 {
    let index = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        });
    index.unwrap_or(0)
}
