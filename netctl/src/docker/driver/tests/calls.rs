//! The life of a network and its endpoints, as an Engine 20.10 was seen to call; calls that come
//! twice, or of what is not there.

use std::time::Duration;

use super::*;
use crate::{
    kernel::names, model::GatewayMode, reconcile::controller::Scope, service::fake::reopen,
};

#[tokio::test]
async fn every_call_in_dockers_order() {
    let docker = start();
    let implements = docker.call("Plugin.Activate", Value::Null).await;
    assert_eq!(
        implements["Implements"],
        json!(["NetworkDriver", "IpamDriver"])
    );
    let capabilities = docker.ok("GetCapabilities", Value::Null).await;
    assert_eq!(capabilities["Scope"], "local");
    assert_eq!(capabilities["GwAllocChecker"], true);
    let gateways = docker.ok("GwAllocCheck", json!({ "Options": {} })).await;
    assert_eq!(gateways, json!({ "SkipIPv4": false, "SkipIPv6": false }));

    docker.network(json!({})).await;
    let model = docker.service.model();
    let made = &model.networks[&1];
    assert_eq!(made.name, "aaaaaaaaaaaa");
    let v4 = made.ipv4.unwrap();
    assert_eq!(
        (v4.subnet.to_string(), v4.gateway.to_string()),
        ("172.20.0.0/16".into(), "172.20.0.1".into())
    );

    let passes = docker.fake.world(|w| w.passes.len());
    let created = docker
        .ok("CreateEndpoint", endpoint(EP, "172.20.0.5/16"))
        .await;
    assert_eq!(
        created,
        json!({ "Interface": { "MacAddress": "02:6e:ac:14:00:05" } })
    );
    assert!(
        docker.service.model().endpoints.is_empty(),
        "nothing on the machine yet"
    );
    assert_eq!(docker.fake.world(|w| w.passes.len()), passes);

    let joined = docker
        .ok("Join", join(EP, "/var/run/docker/netns/abc"))
        .await;
    assert_eq!(
        joined,
        json!({
            "InterfaceName": { "SrcName": names::waiting_name(1), "DstPrefix": "eth" },
            "Gateway": "172.20.0.1",
            "GatewayIPv6": "",
            "DisableGatewayService": false,
        })
    );
    assert_eq!(
        docker.fake.world(|w| w.passes.last().cloned()),
        Some(vec![Scope::Endpoint(1)])
    );
    docker
        .ok(
            "ProgramExternalConnectivity",
            program(EP, &[(8080, 8080, 80)]),
        )
        .await;
    assert_eq!(docker.published(), ["111111111111 8080:80/tcp"]);
    let info = docker.ok("EndpointOperInfo", which(EP)).await;
    assert_eq!(
        info["Value"]["com.docker.network.endpoint.macaddress"],
        "02:6e:ac:14:00:05"
    );

    docker.ok("RevokeExternalConnectivity", which(EP)).await;
    assert!(docker.published().is_empty());
    docker.ok("Leave", which(EP)).await;
    let model = docker.service.model();
    assert!(model.endpoints.is_empty() && model.sandboxes.is_empty());
    assert_eq!(model.members.len(), 1);
    docker.ok("DeleteEndpoint", which(EP)).await;
    docker.ok("DeleteNetwork", which("")).await;
    let model = docker.service.model();
    assert!(model.members.is_empty() && model.networks.is_empty());
}

