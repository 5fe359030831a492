//! Follows the kernel's notifications and says where to look again.

use std::{io, sync::mpsc::Sender};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream::Stream};
use rtnetlink::{
    Handle, MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkFlags, LinkMessage},
        route::{RouteAttribute, RouteMessage},
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{controller::PassError, dirty::Event, worker::Request};
use crate::kernel::{
    names::{self, OurLink},
    observe::LOOPBACK,
};

/// Answered once everything that the kernel had reported before is dealt with.
pub(super) type Settled = oneshot::Sender<Result<(), PassError>>;

/// Subscribes in the network namespace of the calling thread. Who sends to the channel is
/// answered by the worker, after it has heard all that was reported before.
pub(super) fn follow(
    worker: Sender<Request>,
) -> io::Result<(JoinHandle<()>, mpsc::UnboundedSender<Settled>)> {
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv6Route,
        MulticastGroup::Tc,
    ];
    let (connection, handle, mut messages) = new_multicast_connection(&groups)?;
    let (ask, mut asked) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let read = async {
            loop {
                tokio::select! {
                    Some((message, _from)) = messages.next() => report(message, &worker),
                    Some(first) = asked.recv() => {
                        let mut waiting = vec![first];
                        while let Ok(next) = asked.try_recv() {
                            waiting.push(next);
                        }
                        catch_up(&handle, &mut messages, &worker).await;
                        for settled in waiting {
                            // Nobody to ask any more: who waits is told by the dropped channel.
                            let _stopped = worker.send(Request::Settle(settled));
                        }
                    }
                    else => return,
                }
            }
        };
        tokio::select! {
            () = connection => tracing::error!("the netlink connection ended: only the timer is left"),
            () = read => {}
        }
    });
    Ok((task, ask))
}

/// Reports what the kernel had queued before this was called. A socket's answers come in order:
/// behind the one to a question asked now, nothing older follows.
async fn catch_up<A>(
    handle: &Handle,
    messages: &mut (impl Stream<Item = (NetlinkMessage<RouteNetlinkMessage>, A)> + Unpin),
    worker: &Sender<Request>,
) {
    let question = handle.link().get().match_index(LOOPBACK).execute();
    if let Err(error) = question.try_for_each(async |_| Ok(())).await {
        tracing::debug!(%error, "no answer about the loopback interface");
    }
    while let Some(Some((message, _from))) = messages.next().now_or_never() {
        report(message, worker);
    }
}

fn report(message: NetlinkMessage<RouteNetlinkMessage>, worker: &Sender<Request>) {
    let event = match message.payload {
        NetlinkPayload::InnerMessage(message) => event(message),
        NetlinkPayload::Overrun(_) => Some(Event::Lost),
        _ => None,
    };
    if let Some(event) = event {
        // The worker ends with the daemon, and so does this task.
        let _stopped = worker.send(Request::Event(event));
    }
}

fn event(message: RouteNetlinkMessage) -> Option<Event> {
    match message {
        // It is on its way into a container, or out of one.
        RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)
            if names::is_inside(link.header.index) =>
        {
            None
        }
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
    OurLink::from_ifindex(ifindex).map_or(Event::Foreign(ifindex), Event::Stripped)
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
