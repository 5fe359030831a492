//! Ports: programmed, replaced, revoked, and never left behind.

use super::*;

const PROGRAM: &str = "ProgramExternalConnectivity";

#[tokio::test]
async fn a_second_program_replaces_the_first() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    docker
        .ok(
            PROGRAM,
            program(EP, &[(8080, 8080, 80), (0, 0, 81), (9000, 9005, 82)]),
        )
        .await;
    let first = docker.service.model().ports.clone();
    let shown = docker.published();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(
        shown[0].ends_with(" 8080:80/tcp") && shown[2].ends_with(" 9000:82/tcp"),
        "{shown:?}"
    );
    // What stays wanted keeps its host port, and its number.
    docker
        .ok(
            PROGRAM,
            program(EP, &[(0, 0, 81), (9000, 9005, 82), (8443, 8443, 443)]),
        )
        .await;
    let second = docker.service.model().ports.clone();
    let kept: Vec<_> = first
        .iter()
        .filter(|(id, _)| second.contains_key(id))
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(
        docker
            .published()
            .iter()
            .any(|port| port.ends_with(" 8443:443/tcp"))
    );
    assert!(
        docker
            .published()
            .iter()
            .all(|port| !port.ends_with(":80/tcp"))
    );
    docker.ok(PROGRAM, program(EP, &[])).await;
    assert!(docker.published().is_empty());
}

#[tokio::test]
async fn a_conflict_names_the_owner_and_changes_nothing() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    docker.joined(EP2, "172.20.0.6/16", "/ns/b").await;
    docker.ok(PROGRAM, program(EP, &[(8080, 8080, 80)])).await;
    let before = docker.service.model();
    let error = docker
        .err(PROGRAM, program(EP2, &[(8081, 8081, 81), (8080, 8080, 80)]))
        .await;
    let parts = ["8080", "port is already allocated", "111111111111"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    assert_eq!(docker.service.model(), before);
    // Leaving withdraws.
    docker.ok("Leave", which(EP)).await;
    docker.ok(PROGRAM, program(EP2, &[(8080, 8080, 80)])).await;
    assert_eq!(docker.published(), ["222222222222 8080:80/tcp"]);
}

/// A container's two ways, one of each family, are programmed with the same ports.
#[tokio::test]
async fn two_endpoints_of_one_container() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    docker.joined(EP2, "172.20.0.6/16", "/ns/a").await;
    assert_eq!(docker.service.model().sandboxes.len(), 1);
    docker.ok(PROGRAM, program(EP, &[(8080, 8080, 80)])).await;
    docker.ok(PROGRAM, program(EP2, &[(8080, 8080, 80)])).await;
    assert_eq!(docker.published(), ["111111111111 8080:80/tcp"]);
    docker.ok("RevokeExternalConnectivity", which(EP)).await;
    assert_eq!(
        docker.published(),
        ["111111111111 8080:80/tcp"],
        "the other one still wants it"
    );
    let model = docker.service.model();
    let way = model.published_endpoints("111111111111");
    assert_eq!(way.v4.map(|endpoint| endpoint.id), Some(2));
    docker.ok("Leave", which(EP2)).await;
    assert!(docker.published().is_empty());
}

#[tokio::test]
async fn what_docker_published_is_not_a_users_to_withdraw() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    docker.ok(PROGRAM, program(EP, &[(8080, 8080, 80)])).await;
    let service = &docker.service;
    let refused = service
        .remove_ports("111111111111", vec!["8080:80".into()])
        .await;
    assert!(refused.unwrap_err().to_string().contains("Docker"));
    let refused = service.remove_network("aaaaaaaaaaaa").await.unwrap_err();
    assert!(
        refused.to_string().contains("docker network rm"),
        "{refused}"
    );
    let refused = service.remove_ns("111111111111").await.unwrap_err();
    assert!(refused.to_string().contains("docker rm"), "{refused}");
    service
        .add_ports("111111111111", vec!["9090:80".into()])
        .await
        .unwrap();
    service
        .remove_ports("111111111111", vec!["9090:80".into()])
        .await
        .unwrap();
}
