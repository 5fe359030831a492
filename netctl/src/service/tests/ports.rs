use super::*;
use crate::{kernel::owner::Owner, model::Proto};

/// A service with network `net`, internal network `inner`, and namespaces `web` (on `net`),
/// `cut` (on `inner`), `bare` (on none).
async fn publishing() -> (Arc<Service>, Fake, tempfile::TempDir) {
    let (service, fake, dir) = service();
    service
        .create_network(network("net", Some("10.1.0.0/24")))
        .await
        .unwrap();
    let inner = types::NetworkCreate {
        internal: true,
        ..network("inner", None)
    };
    service.create_network(inner).await.unwrap();
    service
        .create_ns(ns("web", Some("net"), &[]))
        .await
        .unwrap();
    service
        .create_ns(ns("cut", Some("inner"), &[]))
        .await
        .unwrap();
    service.create_ns(ns("bare", None, &[])).await.unwrap();
    let nginx = Owner {
        pid: 42,
        comm: "nginx".into(),
        address: "0.0.0.0:443".parse().unwrap(),
    };
    fake.world(|w| w.owners.push((Proto::Tcp, nginx)));
    (service, fake, dir)
}

async fn add(service: &Arc<Service>, ns: &str, spec: &str) -> Result<String, Error> {
    let ports = service.add_ports(ns, vec![spec.into()]).await?;
    Ok(ports[0].spec.clone())
}

#[tokio::test]
async fn many_specs_are_published_and_withdrawn_by_one_pass_each() {
    let (service, fake, _dir) = publishing().await;
    fake.world(|w| w.passes.clear());
    let specs: Vec<String> = (1000..3000)
        .map(|port| format!("{}:{port}", port * 2))
        .collect();
    let made = service.add_ports("web", specs.clone()).await.unwrap();
    assert_eq!(made[1999].host_port, 5998, "in the order of the specs");
    let error = service.remove_ports("web", vec!["7".into()]).await;
    says(&error.unwrap_err(), &["2000:1000/tcp", "and 1990 more"]);
    service.remove_ports("web", specs).await.unwrap();
    assert!(service.model().ports.is_empty());
    let passes = fake.world(|w| w.passes.clone());
    assert_eq!(passes.len(), 2);
    assert_eq!(passes[1].len(), 2000);
}

#[tokio::test]
async fn host_ports_are_as_asked_or_free() {
    let (service, fake, _dir) = publishing().await;
    let resolver = Owner {
        pid: 9,
        comm: "dns".into(),
        address: "127.0.0.1:32769".parse().unwrap(),
    };
    fake.world(|w| w.owners.push((Proto::Tcp, resolver)));
    for (spec, expected) in [
        ("8080:80", "8080:80/tcp"),
        ("127.0.0.1:9090:80", "127.0.0.1:9090:80/tcp"),
        ("198.51.100.7:9090:80", "198.51.100.7:9090:80/tcp"),
        ("10.1.0.1:9090:80", "10.1.0.1:9090:80/tcp"),
        ("8080:80/udp", "8080:80/udp"),
        ("8080-8090:80", "8081:80/tcp"),
        ("80", "32768:80/tcp"),
        ("127.0.0.1::81", "127.0.0.1:32770:81/tcp"),
        ("10000-19999:10000-19999/udp", "10000-19999:10000-19999/udp"),
        ("7:7/sctp", "7:7/sctp"),
        ("9/sctp", "9:9/sctp"),
    ] {
        assert_eq!(
            add(&service, "web", spec).await.as_deref(),
            Ok(expected),
            "{spec}"
        );
    }
    // One that was given back is not given out again at once.
    service
        .remove_ports("web", vec!["127.0.0.1:32770:81".into()])
        .await
        .unwrap();
    assert_eq!(
        add(&service, "web", "80").await.as_deref(),
        Ok("32771:80/tcp")
    );
    assert_eq!(
        add(&service, "web", "80").await.as_deref(),
        Ok("32770:80/tcp")
    );
    says(
        &add(&service, "web", "80").await.unwrap_err(),
        &["none of the host ports 32768-32771 is free"],
    );
}

