//! The IPAM driver.

use std::time::{Duration, Instant};

use super::*;

impl Docker {
    async fn ipam(&self, method: &str, request: Value) -> Value {
        self.call(&format!("IpamDriver.{method}"), request).await
    }

    async fn pool(&self, subnet: &str, range: &str, ipv6: bool) -> Value {
        let request = json!({ "AddressSpace": "netctl-local", "Pool": subnet, "SubPool": range, "Options": null, "V6": ipv6 });
        self.ipam("RequestPool", request).await
    }

    async fn address(&self, pool: &Value, address: &str, kind: &str) -> Value {
        let request = json!({ "PoolID": pool["PoolID"], "Address": address, "Options": { "RequestAddressType": kind } });
        self.ipam("RequestAddress", request).await
    }
}

const GATEWAY: &str = "com.docker.network.gateway";

#[tokio::test]
async fn pools_are_different_until_they_are_released() {
    let docker = start();
    let capabilities = docker.ipam("GetCapabilities", Value::Null).await;
    assert_eq!(capabilities["RequiresRequestReplay"], false);
    let spaces = docker.ipam("GetDefaultAddressSpaces", Value::Null).await;
    assert_eq!(spaces["LocalDefaultAddressSpace"], "netctl-local");

    let one = docker.pool("", "", false).await;
    // It has addresses: else it is the answer to a question that comes again.
    docker.address(&one, "", GATEWAY).await;
    let two = docker.pool("", "", false).await;
    assert_eq!(
        (&one["Pool"], &two["Pool"]),
        (&json!("10.208.0.0/20"), &json!("10.208.16.0/20"))
    );
    assert_ne!(one["PoolID"], two["PoolID"]);
    let taken = docker.pool("10.208.0.0/16", "", false).await;
    assert!(
        taken["Error"].as_str().unwrap().contains("10.208.0.0/20"),
        "{taken}"
    );
    let again = docker.pool("10.208.0.0/20", "", false).await;
    assert!(again["Error"].is_string(), "{again}");
    for _ in 0..2 {
        let released = docker
            .ipam("ReleasePool", json!({ "PoolID": one["PoolID"] }))
            .await;
        assert_eq!(released, json!({}));
    }
    assert_eq!(
        docker.pool("10.208.0.0/20", "", false).await["Pool"],
        "10.208.0.0/20"
    );
    let v6 = docker.pool("", "", true).await;
    assert!(v6["Pool"].as_str().unwrap().starts_with("fd"), "{v6}");
}

#[tokio::test]
async fn addresses_are_given_once() {
    let docker = start();
    let pool = docker.pool("172.28.0.0/24", "172.28.0.128/30", false).await;
    assert_eq!(
        docker.pool("172.28.0.0/24", "172.28.0.128/30", false).await,
        pool,
        "asked again"
    );
    let gateway = docker.address(&pool, "", GATEWAY).await;
    assert_eq!(gateway["Address"], "172.28.0.1/24");
    // Asked for by --aux-address, outside of the range.
    assert_eq!(
        docker.address(&pool, "172.28.0.9", "").await["Address"],
        "172.28.0.9/24"
    );
    let taken = docker.address(&pool, "172.28.0.9", "").await;
    assert!(
        taken["Error"].as_str().unwrap().contains("172.28.0.9"),
        "{taken}"
    );
    for last in 128..132 {
        let found = docker.address(&pool, "", "").await;
        assert_eq!(found["Address"], format!("172.28.0.{last}/24"));
    }
    let full = docker.address(&pool, "", "").await;
    assert!(
        full["Error"].as_str().unwrap().contains("172.28.0.128/30"),
        "{full}"
    );
    let release = json!({ "PoolID": pool["PoolID"], "Address": "172.28.0.129" });
    for _ in 0..2 {
        assert_eq!(
            docker.ipam("ReleaseAddress", release.clone()).await,
            json!({})
        );
    }
    assert_eq!(
        docker.address(&pool, "", "").await["Address"],
        "172.28.0.129/24"
    );
}

