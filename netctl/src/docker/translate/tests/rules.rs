//! Rules of ports over the container's starts.

use std::sync::Arc;

use super::*;
use crate::model::shield::{Shield, parse_sources};

fn only(sources: &str) -> Shield {
    Shield {
        allow: parse_sources(sources).unwrap(),
        ..Shield::default()
    }
}

/// As an operator says it of the published port that leads from there.
fn say(model: &mut Model, host_port: u16, sources: &str) {
    let port = model.ports.values_mut().find(|p| p.host_port == host_port);
    Arc::make_mut(port.unwrap()).rules.operator = Some(only(sources));
    let now = model.ports.values();
    let now: Vec<_> = now
        .map(|port| (port.row(), port.rules.operator.clone()))
        .collect();
    let web = Arc::make_mut(model.sandboxes.get_mut("web").unwrap());
    web.adopted.as_mut().unwrap().note_rules(&now);
}

/// Each published port, and who is let in.
fn shown(model: &Model) -> Vec<String> {
    let mut ports: Vec<_> = model.ports.values().collect();
    ports.sort_by_key(|port| port.host_port);
    let text = |port: &Arc<PublishedPort>| {
        let rules = port.rules.in_force().map(Shield::sources);
        format!("{port} {}", rules.unwrap_or("-".into()))
    };
    ports.into_iter().map(text).collect()
}

/// With these rows of ports, and labels.
fn rows(rows: &[(u16, u16, u16)], labels: &[(&str, &str)]) -> Container {
    let mut web = container("web", 2, &[]);
    let row = |(host_port, container_port, count): &(u16, u16, u16)| PortRow {
        proto: Proto::Tcp,
        host_ip: None,
        host_port: *host_port,
        container_port: *container_port,
        count: *count,
    };
    web.ports = rows.iter().map(row).collect();
    let labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    web.labels = Some(labels.collect());
    web
}

#[test]
fn an_operators_rules_hold_in_whatever_rows_the_ports_come() {
    let mut model = Model::default();
    let start = |model: &mut Model, ports: &[(u16, u16, u16)]| {
        // Stopped in between, as a restart does.
        let (mut facts, found) = scene(&[]);
        facts.idle.insert("1".into(), Idle::default());
        translate(model, &facts, &found, 100);
        assert!(model.ports.is_empty(), "{:?}", model.ports);
        assert_eq!(put(model, &[("1", rows(ports, &[]))]), Outcome::default());
        shown(model)
    };
    start(&mut model, &[(49153, 80, 2)]);
    say(&mut model, 49153, "10.0.0.0/8");
    assert_eq!(
        start(&mut model, &[(49155, 80, 1), (49160, 81, 1)]),
        ["49155:80/tcp 10.0.0.0/8", "49160:81/tcp 10.0.0.0/8"]
    );
    say(&mut model, 49160, "eth7");
    let parted = ["50000:80/tcp 10.0.0.0/8", "50001:81/tcp eth7"];
    assert_eq!(start(&mut model, &[(50000, 80, 2)]), parted);
    let before = model.clone();
    put(&mut model, &[("1", rows(&[(50000, 80, 2)], &[]))]);
    assert_eq!(model, before, "nothing is news");
}

#[test]
fn rules_of_labels_and_of_an_operator_part_a_row_together() {
    let mut model = Model::default();
    let labels = [("netctl.allow.9001-9002", "10.0.0.0/8")];
    put(&mut model, &[("1", rows(&[(9000, 9000, 4)], &labels))]);
    assert_eq!(
        shown(&model),
        [
            "9000:9000/tcp -",
            "9001-9002:9001-9002/tcp 10.0.0.0/8",
            "9003:9003/tcp -"
        ]
    );
    say(&mut model, 9003, "eth7");
    put(&mut model, &[("1", rows(&[(9000, 9000, 5)], &labels))]);
    assert_eq!(
        shown(&model),
        [
            "9000:9000/tcp -",
            "9001-9002:9001-9002/tcp 10.0.0.0/8",
            "9003:9003/tcp eth7",
            "9004:9004/tcp -"
        ]
    );
}

#[test]
fn what_may_be_either_of_two_ports_lets_nobody_in() {
    let mut model = Model::default();
    let start = |model: &mut Model, first: u16| {
        let ports = [(first, 80, 1), (first + 10, 80, 1)];
        put(model, &[("1", rows(&ports, &[]))])
    };
    start(&mut model, 49153);
    say(&mut model, 49153, "10.0.0.0/8");
    say(&mut model, 49163, "eth7");
    let outcome = start(&mut model, 50000);
    assert_eq!(shown(&model), ["50000:80/tcp ", "50010:80/tcp "]);
    let problems = outcome.problems.join("\n");
    for part in ["\"web\"", "port allow web 50000:80/tcp", "50010:80/tcp"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    say(&mut model, 50000, "eth1");
    say(&mut model, 50010, "eth2");
    assert_eq!(start(&mut model, 50000), Outcome::default());
    assert_eq!(shown(&model), ["50000:80/tcp eth1", "50010:80/tcp eth2"]);
}
