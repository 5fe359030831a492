//! The service on a machine in memory: what it refuses, what it undoes.

mod ipv6;
mod networks;
mod ports;
mod sandboxes;
mod undo;

use std::sync::Arc;

use super::{
    Error, Service,
    fake::{Fake, service},
};
use crate::{api::types, model::Model};

fn network(name: &str, subnet: Option<&str>) -> types::NetworkCreate {
    types::NetworkCreate {
        name: name.into(),
        subnet: subnet.map(Into::into).into_iter().collect(),
        gateway: Vec::new(),
        ip_range: Vec::new(),
        ipv4: true,
        ipv6: false,
        mtu: None,
        internal: false,
        masquerade: true,
        icc: true,
        nat_mapping: None,
        nat_filtering: None,
    }
}

fn ns(name: &str, network: Option<&str>, ports: &[&str]) -> types::NsCreate {
    types::NsCreate {
        name: name.into(),
        network: network.map(Into::into),
        publish: ports.iter().map(|s| (*s).into()).collect(),
        ..Default::default()
    }
}

/// What must be as before after a refusal: intent in memory, on the machine and on disk.
struct Before(Arc<Model>, usize);

impl Before {
    fn of(service: &Service, fake: &Fake) -> Self {
        Self(service.model(), fake.world(|w| w.passes.len()))
    }

    /// Nothing has changed, and nothing was even tried.
    fn unchanged(&self, service: &Service, fake: &Fake) {
        assert_eq!(service.model(), self.0);
        assert_eq!(fake.world(|w| w.model.clone()), self.0);
        assert_eq!(fake.world(|w| w.passes.len()), self.1);
    }
}

#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}