#[tokio::test]
async fn what_cannot_be_had_is_told_in_dockers_form() {
    let docker = start();
    for (subnet, range, parts) in [
        ("", "10.0.0.0/24", ["10.0.0.0/24", "without a subnet"]),
        ("10.0.0.0/33", "", ["10.0.0.0/33", "CIDR"]),
        ("10.0.0.0/24", "10.0.1.0/24", ["10.0.1.0/24", "outside"]),
        ("198.51.100.0/25", "", ["198.51.100.", "host"]),
    ] {
        let answer = docker.pool(subnet, range, false).await;
        let error = answer["Error"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"));
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let unknown = json!({ "PoolID": "none" });
    let answer = docker.address(&unknown, "", "").await;
    assert!(
        answer["Error"].as_str().unwrap().contains("none"),
        "{answer}"
    );
    let pool = docker.pool("172.28.0.0/24", "", false).await;
    for address in ["172.29.0.1", "fd00::1", "x"] {
        let answer = docker.address(&pool, address, "").await;
        assert!(
            answer["Error"].as_str().unwrap().contains(address),
            "{answer}"
        );
    }
    // A network of netctl's own keeps clear of it, and may be one of Docker's there.
    let own = crate::api::types::NetworkCreate {
        name: "mine".into(),
        subnet: vec!["172.28.0.0/16".into()],
        ipv4: true,
        ..serde_json::from_value(json!({ "name": "mine" })).unwrap()
    };
    let refused = docker.service.create_network(own).await.unwrap_err();
    assert!(refused.to_string().contains("IPAM"), "{refused}");
    let mut request = network(json!({}));
    request["IPv4Data"][0]["Pool"] = "172.28.0.0/24".into();
    request["IPv4Data"][0]["Gateway"] = "172.28.0.1/24".into();
    docker.ok("CreateNetwork", request).await;
}

/// What Docker has dropped while netctl was away it does not give back any more.
#[tokio::test]
async fn what_docker_does_not_have_any_more_is_free() {
    let docker = start();
    let pool = docker.pool("172.20.0.0/16", "", false).await;
    docker.address(&pool, "", GATEWAY).await;
    docker.network(json!({})).await;
    let given = docker.address(&pool, "172.20.0.9", "").await;
    assert_eq!(given["Address"], "172.20.0.9/16");
    docker.joined(EP, "172.20.0.9/16", "/run/netns/web").await;
    let forget = |id: &str| docker.service.driver_forget([id.to_owned()].into());
    forget(EP).await.unwrap();
    let again = docker.address(&pool, "172.20.0.9", "").await;
    assert_eq!(again["Address"], "172.20.0.9/16", "{again}");
    // Somebody whose network was refused gives back a pool that is another's.
    docker
        .ipam("ReleasePool", json!({ "PoolID": pool["PoolID"] }))
        .await;
    let next = docker.address(&pool, "", "").await;
    assert!(next["Address"].is_string(), "{next}");
    forget(NET).await.unwrap();
    let fresh = docker.pool("172.20.0.0/16", "", false).await;
    assert_eq!(fresh["Pool"], "172.20.0.0/16", "{fresh}");
}

/// Docker ended between its questions for a pool and its network.
#[tokio::test]
async fn a_pool_of_no_network_is_released_after_a_while() {
    let docker = start();
    let service = &docker.service;
    let leaked = docker.pool("172.28.0.0/24", "", false).await;
    docker.address(&leaked, "", GATEWAY).await;
    docker.pool("172.29.0.0/24", "", false).await;
    let known = || -> Vec<String> {
        let model = service.model();
        model.pools.values().map(|p| p.subnet.to_string()).collect()
    };
    assert_eq!(known().len(), 2);
    let used = |subnets: &[&str]| subnets.iter().map(|text| text.parse().unwrap()).collect();
    let begin = Instant::now();
    let minutes = |count| begin + Duration::from_mins(count);
    // It may be just being made.
    let both = used(&["172.29.0.0/24"]);
    for minute in [0, 1, 4] {
        service.driver_release_unused(&both, minutes(minute)).await;
        assert_eq!(known().len(), 2, "after {minute} minutes");
    }
    service.driver_release_unused(&both, minutes(6)).await;
    assert_eq!(known(), ["172.29.0.0/24"]);
    // The time counts from when it was seen last.
    service.driver_release_unused(&used(&[]), minutes(10)).await;
    assert_eq!(known(), ["172.29.0.0/24"]);
    service.driver_release_unused(&used(&[]), minutes(12)).await;
    assert_eq!(known(), [""; 0]);
    // One of a network of the driver stays, whatever is listed.
    docker.pool("172.20.0.0/16", "", false).await;
    docker.network(json!({})).await;
    service.driver_release_unused(&used(&[]), minutes(60)).await;
    assert_eq!(known(), ["172.20.0.0/16"]);
}

#[tokio::test]
async fn a_pool_that_is_asked_for_again_is_none_of_those() {
    let docker = start();
    let service = &docker.service;
    docker.pool("172.28.0.0/24", "", false).await;
    let begin = Instant::now() - Duration::from_mins(10);
    let unused = Default::default();
    // The Engine was asked before it asked for this one.
    service.driver_release_unused(&unused, begin).await;
    docker.pool("172.28.0.0/24", "", false).await;
    let soon = Instant::now() + Duration::from_mins(4);
    service.driver_release_unused(&unused, soon).await;
    assert_eq!(service.model().pools.len(), 1);
}
