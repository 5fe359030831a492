//! `IpamDriver.*`.

use std::{net::IpAddr, sync::Arc};

use axum::Router;
use serde_json::{Value, json};

use super::{
    Ready,
    answer::{constant, method},
    wire::{Address, RequestPool},
};
use crate::service::{Error, Result, Service, driver::NewPool};

/// Why an address is asked for, and what says that it is the host's own.
const TYPE: &str = "RequestAddressType";
const GATEWAY: &str = "com.docker.network.gateway";

pub(super) fn routes() -> Router<Ready> {
    // No replay: what was asked for is in the store.
    let capabilities = json!({ "RequiresMACAddress": false, "RequiresRequestReplay": false });
    let spaces = json!({
        "LocalDefaultAddressSpace": "netctl-local",
        "GlobalDefaultAddressSpace": "netctl-global",
    });
    Router::new()
        .route("/IpamDriver.GetCapabilities", constant(capabilities))
        .route("/IpamDriver.GetDefaultAddressSpaces", constant(spaces))
        .route("/IpamDriver.RequestPool", method("Error", request_pool))
        .route("/IpamDriver.ReleasePool", method("Error", release_pool))
        .route(
            "/IpamDriver.RequestAddress",
            method("Error", request_address),
        )
        .route(
            "/IpamDriver.ReleaseAddress",
            method("Error", release_address),
        )
}

async fn request_pool(service: Arc<Service>, request: RequestPool) -> Result<Value> {
    let RequestPool {
        address_space,
        pool,
        sub_pool,
        v6,
    } = request;
    let new = NewPool {
        space: address_space,
        subnet: pool,
        range: sub_pool,
        ipv6: v6,
    };
    let (id, subnet) = service.driver_request_pool(new).await?;
    Ok(json!({ "PoolID": id, "Pool": subnet.to_string(), "Data": {} }))
}

async fn release_pool(service: Arc<Service>, request: Address) -> Result<()> {
    service.driver_release_pool(&request.pool).await
}

async fn request_address(service: Arc<Service>, request: Address) -> Result<Value> {
    let wanted = match request.address.as_str() {
        "" => None,
        text => Some(address(text)?),
    };
    let gateway = request
        .options
        .get(TYPE)
        .is_some_and(|kind| kind == GATEWAY);
    let found = service
        .driver_request_address(&request.pool, wanted, gateway)
        .await?;
    Ok(json!({ "Address": found.to_string(), "Data": {} }))
}

async fn release_address(service: Arc<Service>, request: Address) -> Result<()> {
    let address = address(&request.address)?;
    service.driver_release_address(&request.pool, address).await
}

fn address(text: &str) -> Result<IpAddr> {
    let text = text.split('/').next().unwrap_or_default();
    text.parse()
        .map_err(|_not_an_ip| Error::Invalid(format!("address {text:?} is not an IP address")))
}
