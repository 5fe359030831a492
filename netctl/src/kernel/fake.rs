//! A machine in memory that behaves as the kernel does where the plan relies on it.

use super::{
    names::{self, OurLink},
    netlink::link::Ipv6,
    state::{Attachment, Hook, Inside, Key, LocalPorts, Object, State},
};
use crate::{model::Netns, reconcile::step::Step};

#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) state: State,
}

impl Fake {
    /// What is there of the desired objects, and everything else that is ours.
    pub(crate) fn observe(&self) -> State {
        self.state.clone()
    }

    pub(crate) fn apply(&mut self, step: &Step) -> Result<(), String> {
        let state = &mut self.state.0;
        match step {
            Step::FlushFlows(_) => {}
            Step::DeleteEntry { table, key } => {
                state.remove(&Key::Entry(*table, key.clone()));
            }
            Step::PutEntry { table, key, value } => {
                state.insert(
                    Key::Entry(*table, key.clone()),
                    Object::Entry(value.clone()),
                );
            }
            Step::RemoveEveryLink => {
                let links: Vec<OurLink> = state
                    .keys()
                    .filter_map(|key| match key {
                        Key::Anchor(id) => Some(OurLink::Anchor(*id)),
                        Key::Veth(id) => Some(OurLink::Endpoint(*id)),
                        _ => None,
                    })
                    .collect();
                links.into_iter().for_each(|link| self.remove_link(link));
            }
            Step::RemoveLink(link) => self.remove_link(*link),
            Step::Detach(hook, ifindex) => {
                state.remove(&Key::Attachment(*hook, *ifindex));
            }
            Step::RemoveNetns(name) => self.remove_netns(name),
            Step::RemoveNeighbour(ifindex, addr) => {
                state.remove(&Key::Neighbour(*ifindex, *addr));
            }
            Step::PutNeighbour(ifindex, addr, mac) => {
                let own = OurLink::from_ifindex(*ifindex);
                if let Some(OurLink::Anchor(id)) = own
                    && !state.contains_key(&Key::Anchor(id))
                {
                    return Err(format!("no anchor {id}"));
                }
                state.insert(Key::Neighbour(*ifindex, *addr), Object::Neighbour(*mac));
            }
            Step::UnpinMap(name) => {
                state.remove(&Key::MapPin(name));
            }
            Step::PinMap(name) => {
                state.insert(Key::MapPin(name), Object::MapPin);
            }
            Step::CreateNetns(name) => {
                state.insert(Key::Netns(name.clone()), Object::Netns);
            }
            Step::ReserveLocalPorts(ports) => {
                state.remove(&Key::LocalPorts);
                if !ports.is_empty() {
                    let local = LocalPorts {
                        ports: ports.clone(),
                        recorded: true,
                    };
                    state.insert(Key::LocalPorts, Object::LocalPorts(local));
                }
            }
            Step::PutAnchor(id, anchor) => {
                state.insert(Key::Anchor(*id), Object::Anchor(anchor.clone()));
            }
            Step::PutVeth(id, veth, inside) => {
                if let Some(inside) = inside
                    && inside.netns == Netns::Named
                    && !state.contains_key(&Key::Netns(inside.sandbox.clone()))
                {
                    return Err(format!("no namespace {}", inside.sandbox));
                }
                if let Some(inside) = inside
                    && !state.contains_key(&Key::Veth(*id))
                {
                    let fresh = Inside {
                        addresses: Vec::new(),
                        up: false,
                        loopback_up: false,
                        neighbours: Vec::new(),
                        ipv6: Ipv6::On {
                            accept_ra: true,
                            eui64: false,
                            forwarding: false,
                        },
                        gateways: Vec::new(),
                        ..inside.clone()
                    };
                    state.insert(Key::Inside(*id), Object::Inside(fresh));
                }
                state.insert(Key::Veth(*id), Object::Veth(*veth));
            }
            Step::Attach(hook, ifindex) => {
                let on = match OurLink::from_ifindex(*ifindex) {
                    Some(OurLink::Anchor(id)) => Some(Key::Anchor(id)),
                    Some(OurLink::Endpoint(id)) => Some(Key::Veth(id)),
                    None => None,
                };
                if on.is_some_and(|link| !state.contains_key(&link)) {
                    return Err(format!("no interface {ifindex}"));
                }
                state.insert(
                    Key::Attachment(*hook, *ifindex),
                    Object::Attachment(Attachment::WANTED),
                );
            }
            Step::Configure(id, inside) => {
                if !state.contains_key(&Key::Inside(*id)) {
                    return Err(format!("{} has no other end", names::endpoint_name(*id)));
                }
                state.insert(Key::Inside(*id), Object::Inside(inside.clone()));
            }
        }
        Ok(())
    }

    pub(crate) fn remove_link(&mut self, link: OurLink) {
        let (key, hook) = match link {
            OurLink::Anchor(id) => {
                self.state.0.retain(
                    |key, _| !matches!(key, Key::Neighbour(on, _) if *on == link.ifindex()),
                );
                (Key::Anchor(id), Hook::FromHost)
            }
            OurLink::Endpoint(id) => {
                self.state.0.remove(&Key::Inside(id));
                (Key::Veth(id), Hook::FromContainer)
            }
        };
        self.state.0.remove(&key);
        // The pin of a link stays when its interface goes.
        if let Some(Object::Attachment(attachment)) =
            self.state.0.get_mut(&Key::Attachment(hook, link.ifindex()))
        {
            attachment.current = false;
        }
    }

    pub(crate) fn remove_netns(&mut self, name: &str) {
        self.state.0.remove(&Key::Netns(name.to_owned()));
        let dead: Vec<_> = self
            .state
            .0
            .iter()
            .filter_map(|(key, object)| match (key, object) {
                (Key::Inside(id), Object::Inside(inside)) if inside.sandbox == name => Some(*id),
                _ => None,
            })
            .collect();
        for id in dead {
            self.remove_link(OurLink::Endpoint(id));
        }
    }
}