#[tokio::test]
async fn what_is_asked_twice_is_done_once() {
    let docker = start();
    docker.network(json!({})).await;
    docker.network(json!({})).await;
    let created = docker
        .ok("CreateEndpoint", endpoint(EP, "172.20.0.5/16"))
        .await;
    assert_eq!(
        docker
            .ok("CreateEndpoint", endpoint(EP, "172.20.0.5/16"))
            .await,
        created
    );
    let joined = docker.ok("Join", join(EP, "/ns/a")).await;
    assert_eq!(docker.ok("Join", join(EP, "/ns/a")).await, joined);
    docker
        .ok(
            "ProgramExternalConnectivity",
            program(EP, &[(8080, 8080, 80)]),
        )
        .await;
    docker
        .ok(
            "ProgramExternalConnectivity",
            program(EP, &[(8080, 8080, 80)]),
        )
        .await;
    let model = docker.service.model();
    let counts = (
        model.networks.len(),
        model.members.len(),
        model.endpoints.len(),
        model.ports.len(),
    );
    assert_eq!(counts, (1, 1, 1, 1));
    for method in [
        "RevokeExternalConnectivity",
        "Leave",
        "DeleteEndpoint",
        "DeleteNetwork",
    ] {
        docker.ok(method, which(EP)).await;
        docker.ok(method, which(EP)).await;
    }
    // Of what never was.
    for method in [
        "RevokeExternalConnectivity",
        "Leave",
        "DeleteEndpoint",
        "DeleteNetwork",
    ] {
        docker.ok(method, which(EP2)).await;
    }
    let discovered = json!({ "DiscoveryType": 1, "DiscoveryData": { "Address": "198.51.100.9", "Self": false } });
    docker.ok("DiscoverNew", discovered.clone()).await;
    docker.ok("DiscoverDelete", discovered).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_told_in_dockers_form() {
    let docker = start();
    let error = docker
        .err("CreateEndpoint", endpoint(EP, "172.20.0.5/16"))
        .await;
    assert!(
        error.contains("aaaaaaaaaaaa") && error.contains("docker network rm"),
        "{error}"
    );
    docker.network(json!({})).await;
    for (method, request) in [
        ("Join", join(EP, "/ns/a")),
        ("ProgramExternalConnectivity", program(EP, &[])),
    ] {
        let error = docker.err(method, request).await;
        assert!(error.contains("111111111111"), "{error}");
    }
    docker
        .ok("CreateEndpoint", endpoint(EP, "172.20.0.5/16"))
        .await;
    for (address, part) in [
        ("172.20.0.1/16", "gateway"),
        ("10.0.0.1/16", "outside"),
        ("nowhere", "nowhere"),
    ] {
        let error = docker.err("CreateEndpoint", endpoint(EP2, address)).await;
        assert!(error.contains(part), "{address}: {error}");
    }
    let error = docker
        .err("CreateEndpoint", endpoint(EP, "172.20.0.6/16"))
        .await;
    assert!(error.contains("exists already"), "{error}");
    let error = docker.err("Join", json!({ "NetworkID": 7 })).await;
    assert!(error.contains("does not understand"), "{error}");
    // Docker takes 404, and nothing else, for a method that there is not.
    let nothing = json!({});
    let path = "/NetworkDriver.AllocateNetwork";
    let post = docker.client.post::<Value>(path, &nothing);
    let missing = post.await.unwrap_err().to_string();
    assert!(
        missing.contains("404") && missing.contains("AllocateNetwork"),
        "{missing}"
    );
    assert_eq!(docker.service.model().members.len(), 1);
}

#[tokio::test]
async fn a_join_that_the_machine_refuses_is_undone_and_a_leave_is_not() {
    let docker = start();
    docker.network(json!({})).await;
    docker
        .ok("CreateEndpoint", endpoint(EP, "172.20.0.5/16"))
        .await;
    let before = docker.service.model();
    docker.fake.fail(&["no veth"]);
    let error = docker.err("Join", join(EP, "/ns/a")).await;
    assert!(
        error.contains("no veth") && error.contains("undone"),
        "{error}"
    );
    let model = docker.service.model();
    assert_eq!(
        (&model.endpoints, &model.sandboxes),
        (&before.endpoints, &before.sandboxes)
    );
    docker.ok("Join", join(EP, "/ns/a")).await;
    // Docker has let it go: the passes to come take it away.
    docker.fake.fail(&["busy"]);
    docker.ok("Leave", which(EP)).await;
    assert!(docker.service.model().endpoints.is_empty());
}

/// A Docker that was killed says nothing of what it had, and gives its addresses anew.
#[tokio::test]
async fn an_address_that_docker_gives_again_is_its_new_owners() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    docker
        .ok("ProgramExternalConnectivity", program(EP, &[(80, 80, 80)]))
        .await;
    docker.joined(EP2, "172.20.0.5/16", "/ns/b").await;
    let model = docker.service.model();
    assert_eq!(model.members.keys().collect::<Vec<_>>(), [EP2]);
    assert_eq!((model.endpoints.len(), model.ports.len()), (1, 0));
}

