//! The steps from what is to what should be: pure, so that it can be printed and tested.

use std::collections::BTreeSet;

use super::step::{Flush, Step};
use crate::{
    kernel::{
        names::{self, OurLink},
        port_set::PortSet,
        state::{Hook, Key, Object, State},
    },
    model::PortId,
};

/// How much of the machine two states show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    Whole,
    /// There may be more of the machine that is wanted.
    Part,
}

/// What is observed but not desired goes, what is desired but not observed comes; both states
/// are of the same part of the machine.
pub fn plan(desired: &State, observed: &State, view: View) -> Vec<Step> {
    let broken = broken_pairs(desired, observed);
    let mut steps: Vec<Step> = broken
        .iter()
        .filter_map(|key| match key {
            Key::Veth(id) => Some(Step::RemoveLink(OurLink::Endpoint(*id))),
            _ => None,
        })
        .collect();
    steps.extend(flushes(desired, observed));
    for key in observed.0.keys().filter(|key| !desired.contains(key)) {
        steps.extend(remove(key));
    }
    join_removals(&mut steps, view, desired);
    for (key, object) in &desired.0 {
        if broken.contains(key) || observed.get(key) != Some(object) {
            steps.extend(put(key, object, desired));
        }
    }
    steps.sort_by_key(Step::stage);
    steps
}

/// Where no link is wanted any more, one step removes all of them.
fn join_removals(steps: &mut Vec<Step>, view: View, desired: &State) {
    let is_removal = |step: &Step| matches!(step, Step::RemoveLink(_));
    let any_wanted = desired
        .0
        .keys()
        .any(|key| matches!(key, Key::Anchor(_) | Key::Veth(_)));
    if view == View::Whole && !any_wanted && steps.iter().any(is_removal) {
        steps.retain(|step| !is_removal(step));
        steps.push(Step::RemoveEveryLink);
    }
}

/// Veths whose other end is not in its sandbox (somebody moved it, or made the namespace anew),
/// with the attachments that go when they are made again.
fn broken_pairs(desired: &State, observed: &State) -> BTreeSet<Key> {
    let mut broken = BTreeSet::new();
    for key in desired.0.keys() {
        if let Key::Inside(id) = key
            && observed.veth(*id).is_some()
            && observed.inside(*id).is_none()
        {
            broken.insert(Key::Veth(*id));
            let ifindex = names::endpoint_ifindex(*id);
            broken.insert(Key::Attachment(Hook::FromContainer, ifindex));
        }
    }
    broken
}

/// Flows that rest on a published port or a host address that goes. Those of a removed endpoint
/// are dead by themselves, so an endpoint's removal costs no walk through the table.
fn flushes(desired: &State, observed: &State) -> Vec<Step> {
    let kept = published(desired).map(|(id, _)| id);
    let kept: BTreeSet<PortId> = kept.collect();
    let gone = published(observed).filter(|(_, endpoint)| {
        has_endpoint(desired, *endpoint) || !has_endpoint(observed, *endpoint)
    });
    let ports: BTreeSet<PortId> = gone.map(|(id, _)| id).collect();
    let ports = ports.difference(&kept).map(|id| Flush::Port(*id));
    let addresses = observed.0.keys().filter_map(|key| match key {
        Key::Entry(table, entry) if !desired.contains(key) => {
            table.local(entry).map(Flush::Address)
        }
        _ => None,
    });
    ports.chain(addresses).map(Step::FlushFlows).collect()
}

/// Whether the datapath knows the interface: another may stand in its slot.
fn has_endpoint(state: &State, ifindex: u32) -> bool {
    let key = Key::endpoint(ifindex);
    match (state.get(&key), &key) {
        (Some(Object::Entry(value)), Key::Entry(table, slot)) => {
            table.ifindex(slot, value) == Some(ifindex)
        }
        _ => false,
    }
}

/// Published port and its endpoint's interface, once for each entry.
fn published(state: &State) -> impl Iterator<Item = (PortId, u32)> {
    state
        .0
        .iter()
        .filter_map(|(key, object)| match (key, object) {
            (Key::Entry(table, _), Object::Entry(value)) => table.published(value),
            _ => None,
        })
}

fn remove(key: &Key) -> Option<Step> {
    Some(match key {
        Key::Netns(name) => Step::RemoveNetns(name.clone()),
        Key::Anchor(id) => Step::RemoveLink(OurLink::Anchor(*id)),
        Key::Veth(id) => Step::RemoveLink(OurLink::Endpoint(*id)),
        // Goes with the host side.
        Key::Inside(_) => return None,
        Key::Neighbour(id, addr) => Step::RemoveNeighbour(*id, *addr),
        Key::MapPin(name) => Step::UnpinMap(name),
        Key::Attachment(hook, ifindex) => Step::Detach(*hook, *ifindex),
        Key::LocalPorts => Step::ReserveLocalPorts(PortSet::default()),
        Key::Entry(table, key) => Step::DeleteEntry {
            table: *table,
            key: key.clone(),
        },
    })
}

fn put(key: &Key, object: &Object, desired: &State) -> Option<Step> {
    Some(match (key, object) {
        (Key::Netns(name), Object::Netns) => Step::CreateNetns(name.clone()),
        (Key::Anchor(id), Object::Anchor(anchor)) => Step::PutAnchor(*id, anchor.clone()),
        (Key::Veth(id), Object::Veth(veth)) => {
            Step::PutVeth(*id, *veth, desired.inside(*id).cloned())
        }
        (Key::Inside(id), Object::Inside(inside)) => Step::Configure(*id, inside.clone()),
        (Key::Neighbour(id, addr), Object::Neighbour(mac)) => Step::PutNeighbour(*id, *addr, *mac),
        (Key::MapPin(name), Object::MapPin) => Step::PinMap(name),
        (Key::Attachment(hook, ifindex), Object::Attachment(_)) => Step::Attach(*hook, *ifindex),
        (Key::LocalPorts, Object::LocalPorts(local)) => {
            Step::ReserveLocalPorts(local.ports.clone())
        }
        (Key::Entry(table, key), Object::Entry(value)) => Step::PutEntry {
            table: *table,
            key: key.clone(),
            value: value.clone(),
        },
        // A key and an object of different kinds: `State` is only built by `lower` and `observe`,
        // which the property tests hold to it.
        _ => return None,
    })
}
