//! clsact qdiscs and their BPF filters: how programs are attached to interfaces of our own, and to
//! uplinks before TCX (6.6).
//!
//! The filter of an interface and direction has a fixed priority and handle, so it is found
//! again by a daemon with no memory, and replaced in place: no packet passes without it.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE},
    packet_route::{
        RouteNetlinkMessage,
        tc::{
            TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcMessage, TcOption,
        },
    },
};

use super::{Netlink, absent_is_done, is_absent};
use crate::kernel::names::FILTER_PRIORITY;

const CLSACT: &str = "clsact";
/// ETH_P_ALL
const ALL_PROTOCOLS: u16 = 0x0003;

/// Where on the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Packets that the interface receives.
    Ingress,
    /// Packets that leave by the interface.
    Egress,
}

impl Direction {
    const fn parent(self) -> TcHandle {
        TcHandle {
            major: TcHandle::CLSACT.major,
            minor: match self {
                Self::Ingress => TcHandle::MIN_INGRESS,
                Self::Egress => TcHandle::MIN_EGRESS,
            },
        }
    }
}

impl Netlink {
    /// True when it was not there before.
    pub fn add_clsact(&mut self, index: u32) -> io::Result<bool> {
        let message = clsact(index);
        match self.request(
            RouteNetlinkMessage::NewQueueDiscipline(message),
            NLM_F_CREATE | NLM_F_EXCL,
        ) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the interface's clsact qdisc unless others have a filter in it. False, with nothing
    /// done, while one of ours is.
    pub fn release_clsact(&mut self, index: u32) -> io::Result<bool> {
        let mut filters = self.filters(index, Direction::Ingress)?;
        filters.extend(self.filters(index, Direction::Egress)?);
        if filters.iter().any(is_ours) {
            return Ok(false);
        }
        if filters.is_empty() {
            let request = RouteNetlinkMessage::DelQueueDiscipline(clsact(index));
            absent_is_done(self.request(request, 0))?;
        }
        Ok(true)
    }

    /// Names of the BPF programs, and kinds of the other filters, that others have there.
    pub fn foreign_filters(&mut self, index: u32, direction: Direction) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for filter in self.filters(index, direction)? {
            if is_ours(&filter) {
                continue;
            }
            let mut name = None;
            for attribute in filter.attributes {
                match attribute {
                    TcAttribute::Kind(kind) => name = name.or(Some(kind)),
                    TcAttribute::Options(options) => {
                        for option in options {
                            if let TcOption::Bpf(TcFilterBpfOption::ProgName(program)) = option {
                                name = Some(program);
                            }
                        }
                    }
                    _ => {}
                }
            }
            found.extend(name);
        }
        Ok(found)
    }

    /// Number of our filter's program, if it is there and was put under that name.
    pub fn filter_program(
        &mut self,
        index: u32,
        direction: Direction,
        name: &str,
    ) -> io::Result<Option<u32>> {
        let ours = self.filters(index, direction)?.into_iter().find(is_ours);
        let options = ours.into_iter().flat_map(|filter| filter.attributes);
        let options = options.flat_map(|attribute| match attribute {
            TcAttribute::Options(options) => options,
            _ => Vec::new(),
        });
        let (mut id, mut named) = (None, false);
        for option in options {
            match option {
                TcOption::Bpf(TcFilterBpfOption::ProgId(found)) => id = Some(found),
                TcOption::Bpf(TcFilterBpfOption::ProgName(found)) => named = found == name,
                _ => {}
            }
        }
        Ok(id.filter(|_| named))
    }

    /// Adds our filter or replaces its program.
    pub fn put_filter(
        &mut self,
        index: u32,
        direction: Direction,
        program: BorrowedFd<'_>,
        name: &str,
    ) -> io::Result<()> {
        let mut message = filter(index, direction);
        message.attributes = vec![
            TcAttribute::Kind(TcFilterBpf::KIND.to_owned()),
            TcAttribute::Options(vec![
                TcOption::Bpf(TcFilterBpfOption::ProgFd(program.as_raw_fd() as u32)),
                TcOption::Bpf(TcFilterBpfOption::ProgName(name.to_owned())),
                TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
            ]),
        ];
        self.request(
            RouteNetlinkMessage::NewTrafficFilter(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// Removes our filter, wherever it is not there already.
    pub fn delete_filter(&mut self, index: u32, direction: Direction) -> io::Result<()> {
        let mut message = filter(index, direction);
        message.attributes = vec![TcAttribute::Kind(TcFilterBpf::KIND.to_owned())];
        match self.request(RouteNetlinkMessage::DelTrafficFilter(message), 0) {
            // What the kernel says where there is no clsact qdisc.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            result => absent_is_done(result),
        }
    }

    fn filters(&mut self, index: u32, direction: Direction) -> io::Result<Vec<TcMessage>> {
        let mut message = TcMessage::with_index(index as i32);
        message.header.parent = direction.parent();
        let replies = match self.dump(RouteNetlinkMessage::GetTrafficFilter(message)) {
            Ok(replies) => replies,
            Err(error) if is_absent(&error) || error.raw_os_error() == Some(libc::EINVAL) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        Ok(replies
            .into_iter()
            .filter_map(|reply| match reply {
                // A priority's chain is listed once by itself, without a handle.
                RouteNetlinkMessage::NewTrafficFilter(filter)
                    if u32::from(filter.header.handle) != 0 =>
                {
                    Some(filter)
                }
                _ => None,
            })
            .collect())
    }
}

fn is_ours(filter: &TcMessage) -> bool {
    filter.header.info >> 16 == u32::from(FILTER_PRIORITY) && u32::from(filter.header.handle) == 1
}

fn clsact(index: u32) -> TcMessage {
    let mut message = TcMessage::with_index(index as i32);
    message.header.handle = TcHandle {
        major: TcHandle::CLSACT.major,
        minor: 0,
    };
    message.header.parent = TcHandle::CLSACT;
    message.attributes = vec![TcAttribute::Kind(CLSACT.to_owned())];
    message
}

fn filter(index: u32, direction: Direction) -> TcMessage {
    let mut message = TcMessage::with_index(index as i32);
    message.header.parent = direction.parent();
    message.header.handle = TcHandle::from(1);
    message.header.info = u32::from(FILTER_PRIORITY) << 16 | u32::from(ALL_PROTOCOLS.to_be());
    message
}
