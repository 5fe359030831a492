//! Every operation of every front end: check, write down, carry out, or take back.
//!
//! An operation validates against the model and the host, writes the new intent to the store,
//! hands it to the engine and waits for a pass limited to what it changed. When the pass fails,
//! its change is undone the same way and the error says why: done or undone.
//!
//! Invariants: the model changes under one lock, which no pass is awaited under; the store is
//! written before the machine; an operation that has begun must be polled to its end (the API
//! runs each on a task of its own), since half of one is what this layer exists to prevent.

mod adopt;
pub mod driver;
mod endpoints;
pub mod engine;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod locks;
pub mod machine;
mod networks;
mod ports;
mod publish;
mod sandboxes;
mod show;
mod subnets;
mod taken;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock, atomic::AtomicU16};

use tokio::sync::{Mutex, Notify, RwLock as AsyncRwLock, RwLockReadGuard};

pub use self::error::{Error, Result};
use self::{engine::Engine, locks::Locks};
use crate::{
    config::Nat,
    kernel::names,
    model::{Model, delta::Delta, ipam::Pool},
    reconcile::controller::Scope,
    store::Store,
    view,
};

/// Limits and defaults from the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    pub pools: Vec<Pool>,
    pub max_endpoints: u32,
    /// Of networks that say nothing.
    pub nat: Nat,
}

/// The one place where intent is changed.
pub struct Service {
    engine: Box<dyn Engine>,
    store: Store,
    options: Options,
    model: RwLock<Arc<Model>>,
    /// Held while the model changes.
    changing: Arc<Mutex<()>>,
    locks: Locks,
    /// True once everything was taken away.
    purged: AsyncRwLock<bool>,
    /// Where the search for a free host port goes on: one that was just given back is not given
    /// out again at once.
    next_port: AtomicU16,
    /// The container engine whose networks are adopted, as last seen.
    engine_seen: RwLock<Option<view::Engine>>,
    /// Of the pools of the IPAM driver.
    pools_last_use: driver::LastUse,
    /// Told when Docker has made a network by the driver, or asked for a pool: from then on there
    /// is something to learn from it.
    pub driver_used: Notify,
}

/// A change of the model that the engine has been told of, but has not carried out.
struct Change {
    delta: Delta,
    scopes: Vec<Scope>,
}

impl Service {
    /// `model` is what the store held and the engine has.
    pub fn new(engine: Box<dyn Engine>, store: Store, model: Arc<Model>, options: Options) -> Self {
        Self {
            engine,
            store,
            options,
            model: RwLock::new(model),
            changing: Arc::default(),
            locks: Locks::default(),
            purged: AsyncRwLock::new(false),
            next_port: AtomicU16::new(0),
            engine_seen: RwLock::default(),
            pools_last_use: driver::LastUse::default(),
            driver_used: Notify::new(),
        }
    }

