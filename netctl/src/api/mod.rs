//! HTTP with JSON on a UNIX socket: the way in for the CLI and for other programs.
//!
//! | route | does | answers |
//! | --- | --- | --- |
//! | GET /v1/networks | list | `[Network]` |
//! | POST /v1/networks `NetworkCreate` | create | `Network` |
//! | GET, DELETE /v1/networks/{network} | inspect, remove | `Network`, null |
//! | POST /v1/networks/{network}/endpoints `Connect` | connect | `Ns` |
//! | DELETE /v1/networks/{network}/endpoints/{ns} | disconnect | null |
//! | GET /v1/namespaces | list | `[Ns]` |
//! | POST /v1/namespaces `NsCreate` | create | `Ns` |
//! | GET, DELETE /v1/namespaces/{ns} | inspect, remove | `Ns`, null |
//! | POST, DELETE /v1/namespaces/{ns}/ports `Specs` | publish, withdraw | `[Port]`, null |
//! | GET /v1/ports | list | `[Port]` |
//! | GET /v1/flows?ns=NS | tracked connections | `[Flow]` |
//! | GET /v1/drops | dropped packets by reason | `[view::Drop]` |
//! | GET /v1/status, /v1/plan | health, what a pass would do | `Status`, `Plan` |
//! | POST /v1/purge | take everything away; the daemon ends | null |
//!
//! Errors are `{"error": "…"}` with 400, 404, 409 or 500.
//!
//! Invariant: a change runs on a task of its own, to its end, even if the client goes away.

mod answer;
mod routes;
pub mod socket;
#[cfg(test)]
mod tests;
pub mod types;

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, get, post, put},
};
use tokio::sync::Notify;

use crate::service::Service;

/// What every handler has at hand.
#[derive(Clone)]
pub struct Context {
    pub service: Arc<Service>,
    /// Told when everything was taken away: there is nothing left to serve.
    pub purged: Arc<Notify>,
}

/// The whole API.
pub fn router(context: Context) -> Router {
    Router::new()
        .route(
            "/v1/networks",
            get(routes::networks).post(routes::create_network),
        )
        .route(
            "/v1/networks/{network}",
            get(routes::network).delete(routes::remove_network),
        )
        .route("/v1/networks/{network}/endpoints", post(routes::connect))
        .route(
            "/v1/networks/{network}/endpoints/{ns}",
            delete(routes::disconnect),
        )
        .route(
            "/v1/namespaces",
            get(routes::namespaces).post(routes::create_ns),
        )
        .route(
            "/v1/namespaces/{ns}",
            get(routes::ns).delete(routes::remove_ns),
        )
        .route(
            "/v1/namespaces/{ns}/ports",
            post(routes::add_ports).delete(routes::remove_ports),
        )
        .route("/v1/namespaces/{ns}/ports/rules", put(routes::rule_ports))
        .route("/v1/ports", get(routes::ports))
        .route("/v1/flows", get(routes::flows))
        .route("/v1/drops", get(routes::drops))
        .route("/v1/status", get(routes::status))
        .route("/v1/plan", get(routes::plan))
        .route("/v1/purge", post(routes::purge))
        .fallback(answer::no_route)
        .method_not_allowed_fallback(answer::no_method)
        .with_state(context)
}
