//! The network driver and the IPAM driver of Docker Engine: `docker network create -d netctl`.
//!
//! ```text
//! dockerd ─► /run/docker/plugins/netctl.sock ─► network, ipam (its JSON) ─► service::driver ─► …
//! ```
//!
//! Docker names no object but by ids, and never the container: `docker::names` learns those from
//! the Engine's API, never inside of a call, during which Docker holds locks that its API waits
//! for. How a call is answered is told by moby's libnetwork/drivers/remote and
//! libnetwork/ipams/remote (20.10 to 29).

mod answer;
mod ipam;
mod network;
mod options;
mod ports;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::{io, path::Path, sync::Arc};

use axum::{Router, extract::DefaultBodyLimit, routing::post};
use tokio::{net::UnixListener, sync::watch};

pub use self::socket::{PATH, Socket};
use crate::service::Service;

/// Name of the drivers, which is that of the socket.
pub(super) const NAME: &str = "netctl";

/// A port map of 65 535 single ports, in Docker's words.
const MAX_BODY: usize = 32 << 20;

/// The service, once there is one: Docker may ask while netctl starts, and waits.
pub type Ready = watch::Receiver<Option<Arc<Service>>>;

/// Answers Docker until `end`, and then what it has asked already.
pub async fn serve(
    listener: UnixListener,
    ready: Ready,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let server = axum::serve(listener, router(ready));
    server.with_graceful_shutdown(end).await
}

fn router(ready: Ready) -> Router {
    Router::new()
        .route("/Plugin.Activate", post(answer::activate))
        .merge(network::routes())
        .merge(ipam::routes())
        .fallback(answer::no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(ready)
}

/// Listens on the drivers' socket. None, and the reason in the log, where that cannot be had:
/// netctl's other work does not depend on it.
pub fn listen(path: &Path) -> Option<(UnixListener, Socket)> {
    Socket::listen(path)
        .inspect_err(|error| {
            tracing::warn!(
                "networks with `-d netctl` cannot be had from Docker: {error:#}; `driver = false` in [docker] keeps netctl from trying"
            );
        })
        .ok()
}