#[tokio::test]
async fn bad_ports_are_refused_and_change_nothing() {
    let (service, fake, _dir) = publishing().await;
    add(&service, "web", "8080-8089:80-89").await.unwrap();
    add(&service, "web", "127.0.0.1:7000:70").await.unwrap();
    let before = Before::of(&service, &fake);
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "web",
            "8085:80",
            &[
                "8085/tcp: port is already allocated to namespace \"web\"",
                "8080-8089:80-89/tcp",
                "choose another host port",
            ],
        ),
        (
            "web",
            "127.0.0.1:8085:80",
            &["127.0.0.1:8085/tcp: port is already allocated"],
        ),
        (
            "web",
            "7000:80",
            &[
                "7000/tcp: port is already allocated",
                "127.0.0.1:7000:70/tcp",
            ],
        ),
        (
            "web",
            "443:443",
            &[
                "443/tcp: port is already allocated to host process 42 (nginx) on 0.0.0.0:443",
                "stop it",
            ],
        ),
        (
            "web",
            "127.0.0.1:440-450:440-450",
            &["host process 42 (nginx)"],
        ),
        (
            "web",
            "203.0.113.9:80:80",
            &["203.0.113.9 is not an address of this host", "leave it out"],
        ),
        (
            "web",
            "[::1]:80:80",
            &[
                "the host address is an IPv6 one and namespace \"web\" has no IPv6 address with a way in",
                "leave the host address out",
            ],
        ),
        (
            "web",
            "8000:80/sctp",
            &["an sctp port cannot be translated", "use 80:80/sctp"],
        ),
        ("web", "90-80", &["runs backwards; write 80-90"]),
        ("web", "1-2:1-3", &["2 host ports cannot lead to 3"]),
        ("web", "0:80", &["\"0\" is not a port"]),
        ("web", "65536:80", &["\"65536\" is not a port"]),
        (
            "cut",
            "80:80",
            &[
                "\"80:80\"",
                "namespace \"cut\" is on internal networks only, which have no way in",
                "connect it",
            ],
        ),
        ("bare", "80:80", &["namespace \"bare\" is on no network"]),
        ("nil", "80:80", &["namespace \"nil\" does not exist"]),
    ];
    for (ns, spec, parts) in cases {
        says(&add(&service, ns, spec).await.unwrap_err(), parts);
        before.unchanged(&service, &fake);
    }
    // All or nothing.
    let specs = vec!["1000:80".into(), "443:443".into()];
    says(
        &service.add_ports("web", specs).await.unwrap_err(),
        &["nginx"],
    );
    before.unchanged(&service, &fake);
    let request = ns("new", Some("net"), &["1000:80", "1000:81"]);
    says(
        &service.create_ns(request).await.unwrap_err(),
        &["allocated to namespace \"new\""],
    );
    before.unchanged(&service, &fake);
    says(
        &service.add_ports("web", vec![]).await.unwrap_err(),
        &["no port is given"],
    );
}

#[tokio::test]
async fn a_port_is_removed_by_any_spec_that_means_it_alone() {
    let (service, fake, _dir) = publishing().await;
    for spec in [
        "8080:80",
        "127.0.0.1:9090:80",
        "53:53/udp",
        "1000-1009:1000-1009",
    ] {
        add(&service, "web", spec).await.unwrap();
    }
    let before = Before::of(&service, &fake);
    for (ns, spec, parts) in [
        (
            "web",
            "80",
            &["means several", "8080:80/tcp, 127.0.0.1:9090:80/tcp"][..],
        ),
        (
            "web",
            "8081:80",
            &["has no such one; it has 8080:80/tcp"][..],
        ),
        ("web", "1000:1000", &["has no such one"][..]),
        ("cut", "80", &["namespace \"cut\" has none"][..]),
        ("nil", "80", &["does not exist"][..]),
        ("web", "x", &["is not a port"][..]),
    ] {
        says(
            &service
                .remove_ports(ns, vec![spec.into()])
                .await
                .unwrap_err(),
            parts,
        );
        before.unchanged(&service, &fake);
    }
    for spec in ["8080:80", "80", "53/udp", "0.0.0.0:1000-1009:1000-1009/tcp"] {
        service
            .remove_ports("web", vec![spec.into()])
            .await
            .unwrap();
    }
    assert!(service.ports().is_empty());
}

#[tokio::test]
async fn a_process_that_takes_the_port_in_between_is_noticed() {
    let (service, fake, _dir) = publishing().await;
    let before = service.model();
    fake.world(|w| {
        w.during = Some(Box::new(|w| {
            let thief = Owner {
                pid: 5,
                comm: "thief".into(),
                address: "0.0.0.0:8080".parse().unwrap(),
            };
            w.owners.push((Proto::Tcp, thief));
        }));
    });
    let error = add(&service, "web", "8080:80").await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)));
    says(&error, &["host process 5 (thief)"]);
    assert_eq!(service.model().ports, before.ports);
}
