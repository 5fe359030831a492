//! What netlink says may have changed, gathered until it is quiet. Pure.

use std::collections::BTreeSet;

use super::touch::{Part, Touch};
use crate::{
    kernel::names::{self, OurLink},
    model::Model,
};

/// News from the kernel: where to look again, never what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A link of ours changed; `sound` when it is there and up.
    Ours { link: OurLink, sound: bool },
    /// Something of ours on a link is gone.
    Stripped(OurLink),
    /// Addresses, routes or interfaces of the host.
    Host,
    /// Something of an interface that is not ours is gone; it may carry a program of ours.
    Foreign(u32),
    /// Events were lost.
    Lost,
}

/// More links than this are cheaper to look at all together.
const MANY: usize = 32;

#[derive(Default)]
pub(super) struct Dirty {
    links: BTreeSet<OurLink>,
    /// A link that comes up says nothing about what was taken off it.
    stripped: BTreeSet<OurLink>,
    foreign: BTreeSet<u32>,
    host: bool,
    all: bool,
}

impl Dirty {
    pub(super) fn note(&mut self, event: Event) {
        match event {
            // What we make ourselves is reported down first and up right after: no news.
            Event::Ours { link, sound: true } => {
                self.links.remove(&link);
            }
            Event::Ours { link, sound: false } => {
                self.links.insert(link);
            }
            Event::Stripped(link) => {
                self.stripped.insert(link);
            }
            Event::Host => self.host = true,
            Event::Foreign(ifindex) => {
                self.host = true;
                self.foreign.insert(ifindex);
            }
            Event::Lost => self.all = true,
        }
    }

    /// Whether what callers check their input against may have changed.
    pub(super) fn is_about_host(&self) -> bool {
        self.host || self.all
    }

    /// Takes what has gathered; `None` when it concerns nothing that is wanted.
    pub(super) fn take(&mut self, model: &Model) -> Option<Touch> {
        let Self {
            mut links,
            stripped,
            foreign,
            host,
            all,
        } = std::mem::take(self);
        links.extend(stripped);
        let mut part = Part::default();
        for link in links {
            match link {
                OurLink::Anchor(id) if model.networks.contains_key(&id) => {
                    part.networks.insert(id);
                }
                OurLink::Endpoint(id) if model.endpoints.contains_key(&id) => {
                    part.endpoints.insert(id);
                }
                // We have just removed it.
                OurLink::Anchor(_) | OurLink::Endpoint(_) => {}
            }
        }
        if !foreign.is_empty() {
            let is_on = |ifindex: u32| foreign.contains(&ifindex);
            let networks = model.networks.values().filter(|n| is_on(names::anchor(n)));
            part.networks.extend(networks.map(|network| network.id));
            let endpoints = model
                .endpoints
                .values()
                .filter(|e| is_on(names::host_side(e)));
            part.endpoints.extend(endpoints.map(|endpoint| endpoint.id));
        }
        let parts = part.networks.len() + part.endpoints.len();
        part.host = host;
        match (all, host, parts) {
            (false, false, 0) => None,
            (false, true, 0) => Some(Touch::Host),
            (false, _, 1..=MANY) => {
                for endpoint in &part.endpoints {
                    if let Some(endpoint) = model.endpoints.get(endpoint) {
                        part.sandboxes.insert(endpoint.sandbox.clone());
                    }
                }
                Some(Touch::Some(part))
            }
            _ => Some(Touch::All),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_make_and_remove_ourselves_is_no_news() {
        let mut dirty = Dirty::default();
        let link = OurLink::Endpoint(7);
        dirty.note(Event::Ours { link, sound: false });
        dirty.note(Event::Ours { link, sound: true });
        assert_eq!(dirty.take(&Model::default()), None);
        dirty.note(Event::Ours { link, sound: false });
        assert_eq!(dirty.take(&Model::default()), None, "not in the model");
        dirty.note(Event::Stripped(link));
        dirty.note(Event::Ours { link, sound: true });
        assert!(dirty.stripped.contains(&link), "being up does not heal it");
        assert_eq!(dirty.take(&Model::default()), None, "not in the model");
        dirty.note(Event::Host);
        assert_eq!(dirty.take(&Model::default()), Some(Touch::Host));
        dirty.note(Event::Lost);
        assert_eq!(dirty.take(&Model::default()), Some(Touch::All));
        assert_eq!(dirty.take(&Model::default()), None, "taken");
    }
}
