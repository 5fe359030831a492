//! `NetworkDriver.*`.

use std::{path::Path, sync::Arc};

use axum::Router;
use serde_json::{Value, json};

use super::{
    Ready,
    answer::{constant, method},
    options, ports,
    wire::{CreateEndpoint, CreateNetwork, Join, Program, Which},
};
use crate::service::{Result, Service, driver::Interface};

/// MAC of an endpoint, in what is told of it.
const MAC: &str = "com.docker.network.endpoint.macaddress";

pub(super) fn routes() -> Router<Ready> {
    // "local": Docker on this host keeps the networks, and needs no Swarm for them.
    let capabilities =
        json!({ "Scope": "local", "ConnectivityScope": "local", "GwAllocChecker": true });
    // The anchor always has the gateway's address.
    let gateways = json!({ "SkipIPv4": false, "SkipIPv6": false });
    Router::new()
        .route("/NetworkDriver.GetCapabilities", constant(capabilities))
        .route("/NetworkDriver.GwAllocCheck", constant(gateways))
        // News of Swarm's nodes.
        .route("/NetworkDriver.DiscoverNew", constant(json!({})))
        .route("/NetworkDriver.DiscoverDelete", constant(json!({})))
        .route(
            "/NetworkDriver.CreateNetwork",
            method("Err", create_network),
        )
        .route(
            "/NetworkDriver.DeleteNetwork",
            method("Err", delete_network),
        )
        .route(
            "/NetworkDriver.CreateEndpoint",
            method("Err", create_endpoint),
        )
        .route(
            "/NetworkDriver.DeleteEndpoint",
            method("Err", delete_endpoint),
        )
        .route(
            "/NetworkDriver.EndpointOperInfo",
            method("Err", endpoint_info),
        )
        .route("/NetworkDriver.Join", method("Err", join))
        .route("/NetworkDriver.Leave", method("Err", leave))
        .route(
            "/NetworkDriver.ProgramExternalConnectivity",
            method("Err", program),
        )
        .route(
            "/NetworkDriver.RevokeExternalConnectivity",
            method("Err", revoke),
        )
}

async fn create_network(service: Arc<Service>, request: CreateNetwork) -> Result<()> {
    service
        .driver_create_network(options::network(request)?)
        .await
}

async fn delete_network(service: Arc<Service>, which: Which) -> Result<()> {
    service.driver_delete_network(&which.network).await
}

async fn create_endpoint(service: Arc<Service>, request: CreateEndpoint) -> Result<Value> {
    let CreateEndpoint {
        which,
        interface,
        options,
    } = request;
    options::log_endpoint(&which.endpoint, &options);
    let asked = interface.unwrap_or_default();
    let given = |text: &str| {
        let address = text.split('/').next().unwrap_or_default();
        (!address.is_empty()).then(|| address.to_owned())
    };
    let interface = Interface {
        addr: given(&asked.address),
        addr6: given(&asked.address6),
        mac: given(&asked.mac_address),
    };
    let created = service
        .driver_create_endpoint(&which.network, &which.endpoint, interface.clone())
        .await?;
    // What Docker has given must not be given back.
    let mut chosen = serde_json::Map::new();
    if interface.mac.is_none() {
        chosen.insert("MacAddress".into(), created.mac.to_string().into());
    }
    if let (None, Some(address)) = (interface.addr, created.addr) {
        chosen.insert("Address".into(), address.into());
    }
    if let (None, Some(address)) = (interface.addr6, created.addr6) {
        chosen.insert("AddressIPv6".into(), address.into());
    }
    Ok(match chosen.is_empty() {
        true => json!({}),
        false => json!({ "Interface": chosen }),
    })
}

async fn delete_endpoint(service: Arc<Service>, which: Which) -> Result<()> {
    service.driver_delete_endpoint(&which.endpoint).await
}

async fn endpoint_info(service: Arc<Service>, which: Which) -> Result<Value> {
    Ok(match service.driver_endpoint_mac(&which.endpoint) {
        Some(mac) => json!({ "Value": { MAC: mac.to_string() } }),
        None => json!({ "Value": {} }),
    })
}

async fn join(service: Arc<Service>, request: Join) -> Result<Value> {
    let Join { which, sandbox_key } = request;
    let joined = service
        .driver_join(&which.network, &which.endpoint, Path::new(&sandbox_key))
        .await?;
    let gateway = |is_v4: bool| {
        let mut all = joined.gateways.iter();
        let found = all.find(|gateway| gateway.is_ipv4() == is_v4);
        found.map(ToString::to_string).unwrap_or_default()
    };
    Ok(json!({
        "InterfaceName": { "SrcName": joined.name, "DstPrefix": joined.prefix },
        "Gateway": gateway(true),
        "GatewayIPv6": gateway(false),
        // Without a gateway of IPv4 Docker would lead the container out by a bridge of its own: it
        // does not look at IPv6 (libnetwork, needDefaultGW).
        "DisableGatewayService": gateway(true).is_empty(),
    }))
}

async fn leave(service: Arc<Service>, which: Which) -> Result<()> {
    service.driver_leave(&which.endpoint).await
}

async fn program(service: Arc<Service>, request: Program) -> Result<()> {
    let Program { which, options } = request;
    let host_ip = service.driver_host_ip(&which.network);
    let ports = ports::read(&options, host_ip)?;
    service.driver_program(&which.endpoint, ports).await
}

async fn revoke(service: Arc<Service>, which: Which) -> Result<()> {
    service.driver_revoke(&which.endpoint).await
}
