//! An operator's rules of ports that Docker asks for, whose container it names afterwards.

use std::collections::BTreeMap;

use netctl_common::wire::Mac;

use super::*;
use crate::{
    api::types::PortRules,
    docker::{
        facts::{Container, Endpoint, Facts},
        translate::translate,
    },
    kernel::adopted::Found,
    model::shield::Shield,
};

const PROGRAM: &str = "ProgramExternalConnectivity";

impl Docker {
    /// The Engine's API says that the endpoint is of the container "web".
    async fn named(&self, endpoint: &str, sandbox: &str) {
        let endpoint = Endpoint {
            id: endpoint.into(),
            network: NET.into(),
            mac: Mac([2, 0x42, 172, 20, 0, 5]),
            addr: None,
            addr6: None,
        };
        let web = Container {
            name: "web".into(),
            sandbox: Some(sandbox.into()),
            endpoints: vec![endpoint],
            ports: Vec::new(),
            labels: Some(BTreeMap::new()),
        };
        let facts = Facts {
            driven: [(NET.to_owned(), "net1".to_owned())].into(),
            containers: [("1".to_owned(), web)].into(),
            ..Facts::default()
        };
        let named = self.service.adopt(move |model, options| {
            translate(model, &facts, &Found::default(), options.max_endpoints)
        });
        assert_eq!(named.await.unwrap().problems, [""; 0]);
    }

    /// `netctl port allow`.
    async fn allow(&self, ns: &str, spec: &str, from: &str) {
        let rules = PortRules {
            specs: vec![spec.into()],
            from: Some(from.into()),
            limit: None,
            clear: false,
        };
        self.service.rule_ports(ns, rules).await.unwrap();
    }

    /// Each published port, and who is let in.
    fn ruled(&self) -> Vec<String> {
        let model = self.service.model();
        let mut ports: Vec<_> = model.ports.values().collect();
        ports.sort_by_key(|port| port.host_port);
        let text = |port: &Arc<crate::model::PublishedPort>| {
            let sources = port.rules.in_force().map(Shield::sources);
            let sources = match sources.as_deref() {
                None => "anybody",
                Some("") => "nobody",
                Some(sources) => sources,
            };
            format!("{} {port} {sources}", port.sandbox)
        };
        ports.into_iter().map(text).collect()
    }
}

#[tokio::test]
async fn rules_go_along_with_a_container_from_before_it_has_its_name() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    let ports = [(8080, 8080, 80), (2222, 2222, 22)];
    docker.ok(PROGRAM, program(EP, &ports)).await;
    docker.allow("111111111111", "8080:80", "10.0.0.0/8").await;
    docker.named(EP, "/ns/a").await;
    let named = ["web 2222:22/tcp anybody", "web 8080:80/tcp 10.0.0.0/8"];
    assert_eq!(docker.ruled(), named);
    // Started anew, with another host port. Until it is known whose the port is it may be hers.
    docker.ok("Leave", which(EP)).await;
    docker.ok("DeleteEndpoint", which(EP)).await;
    docker.joined(EP2, "172.20.0.5/16", "/ns/b").await;
    let ports = [(9090, 9090, 80), (2222, 2222, 22)];
    docker.ok(PROGRAM, program(EP2, &ports)).await;
    assert_eq!(
        docker.ruled(),
        [
            "222222222222 2222:22/tcp anybody",
            "222222222222 9090:80/tcp nobody"
        ]
    );
    docker.named(EP2, "/ns/b").await;
    let named = ["web 2222:22/tcp anybody", "web 9090:80/tcp 10.0.0.0/8"];
    assert_eq!(docker.ruled(), named);
}

#[tokio::test]
async fn rows_that_rules_have_parted_are_those_that_docker_asks_for() {
    let docker = start();
    docker.network(json!({})).await;
    docker.joined(EP, "172.20.0.5/16", "/ns/a").await;
    let one = [(9001, 9001, 9001)];
    docker.ok(PROGRAM, program(EP, &one)).await;
    docker.named(EP, "/ns/a").await;
    docker.allow("web", "9001:9001", "eth7").await;
    let row: Vec<_> = (9000..9004).map(|port| (port, port, port)).collect();
    docker.ok(PROGRAM, program(EP, &row)).await;
    assert_eq!(docker.ruled(), ["web 9000-9003:9000-9003/tcp nobody"]);
    docker.named(EP, "/ns/a").await;
    let parted = [
        "web 9000:9000/tcp anybody",
        "web 9001:9001/tcp eth7",
        "web 9002-9003:9002-9003/tcp anybody",
    ];
    assert_eq!(docker.ruled(), parted);
    let before = docker.service.model();
    docker.ok(PROGRAM, program(EP, &row)).await;
    docker.named(EP, "/ns/a").await;
    assert_eq!(docker.service.model(), before, "nothing is news");
    docker.ok(PROGRAM, program(EP, &row[..2])).await;
    docker.named(EP, "/ns/a").await;
    assert_eq!(docker.ruled(), parted[..2]);
}