    /// What is wanted now.
    pub fn model(&self) -> Arc<Model> {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&model)
    }

    /// The machine.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Steps that a pass would take now.
    pub async fn plan(&self) -> Result<Vec<String>> {
        let failed = |e| {
            Error::Failed(format!(
                "the machine could not be looked at: {e}; try again"
            ))
        };
        self.engine.plan().await.map_err(failed)
    }

    /// Takes everything away: the datapath, namespaces that are ours, the stored intent.
    pub async fn purge(&self) -> Result<()> {
        let mut purged = self.purged.write().await;
        let failed = |e| {
            Error::Failed(format!(
                "not everything could be taken away: {e}; `netctl purge` goes on where it stopped"
            ))
        };
        self.engine.purge().await.map_err(failed)?;
        self.store.remove()?;
        let mut model = self.model.write().unwrap_or_else(PoisonError::into_inner);
        *model = Arc::default();
        *purged = true;
        Ok(())
    }

    /// Held during every operation. None begins once a purge has. News of the host that came
    /// before are heard first.
    async fn enter(&self) -> Result<RwLockReadGuard<'_, bool>> {
        let open = self.open().await?;
        let failed = |e| {
            Error::Failed(format!(
                "the machine could not be looked at: {e}; try again"
            ))
        };
        self.engine.settle().await.map_err(failed)?;
        Ok(open)
    }

    /// See [`Self::enter`]; for what is not checked against the host.
    async fn open(&self) -> Result<RwLockReadGuard<'_, bool>> {
        let purged = self.purged.read().await;
        if *purged {
            return Err(Error::Conflict(
                "everything was taken away by `netctl purge`; start the daemon again".into(),
            ));
        }
        Ok(purged)
    }

    /// Changes the model, on disk first. On an error nothing has changed.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Self, &mut Model) -> Result<T> + Send + 'static,
    ) -> Result<(T, Change)> {
        let guard = Arc::clone(&self.changing).lock_owned().await;
        let service = Arc::clone(self);
        // Looks into /proc and waits for the disk.
        let task = tokio::task::spawn_blocking(move || {
            let _guard = guard;
            let old = service.model();
            let mut new = Model::clone(&old);
            let out = change(&service, &mut new)?;
            let delta = Delta::between(&old, &new);
            service.store.apply(&delta, &new)?;
            let scopes = scopes(&delta);
            let new = Arc::new(new);
            let mut model = service
                .model
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            *model = Arc::clone(&new);
            service.engine.set_model(new);
            Ok((out, Change { delta, scopes }))
        });
        task.await.unwrap_or_else(|e| Err(Error::internal(&e)))
    }

    /// Waits until the machine has followed, or takes the change back.
    async fn carry_out(self: &Arc<Self>, change: Change) -> Result<()> {
        let failed = match self.converge(&change.scopes).await {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        Err(self.take_back(change, Error::Failed(failed)).await)
    }

    /// Undoes a change because of `reason`, which is returned with what became of the undoing.
    async fn take_back(self: &Arc<Self>, change: Change, reason: Error) -> Error {
        let Change { delta, scopes } = change;
        let undone = self.change(move |_, model| Ok(delta.undo(model))).await;
        let mut rest = match undone {
            Ok((lost, _change)) if lost.is_empty() => String::new(),
            Ok((lost, _change)) => format!("; gone for good: {}", lost.join(", ")),
            Err(e) => format!("; undoing it failed, too: {e}"),
        };
        if let Err(e) = self.converge(&scopes).await {
            rest.push_str(&format!(
                "; undoing it failed, too, and is tried again by every pass: {e}"
            ));
        }
        match reason {
            Error::Failed(text) if rest.is_empty() => Error::Failed(format!(
                "{text}; the change was undone; see `netctl status`"
            )),
            Error::Failed(text) => Error::Failed(text + &rest),
            Error::Conflict(text) => Error::Conflict(text + &rest),
            other => other,
        }
    }

    async fn converge(&self, scopes: &[Scope]) -> std::result::Result<(), String> {
        let pass = self.engine.converge(scopes.to_vec());
        pass.await.map_err(|e| e.to_string())
    }
}

/// What has to be brought in line after a change. An endpoint's pass brings along all that hangs
/// on it: its namespace, the default route, the ports published there.
fn scopes(delta: &Delta) -> Vec<Scope> {
    let networks = delta.networks.keys().map(|id| Scope::Network(*id));
    let endpoints = delta.endpoints.keys().map(|id| Scope::Endpoint(*id));
    let covered = |sandbox: &str| {
        let mut changed = delta
            .endpoints
            .values()
            .flat_map(|(b, a)| b.iter().chain(a));
        changed.any(|e| e.sandbox == sandbox)
    };
    let ports = delta.ports.iter().filter(|(_, (before, after))| {
        let mut port = before.iter().chain(after);
        !port.any(|p| covered(&p.sandbox))
    });
    let ports = ports.map(|(id, _)| Scope::Port(*id));
    let mut scopes: Vec<Scope> = networks.chain(endpoints).chain(ports).collect();
    if !delta.others.is_empty() || !delta.sandboxes.keys().all(|name| covered(name)) {
        scopes.push(Scope::All);
    }
    scopes
}

/// Addresses and routes of the host that a subnet must keep clear of.
fn occupied(host: &crate::view::Host) -> Vec<ipnet::IpNet> {
    let ours = |ifindex: u32| ifindex >= names::anchor_ifindex(0);
    let addresses = host
        .addresses
        .iter()
        .filter(|(_, ifindex)| !ours(**ifindex));
    let mut nets: Vec<_> = addresses
        .map(|(addr, _)| ipnet::IpNet::from(*addr))
        .collect();
    nets.extend(&host.routes);
    nets
}
