//! Client and server over a real socket, the machine behind it in memory.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::*;
use crate::{
    client::{Client, segment},
    service::fake::{Fake, service},
    view,
};

struct Server {
    client: Client,
    fake: Fake,
    purged: Arc<Notify>,
    run: tempfile::TempDir,
    _state: tempfile::TempDir,
}

fn serve() -> Server {
    let (service, fake, state) = service();
    let run = tempfile::tempdir().unwrap();
    let listener = socket::listen(run.path()).unwrap();
    let purged = Arc::new(Notify::new());
    let context = Context {
        service,
        purged: Arc::clone(&purged),
    };
    tokio::spawn(async move { axum::serve(listener, router(context)).await });
    let client = Client::new(run.path());
    Server {
        client,
        fake,
        purged,
        run,
        _state: state,
    }
}

#[tokio::test]
async fn every_route_answers() {
    let Server {
        client,
        fake,
        purged,
        run,
        _state,
    } = serve();
    let mode = std::fs::metadata(socket::path(run.path()))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(client.is_up().await.unwrap());

    let request = json!({ "name": "net", "subnet": "10.1.0.0/24" });
    let net: types::Network = client.post("/v1/networks", &request).await.unwrap();
    assert!(net.masquerade && net.icc && !net.internal);
    let request = json!({ "name": "web", "network": "net", "publish": ["80:80"] });
    let web: types::Ns = client.post("/v1/namespaces", &request).await.unwrap();
    let target = &web.ports[0].targets[0];
    assert_eq!(target.container_ip.to_string(), "10.1.0.2");
    let _other: types::Network = client
        .post("/v1/networks", &json!({ "name": "other" }))
        .await
        .unwrap();
    let request = json!({ "ns": "web", "ip": null });
    let web: types::Ns = client
        .post("/v1/networks/other/endpoints", &request)
        .await
        .unwrap();
    assert_eq!(web.endpoints.len(), 2);
    let specs = json!({ "specs": ["81:81", "82:82"] });
    let added: Vec<types::Port> = client
        .post("/v1/namespaces/web/ports", &specs)
        .await
        .unwrap();
    assert_eq!(added.len(), 2);

    let nets: Vec<types::Network> = client.get("/v1/networks").await.unwrap();
    assert_eq!(
        nets.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(),
        ["net", "other"]
    );
    let same: types::Network = client.get("/v1/networks/net").await.unwrap();
    assert_eq!(same.endpoints[0].ns, "web");
    let all: Vec<types::Ns> = client.get("/v1/namespaces").await.unwrap();
    let one: types::Ns = client.get("/v1/namespaces/web").await.unwrap();
    assert_eq!(all, [one]);
    let ports: Vec<types::Port> = client.get("/v1/ports").await.unwrap();
    assert_eq!(ports.len(), 3);
    let status: types::Status = client.get("/v1/status").await.unwrap();
    assert_eq!(
        (
            status.networks,
            status.published_ports,
            status.status.healthy
        ),
        (2, 3, true)
    );
    let plan: types::Plan = client.get("/v1/plan").await.unwrap();
    assert_eq!(plan.steps, ["add link nc-br1"]);

    fake.world(|w| {
        w.flows.push(flow(1));
        w.flows.push(flow(99));
        w.drops.push(view::Drop {
            reason: "no_flow".into(),
            description: "d".into(),
            packets: 4,
            samples: Vec::new(),
        });
    });
    let flows: Vec<types::Flow> = client.get("/v1/flows").await.unwrap();
    assert_eq!(flows.len(), 2);
    let flows: Vec<types::Flow> = client.get("/v1/flows?ns=web").await.unwrap();
    assert_eq!(flows[0].network.as_deref(), Some("net"));
    assert_eq!(flows.len(), 1);
    let drops: Vec<view::Drop> = client.get("/v1/drops").await.unwrap();
    assert_eq!(drops[0].packets, 4);

    client
        .delete_with("/v1/namespaces/web/ports", &specs)
        .await
        .unwrap();
    client
        .delete("/v1/networks/other/endpoints/web")
        .await
        .unwrap();
    client.delete("/v1/namespaces/web").await.unwrap();
    client.delete("/v1/networks/net").await.unwrap();
    let () = client.post("/v1/purge", &()).await.unwrap();
    purged.notified().await;
    assert!(fake.world(|w| w.model.networks.is_empty()));
}

