//! What the service needs of the machine: the seam at which tests put a machine of their own.

use std::{io, path::Path, pin::Pin, sync::Arc};

use crate::{
    kernel::owner::{Holder, Owner},
    model::{Model, Proto},
    reconcile::controller::Scope,
    view,
};

/// An error of the machine, with all that led to it in its text.
pub type EngineError = Box<dyn std::error::Error + Send + Sync>;
/// A pass that is waited for.
pub type Pass<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// The machine, as `reconcile::controller` drives it and `kernel` shows it.
pub trait Engine: Send + Sync + 'static {
    /// Waits until [`Self::host`] is up to date.
    fn settle(&self) -> Pass<'_, ()>;
    /// The host's addresses, routes and uplinks.
    fn host(&self) -> view::Host;
    /// From now on this is wanted.
    fn set_model(&self, model: Arc<Model>);
    /// Brings the machine to what is wanted, within the scopes, by one pass.
    fn converge(&self, scopes: Vec<Scope>) -> Pass<'_, ()>;
    /// What a pass would do.
    fn plan(&self) -> Pass<'_, Vec<String>>;
    /// Takes everything of ours away.
    fn purge(&self) -> Pass<'_, ()>;

    fn status(&self) -> view::Status;
    fn totals(&self) -> view::Totals;
    fn flows(&self) -> Result<Vec<view::Flow>, EngineError>;
    fn drops(&self) -> Result<Vec<view::Drop>, EngineError>;
    fn port_counters(&self) -> Result<Vec<view::PortCounters>, EngineError>;

    /// Sockets of the host that hold a port.
    fn holders(&self, proto: Proto) -> io::Result<Vec<Holder>>;
    /// Whose such a socket is.
    fn owner(&self, holder: &Holder) -> io::Result<Owner>;
    /// Where host ports that nobody named are chosen from.
    fn free_ports(&self) -> io::Result<(u16, u16)>;
    /// Inode of the network namespace behind a path.
    fn netns(&self, path: &Path) -> io::Result<u64>;
    /// Inode of the host's own network namespace.
    fn host_netns(&self) -> io::Result<u64>;
    /// Whether somebody else has a namespace of this name.
    fn foreign_netns(&self, name: &str) -> bool;
}
