//! The handlers: nothing but a way from HTTP to the service.

use axum::{
    Json,
    extract::{Path, State},
};

use super::{
    Context,
    answer::{Body, Options},
    types::{
        Connect, Flow, FlowQuery, Network, NetworkCreate, Ns, NsCreate, Plan, Port, PortRules,
        Specs, Status,
    },
};
use crate::{
    service::{Error, Result},
    view,
};

type Answer<T> = Result<Json<T>>;

/// Runs an operation to its end, even if the client goes away.
async fn finish<T: Send + 'static>(
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> Answer<T> {
    match tokio::spawn(operation).await {
        Ok(done) => done.map(Json),
        Err(e) => Err(Error::internal(&e)),
    }
}

/// Runs what reads files or maps off the threads that serve others.
async fn read<T: Send + 'static>(
    reading: impl FnOnce() -> Result<T> + Send + 'static,
) -> Answer<T> {
    match tokio::task::spawn_blocking(reading).await {
        Ok(read) => read.map(Json),
        Err(e) => Err(Error::internal(&e)),
    }
}

pub(super) async fn networks(State(context): State<Context>) -> Json<Vec<Network>> {
    Json(context.service.networks())
}

pub(super) async fn create_network(
    State(context): State<Context>,
    Body(request): Body<NetworkCreate>,
) -> Answer<Network> {
    finish(async move { context.service.create_network(request).await }).await
}

pub(super) async fn network(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Answer<Network> {
    context.service.network(&name).map(Json)
}

pub(super) async fn remove_network(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Answer<()> {
    finish(async move { context.service.remove_network(&name).await }).await
}

pub(super) async fn connect(
    State(context): State<Context>,
    Path(network): Path<String>,
    Body(request): Body<Connect>,
) -> Answer<Ns> {
    finish(async move { context.service.connect(&network, request).await }).await
}

pub(super) async fn disconnect(
    State(context): State<Context>,
    Path((network, ns)): Path<(String, String)>,
) -> Answer<()> {
    finish(async move { context.service.disconnect(&network, &ns).await }).await
}

pub(super) async fn namespaces(State(context): State<Context>) -> Json<Vec<Ns>> {
    Json(context.service.namespaces())
}

pub(super) async fn create_ns(
    State(context): State<Context>,
    Body(request): Body<NsCreate>,
) -> Answer<Ns> {
    finish(async move { context.service.create_ns(request).await }).await
}

pub(super) async fn ns(State(context): State<Context>, Path(name): Path<String>) -> Answer<Ns> {
    context.service.ns(&name).map(Json)
}

pub(super) async fn remove_ns(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Answer<()> {
    finish(async move { context.service.remove_ns(&name).await }).await
}

pub(super) async fn add_ports(
    State(context): State<Context>,
    Path(ns): Path<String>,
    Body(Specs { specs }): Body<Specs>,
) -> Answer<Vec<Port>> {
    finish(async move { context.service.add_ports(&ns, specs).await }).await
}

pub(super) async fn remove_ports(
    State(context): State<Context>,
    Path(ns): Path<String>,
    Body(Specs { specs }): Body<Specs>,
) -> Answer<()> {
    finish(async move { context.service.remove_ports(&ns, specs).await }).await
}

pub(super) async fn rule_ports(
    State(context): State<Context>,
    Path(ns): Path<String>,
    Body(rules): Body<PortRules>,
) -> Answer<Vec<Port>> {
    finish(async move { context.service.rule_ports(&ns, rules).await }).await
}

pub(super) async fn ports(State(context): State<Context>) -> Json<Vec<Port>> {
    Json(context.service.ports())
}

pub(super) async fn flows(
    State(context): State<Context>,
    Options(FlowQuery { ns }): Options<FlowQuery>,
) -> Answer<Vec<Flow>> {
    read(move || context.service.flows(ns.as_deref())).await
}

pub(super) async fn drops(State(context): State<Context>) -> Answer<Vec<view::Drop>> {
    read(move || context.service.drops()).await
}

pub(super) async fn status(State(context): State<Context>) -> Json<Status> {
    Json(context.service.status())
}

pub(super) async fn plan(State(context): State<Context>) -> Answer<Plan> {
    let steps = context.service.plan().await?;
    Ok(Json(Plan { steps }))
}

pub(super) async fn purge(State(context): State<Context>) -> Answer<()> {
    finish(async move {
        context.service.purge().await?;
        // The server lets this answer out before it ends.
        context.purged.notify_one();
        Ok(())
    })
    .await
}
