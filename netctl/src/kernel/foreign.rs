//! Programs of others on the uplinks: they see packets before ours do, or after.

use std::io;

use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage, LinkXdp},
};

use super::{
    bpf::{link, program_name},
    netlink::{Netlink, filter::Direction},
    state::Hook,
};

/// A program on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub interface: String,
    /// `xdp`, `tcx ingress`, `tc egress` (a filter of a clsact qdisc), …
    pub hook: String,
    /// As the kernel has it: of BPF programs at most 15 characters; of other filters the kind.
    pub name: String,
}

/// All of them on these interfaces (by index and name), in the network namespace of this thread.
pub fn programs(interfaces: &[(u32, String)]) -> io::Result<Vec<Program>> {
    let mut netlink = Netlink::open()?;
    let is_ours = |name: &String| Hook::INTERFACE.iter().any(|hook| hook.program() == name);
    let mut found = Vec::new();
    for (index, interface) in interfaces {
        let mut add = |hook: String, name: String| {
            found.push(Program {
                interface: interface.clone(),
                hook,
                name,
            });
        };
        for id in xdp(&mut netlink, *index)? {
            if let Some(name) = named(id, program_name(id))?.filter(|name| !is_ours(name)) {
                add("xdp".to_owned(), name);
            }
        }
        for (direction, attach_type) in [
            (Direction::Ingress, link::TCX_INGRESS),
            (Direction::Egress, link::TCX_EGRESS),
        ] {
            let word = match direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            };
            for id in link::tcx_programs(*index, attach_type)? {
                let name = named(id, program_name(id))?;
                if let Some(name) = name.filter(|name| !is_ours(name)) {
                    add(format!("tcx {word}"), name);
                }
            }
            for name in netlink.foreign_filters(*index, direction)? {
                add(format!("tc {word}"), name);
            }
        }
    }
    // A filter of many parts is listed by each.
    found.dedup();
    Ok(found)
}

/// What a program is called, by what the kernel answered; `None`: it has ended since it was listed.
fn named(id: u32, answer: io::Result<String>) -> io::Result<Option<String>> {
    match answer {
        Ok(name) if name.is_empty() => Ok(Some(format!("program {id}"))),
        Ok(name) => Ok(Some(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Numbers of the interface's XDP programs: of the driver's, the generic and the device's slot.
fn xdp(netlink: &mut Netlink, index: u32) -> io::Result<Vec<u32>> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let Some(RouteNetlinkMessage::NewLink(found)) =
        netlink.get(RouteNetlinkMessage::GetLink(message))?
    else {
        return Ok(Vec::new());
    };
    let attributes = found
        .attributes
        .into_iter()
        .flat_map(|attribute| match attribute {
            LinkAttribute::Xdp(attributes) => attributes,
            _ => Vec::new(),
        });
    let mut ids: Vec<u32> = attributes
        .filter_map(|attribute| match attribute {
            LinkXdp::ProgId(id)
            | LinkXdp::DrvProgId(id)
            | LinkXdp::SkbProgId(id)
            | LinkXdp::HwProgId(id) => Some(id),
            _ => None,
        })
        .filter(|id| *id != 0)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_program_that_ended_meanwhile_hides_no_other() {
        let told = |answer: Result<&str, Errno>| {
            let answer = answer.map(str::to_owned).map_err(io::Error::from);
            named(7, answer).map_err(|error| error.raw_os_error())
        };
        assert_eq!(told(Ok("xdp_firewall")), Ok(Some("xdp_firewall".into())));
        assert_eq!(told(Ok("")), Ok(Some("program 7".into())));
        assert_eq!(told(Err(Errno::ENOENT)), Ok(None));
        let perm = Errno::EPERM as i32;
        assert_eq!(told(Err(Errno::EPERM)), Err(Some(perm)));
    }
}
