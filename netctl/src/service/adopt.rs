//! What another engine has: taken over as it is, and left to it.

use std::sync::{Arc, PoisonError};

use super::{Error, Options, Result, Service};
use crate::{
    model::{Model, Network, Sandbox},
    view,
};

impl Service {
    /// Makes the model what the engine has. It is a fact and not a wish: where the machine does
    /// not follow, nothing is undone, and the passes to come try again.
    pub async fn adopt<T: Send + 'static>(
        self: &Arc<Self>,
        translate: impl FnOnce(&mut Model, &Options) -> T + Send + 'static,
    ) -> Result<T> {
        self.fact(move |service, model| translate(model, &service.options))
            .await
    }

    /// See [`Self::adopt`].
    pub(super) async fn fact<T: Send + 'static>(
        self: &Arc<Self>,
        happened: impl FnOnce(&Self, &mut Model) -> T + Send + 'static,
    ) -> Result<T> {
        let _open = self.open().await?;
        let change = move |service: &Self, model: &mut Model| Ok(happened(service, model));
        let (out, change) = self.change(change).await?;
        if !change.scopes.is_empty()
            && let Err(error) = self.converge(&change.scopes).await
        {
            tracing::warn!(
                error,
                "the machine does not follow what Docker has done, and is tried again"
            );
        }
        Ok(out)
    }

    /// Whether everything was taken away.
    pub async fn is_purged(&self) -> bool {
        *self.purged.read().await
    }

    /// The engine as last seen.
    pub fn engine_seen(&self) -> Option<view::Engine> {
        let seen = self.engine_seen.read();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how the engine is seen.
    pub fn note_engine(&self, note: impl FnOnce(&mut view::Engine)) {
        let mut seen = self
            .engine_seen
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        note(seen.get_or_insert_default());
    }
}

/// Refuses to change a network that the engine made.
pub(super) fn own_network(network: &Network) -> Result<()> {
    let name = &network.name;
    match (&network.adopted, &network.driver) {
        (None, None) => Ok(()),
        (Some(_), _) => Err(Error::Conflict(format!(
            "network {name:?} is Docker's, and netctl serves it as it is; use `docker network`, or make a network of netctl's own"
        ))),
        (None, Some(_)) => Err(Error::Conflict(format!(
            "network {name:?} was made by Docker with netctl's driver; use `docker network rm`, `docker network connect` and `docker network disconnect`, or make a network of netctl's own"
        ))),
    }
}

/// Refuses to change a container that the engine made.
pub(super) fn own_sandbox(sandbox: &Sandbox) -> Result<()> {
    match &sandbox.adopted {
        None => Ok(()),
        Some(_) => Err(Error::Conflict(format!(
            "{:?} is a container of Docker's, which netctl serves as it is; use `docker rm` and `docker network connect`",
            sandbox.name
        ))),
    }
}