#[tokio::test]
async fn a_networks_options() {
    let docker = start();
    docker
        .network(json!({
            "com.docker.network.driver.mtu": "1400",
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.enable_ip_masquerade": "0",
            "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
            "com.docker.network.container_iface_prefix": "lan",
            "com.docker.network.bridge.name": "br0",
            "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
            "com.docker.network.bridge.gateway_mode_ipv6": "isolated",
            "com.docker.network.bridge.inhibit_ipv4": "true",
            "mine": "theirs",
        }))
        .await;
    let model = docker.service.model();
    let made = &model.networks[&1];
    assert_eq!(
        (made.mtu, made.icc, made.masquerade, made.internal),
        (Some(1400), false, false, false)
    );
    assert_eq!(made.modes.v4, GatewayMode::NatUnprotected);
    assert_eq!(made.modes.v6, GatewayMode::Nat, "named in the log");
    let joined = docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    assert_eq!(joined["InterfaceName"]["DstPrefix"], "lan");
    docker
        .ok("ProgramExternalConnectivity", program(EP, &[(80, 80, 80)]))
        .await;
    assert_eq!(docker.published(), ["111111111111 127.0.0.1:80:80/tcp"]);

    let docker = start();
    for (option, parts) in [
        (
            json!({ "com.docker.network.driver.mtu": "big" }),
            ["mtu", "big"],
        ),
        (
            json!({ "com.docker.network.driver.mtu": "10" }),
            ["mtu 10", "68"],
        ),
        (
            json!({ "com.docker.network.bridge.enable_icc": "maybe" }),
            ["enable_icc", "maybe"],
        ),
        (
            json!({ "com.docker.network.bridge.host_binding_ipv4": "here" }),
            ["host_binding", "here"],
        ),
    ] {
        let error = docker.err("CreateNetwork", network(option)).await;
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    assert!(docker.service.model().networks.is_empty());
}

#[tokio::test]
async fn internal_networks_and_both_families() {
    let docker = start();
    let mut request = network(json!({}));
    request["Options"]["com.docker.network.internal"] = true.into();
    request["IPv6Data"] = json!([{ "Pool": "fd00:20::/64", "Gateway": "fd00:20::1/64" }]);
    docker.ok("CreateNetwork", request).await;
    let joined = docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    assert_eq!(
        (&joined["Gateway"], &joined["GatewayIPv6"]),
        (&json!(""), &json!(""))
    );
    assert_eq!(joined["DisableGatewayService"], true);
    // An address that Docker left open is told.
    let mut request = endpoint(EP2, "172.20.0.6/16");
    request["Interface"]["MacAddress"] = "02:00:00:00:00:09".into();
    let created = docker.ok("CreateEndpoint", request).await;
    assert_eq!(
        created,
        json!({ "Interface": { "AddressIPv6": "fd00:20::3/64" } })
    );
    let mac = docker.service.driver_endpoint_mac(EP2).unwrap().to_string();
    assert_eq!(mac, "02:00:00:00:00:09");
}

/// libnetwork looks at the gateway of IPv4 alone before it gives a container a way out of its own.
#[tokio::test]
async fn a_network_of_ipv6_alone_has_no_other_way_out() {
    let docker = start();
    let mut request = network(json!({}));
    request["IPv4Data"] = json!([]);
    request["IPv6Data"] = json!([{ "Pool": "fd00:20::/64", "Gateway": "fd00:20::1/64" }]);
    docker.ok("CreateNetwork", request).await;
    let mut request = endpoint(EP, "");
    request["Interface"]["AddressIPv6"] = "fd00:20::5/64".into();
    docker.ok("CreateEndpoint", request).await;
    let joined = docker.ok("Join", join(EP, "/ns/a")).await;
    assert_eq!(joined["GatewayIPv6"], "fd00:20::1");
    assert_eq!(joined["DisableGatewayService"], true);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    docker
        .ok(
            "ProgramExternalConnectivity",
            program(EP, &[(8080, 8080, 80)]),
        )
        .await;
    let before = docker.service.model();
    let Docker {
        server,
        client,
        service,
        fake,
        _socket: socket,
        _folders: folders,
    } = docker;
    server.abort();
    drop((client, service, socket));
    // A connection's task may be about to end, and holds the store until then.
    let closed = eventually_open(folders[0].path());
    assert!(
        tokio::time::timeout(Duration::from_secs(20), closed)
            .await
            .is_ok()
    );
    assert_eq!(reopen(&fake, folders[0].path()).model(), before);
}

async fn eventually_open(state: &std::path::Path) {
    while crate::store::Store::open(state).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