#[tokio::test]
async fn every_error_is_json_with_a_fitting_status() {
    let Server { client, .. } = &serve();
    let error = |r: anyhow::Result<Value>| r.unwrap_err().to_string();
    let said = error(client.get("/v1/networks/nil").await);
    assert!(said.contains("network \"nil\" does not exist"), "{said}");
    let path = format!("/v1/networks/{}", segment("a/b 🦀\0?"));
    let said = error(client.get(&path).await);
    assert!(
        said.contains(r#"network "a/b 🦀\0?" does not exist"#),
        "{said}"
    );
    let said = error(client.post("/v1/networks", &json!({ "nam": "x" })).await);
    assert!(
        said.contains("unknown field `nam`, expected one of `name`"),
        "{said}"
    );
    let said = error(client.post("/v1/networks", &json!(7)).await);
    assert!(said.contains("request body"), "{said}");
    let said = error(client.get("/v1/flows?nx=1").await);
    assert!(said.contains("request options"), "{said}");
    let said = error(client.get("/v2/networks").await);
    assert!(
        said.contains("GET /v2/networks: this netctl has no such route"),
        "{said}"
    );
    let said = error(client.post("/v1/status", &()).await);
    assert!(said.contains("not with this method"), "{said}");
}

#[tokio::test]
async fn a_client_without_a_daemon_says_what_to_do() {
    let run = tempfile::tempdir().unwrap();
    let client = Client::new(run.path());
    assert!(!client.is_up().await.unwrap());
    let said = client
        .get::<Value>("/v1/status")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("netctl.sock") && said.contains("start it with `netctl daemon`"),
        "{said}"
    );
    // A socket that a killed daemon left is no daemon, and is replaced.
    drop(socket::listen(run.path()).unwrap());
    assert!(!client.is_up().await.unwrap());
    let _listener = socket::listen(run.path()).unwrap();
    assert!(client.is_up().await.unwrap());
}

#[tokio::test]
async fn a_path_that_no_socket_can_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("x".repeat(100));
    std::fs::create_dir_all(&run).unwrap();
    let said = socket::listen(&run).unwrap_err().to_string();
    assert!(said.contains("choose a shorter one by --run"), "{said}");
}

fn flow(endpoint: u32) -> view::Flow {
    let addr = |text: &str| text.parse().unwrap();
    view::Flow {
        proto: "tcp".into(),
        kind: "dnat".into(),
        state: "established".into(),
        src: addr("198.51.100.9:1234"),
        dst: addr("198.51.100.7:80"),
        translated_src: addr("198.51.100.9:1234"),
        translated_dst: addr("10.1.0.2:80"),
        endpoint: crate::kernel::names::endpoint_ifindex(endpoint),
        port_id: Some(1),
        idle_seconds: 0,
        expires_seconds: 10,
    }
}

#[tokio::test]
async fn the_last_answer_arrives_although_the_server_ends() {
    for _ in 0..20 {
        let (service, _fake, _state) = service();
        let run = tempfile::tempdir().unwrap();
        let listener = socket::listen(run.path()).unwrap();
        let purged = Arc::new(Notify::new());
        let context = Context {
            service,
            purged: Arc::clone(&purged),
        };
        let server = axum::serve(listener, router(context))
            .with_graceful_shutdown(async move { purged.notified().await });
        let server = tokio::spawn(async move { server.await });
        let client = Client::new(run.path());
        let () = client.post("/v1/purge", &()).await.unwrap();
        server.await.unwrap().unwrap();
    }
}
