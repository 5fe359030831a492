//! What Docker Engine asks its network driver and its IPAM driver for.
//!
//! Docker names its objects by ids that it has chosen, repeats a question whose answer it did not
//! get, and takes a thing for gone when it has said so. Hence: what is asked for twice is done
//! once; what is made is done or undone, as everything else; what is removed is a fact, which is
//! never undone, and one that is unknown is removed already.

mod endpoints;
mod networks;
mod pools;
mod ports;
mod unused;

pub use self::{
    endpoints::{Created, Interface, Join},
    networks::NewNetwork,
    pools::NewPool,
    unused::LastUse,
};
use std::{collections::BTreeSet, sync::Arc};

use super::{Error, Result, Service};

impl Service {
    /// Docker's ids of the networks and endpoints that it has made by the driver.
    pub fn driver_ids(&self) -> BTreeSet<String> {
        let model = self.model();
        let networks = model.networks.values();
        let networks = networks.filter_map(|network| Some(network.driver.as_ref()?.id.clone()));
        networks.chain(model.members.keys().cloned()).collect()
    }

    /// Takes away what Docker does not have any more.
    pub async fn driver_forget(self: &Arc<Self>, ids: BTreeSet<String>) -> Result<()> {
        self.fact(move |_, model| {
            for id in &ids {
                pools::forget(model, id);
                endpoints::delete(model, id);
                networks::delete(model, id);
            }
        })
        .await
    }
}

/// First digits of an id: what Docker shows, and what stands for a name until that is known.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn no_network(id: &str) -> Error {
    Error::Missing(format!(
        "network {:?} is not known to netctl: its state is of another host, or was removed; `docker network rm` it and create it anew",
        short(id)
    ))
}

fn no_endpoint(id: &str) -> Error {
    Error::Missing(format!(
        "endpoint {:?} is not known to netctl; disconnect the container from the network and connect it anew",
        short(id)
    ))
}
