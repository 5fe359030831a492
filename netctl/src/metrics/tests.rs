use super::*;
use crate::{
    api::types,
    model::{Model, adopted},
    service::fake::{Fake, service},
    view,
};

async fn text(service: &Arc<Service>) -> String {
    let registry = Registry::new();
    registry
        .register(Box::new(Metrics::new(Arc::clone(service))))
        .unwrap();
    let context = Context {
        service: Arc::clone(service),
        registry,
    };
    let response = metrics_text(State(context)).await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4"
    );
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn published() -> (Arc<Service>, Fake, tempfile::TempDir) {
    let (service, fake, dir) = service();
    let network = serde_json::json!({ "name": "net" });
    service
        .create_network(serde_json::from_value(network).unwrap())
        .await
        .unwrap();
    let ns = types::NsCreate {
        name: "web".into(),
        network: Some("net".into()),
        publish: vec!["127.0.0.1:8080:80".into(), "9000-9999:9000-9999/udp".into()],
        ..Default::default()
    };
    service.create_ns(ns).await.unwrap();
    (service, fake, dir)
}

#[tokio::test]
async fn single_ports_begin_at_zero_and_ranges_with_traffic() {
    let (service, fake, _dir) = published().await;
    let single = r#"{network="net",ns="web",container="",compose_project="",compose_service="",host_ip="127.0.0.1",host_port="8080",protocol="tcp"}"#;
    let text_before = text(&service).await;
    for name in [
        "receive_packets_total",
        "transmit_bytes_total",
        "connections_opened_total",
        "connections_active",
    ] {
        let line = format!("netctl_port_{name}{single} 0\n");
        assert!(
            text_before.contains(&line),
            "{line} is not in\n{text_before}"
        );
    }
    assert!(!text_before.contains("host_port=\"9"), "{text_before}");

    let counted = |port_id, host_port, rx_packets| view::PortCounters {
        port_id,
        host_port,
        rx_packets,
        rx_bytes: rx_packets * 100,
        ..Default::default()
    };
    fake.world(|w| w.counters = vec![counted(1, 8080, 3), counted(2, 9500, 5), counted(77, 1, 1)]);
    let text = text(&service).await;
    assert!(
        text.contains(&format!("netctl_port_receive_bytes_total{single} 300\n")),
        "{text}"
    );
    let range = r#"netctl_port_receive_packets_total{network="net",ns="web",container="",compose_project="",compose_service="",host_ip="*",host_port="9500",protocol="udp"} 5"#;
    assert!(text.contains(range), "{text}");
    assert!(!text.contains("host_port=\"1\""), "{text}");
}

#[tokio::test]
async fn totals_follow_the_conventions() {
    let (service, fake, _dir) = service();
    fake.world(|w| {
        w.totals = view::Totals {
            flows4: 7,
            flows6: 2,
            reconcile_microseconds_sum: 1_500_000,
            reconcile_count: 3,
            ..Default::default()
        };
        w.drops = vec![view::Drop {
            reason: "no_flow".into(),
            description: String::new(),
            packets: 4,
            samples: Vec::new(),
        }];
    });
    let text = text(&service).await;
    for line in [
        "# TYPE netctl_flows gauge\nnetctl_flows{family=\"ipv4\"} 7\nnetctl_flows{family=\"ipv6\"} 2\n",
        "# TYPE netctl_drops_total counter\n",
        "netctl_drops_total{reason=\"no_flow\"} 4\n",
        "netctl_drops_total{reason=\"malformed\"} 0\n",
        "# TYPE netctl_reconcile_duration_seconds summary\nnetctl_reconcile_duration_seconds_sum 1.5\nnetctl_reconcile_duration_seconds_count 3\n",
        "# TYPE netctl_reconcile_failures_total counter\nnetctl_reconcile_failures_total 0\n",
        "netctl_build_info{version=",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    for line in text.lines().filter(|l| l.starts_with("# HELP")) {
        assert!(line.ends_with('.'), "{line}");
    }
    assert!(!text.contains("netctl_port_"), "{text}");
}

#[tokio::test]
async fn a_containers_port_carries_its_names() {
    let (service, _fake, _dir) = published().await;
    let of = adopted::Container {
        id: Some("0123".into()),
        name: "shop-web-1".into(),
        compose: Some(adopted::Compose {
            project: "shop".into(),
            service: "web".into(),
        }),
        rules: Vec::new(),
    };
    let taken_over = |model: &mut Model, _: &crate::service::Options| {
        Arc::make_mut(model.sandboxes.get_mut("web").unwrap()).adopted = Some(of);
    };
    service.adopt(taken_over).await.unwrap();
    let text = text(&service).await;
    let series = r#"netctl_port_receive_packets_total{network="net",ns="web",container="shop-web-1",compose_project="shop",compose_service="web",host_ip="127.0.0.1",host_port="8080",protocol="tcp"} 0"#;
    assert!(text.contains(series), "{text}");
    let port = service.ports().remove(0).container.unwrap();
    assert_eq!(port.compose_project.as_deref(), Some("shop"));
    assert_eq!(service.ns("web").unwrap().container, Some(port));
}

#[tokio::test]
async fn readiness_is_the_machines() {
    let (service, fake, _dir) = service();
    let context = Context {
        service,
        registry: Registry::new(),
    };
    assert_eq!(
        health(State(context.clone())).await.status(),
        StatusCode::OK
    );
    fake.world(|w| {
        w.status.healthy = false;
        w.status.failures = vec!["add link: no".into()];
    });
    let response = health(State(context)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = axum::body::to_bytes(response.into_body(), 4096)
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&body).contains("add link: no"));
}
