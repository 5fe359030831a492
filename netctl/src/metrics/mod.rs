//! Prometheus metrics and readiness over HTTP.
//!
//! Nothing is counted here: every scrape reads the kernel's counters, so a restart of the daemon
//! loses none.

mod collector;
mod family;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::{Encoder, Registry, TextEncoder};

use self::collector::Metrics;
use crate::service::Service;

#[derive(Clone)]
struct Context {
    service: Arc<Service>,
    registry: Registry,
}

/// GET /metrics and /healthz.
pub fn router(service: Arc<Service>) -> Result<Router> {
    let registry = Registry::new();
    let metrics = Metrics::new(Arc::clone(&service));
    registry.register(Box::new(metrics)).context("metrics")?;
    let context = Context { service, registry };
    Ok(Router::new()
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(health))
        .with_state(context))
}

async fn metrics_text(State(context): State<Context>) -> Response {
    // Reads maps of the kernel.
    let gathered = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&context.registry.gather(), &mut text)
            .map(|()| text)
    });
    match gathered.await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Ok(Err(e)) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

/// 200 when the machine is as it is wanted.
async fn health(State(context): State<Context>) -> Response {
    let status = context.service.engine().status();
    if status.healthy {
        return "ok\n".into_response();
    }
    let mut text = "not as wanted; see `netctl status`\n".to_owned();
    for failure in status.failures {
        text.push_str(&failure);
        text.push('\n');
    }
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
