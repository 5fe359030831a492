//! Numbers that a network namespace has for others: a veth names the one of its other end so.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    nsid::{NsidAttribute, NsidMessage},
};

use super::Netlink;

impl Netlink {
    /// The number that this socket's namespace has for another one; `None` when it has none.
    ///
    /// The kernel gives one when it first lists an interface whose other end is there.
    pub fn netns_number(&mut self, netns: BorrowedFd<'_>) -> io::Result<Option<i32>> {
        let mut message = NsidMessage::default();
        message
            .attributes
            .push(NsidAttribute::Fd(netns.as_raw_fd() as u32));
        let reply = self.get(RouteNetlinkMessage::GetNsId(message))?;
        let Some(RouteNetlinkMessage::NewNsId(found)) = reply else {
            return Ok(None);
        };
        let mut numbers = found
            .attributes
            .iter()
            .filter_map(|attribute| match attribute {
                // NETNSA_NSID_NOT_ASSIGNED is -1.
                NsidAttribute::Id(number) => Some(*number).filter(|number| *number >= 0),
                _ => None,
            });
        Ok(numbers.next_back())
    }
}
