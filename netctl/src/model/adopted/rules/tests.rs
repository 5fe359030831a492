use super::*;
use crate::model::shield::parse_sources;

fn container() -> Container {
    Container {
        id: Some("1".into()),
        name: "web".into(),
        compose: None,
        rules: Vec::new(),
    }
}

fn row(host_port: u16, container_port: u16, count: u16) -> PortRow {
    PortRow {
        proto: Proto::Tcp,
        host_ip: None,
        host_port,
        container_port,
        count,
    }
}

fn on(address: &str, row: PortRow) -> PortRow {
    PortRow {
        host_ip: Some(address.parse().unwrap()),
        ..row
    }
}

fn only(sources: &str) -> Shield {
    Shield {
        allow: parse_sources(sources).unwrap(),
        ..Shield::default()
    }
}

/// An operator's word about these rows, the first of which it is about.
fn note(container: &mut Container, sources: Option<&str>, now: &[PortRow]) {
    let said = now.iter().enumerate().map(|(n, row)| {
        let said = match n {
            0 => sources.map(only),
            _ => container.rules_of(*row, now).unwrap().cloned(),
        };
        (*row, said)
    });
    let said: Vec<_> = said.collect();
    container.note_rules(&said);
}

/// As `host->container xcount: sources` of each row; "?" where it is unclear, "-" without rules.
fn shown(container: &Container, now: &[PortRow]) -> Vec<String> {
    let rows = now
        .iter()
        .flat_map(|row| row.split(|port| container.rules_of(port, now)));
    let texts = rows.map(|(row, said)| {
        let said = match said {
            Ok(said) => said.map_or("-".to_owned(), Shield::sources),
            Err(Unclear) => "?".to_owned(),
        };
        format!(
            "{}->{} x{}: {said}",
            row.host_port, row.container_port, row.count
        )
    });
    texts.collect()
}

#[test]
fn rules_hold_however_the_ports_stand_in_rows() {
    // One row, then two, then one again.
    let mut web = container();
    note(&mut web, Some("10.0.0.0/8"), &[row(49153, 80, 2)]);
    assert_eq!(
        shown(&web, &[row(49155, 80, 1), row(49160, 81, 1)]),
        ["49155->80 x1: 10.0.0.0/8", "49160->81 x1: 10.0.0.0/8"]
    );
    assert_eq!(
        shown(&web, &[row(50000, 80, 2)]),
        ["50000->80 x2: 10.0.0.0/8"]
    );
    // Two rows, one with rules, and then one.
    let mut web = container();
    note(
        &mut web,
        Some("10.0.0.0/8"),
        &[row(49160, 81, 1), row(49153, 80, 1)],
    );
    assert_eq!(
        shown(&web, &[row(50000, 80, 3)]),
        [
            "50000->80 x1: -",
            "50001->81 x1: 10.0.0.0/8",
            "50002->82 x1: -"
        ]
    );
    // The same numbers in another row.
    assert_eq!(
        shown(&web, &[row(49159, 80, 2)]),
        ["49159->80 x1: -", "49160->81 x1: 10.0.0.0/8"]
    );
}

#[test]
fn an_address_that_stands_for_another_is_the_same_port() {
    let mut web = container();
    note(&mut web, Some("10.0.0.0/8"), &[row(8080, 80, 1)]);
    for now in [
        on("0.0.0.0", row(8080, 80, 1)),
        on("::", row(8080, 80, 1)),
        on("192.168.7.7", row(9090, 80, 1)),
    ] {
        let found = web.rules_of(now, &[now]);
        assert_eq!(found, Ok(Some(&only("10.0.0.0/8"))), "{now}");
    }
    // Each address has its own.
    let (first, second) = (
        on("192.168.7.7", row(8080, 80, 1)),
        on("192.168.7.8", row(8080, 80, 1)),
    );
    let mut web = container();
    note(&mut web, Some("10.0.0.0/8"), &[first, second]);
    assert_eq!(web.rules_of(second, &[first, second]), Ok(None));
    note(&mut web, Some("eth7"), &[second, first]);
    assert_eq!(
        shown(&web, &[first, second]),
        ["8080->80 x1: 10.0.0.0/8", "8080->80 x1: eth7"]
    );
}

#[test]
fn a_port_that_is_there_as_it_was_is_not_another() {
    let both = [row(49153, 80, 1), row(49154, 81, 1)];
    let mut web = container();
    note(&mut web, Some("10.0.0.0/8"), &both);
    // The number was drawn for the other one.
    assert_eq!(
        shown(&web, &[row(49154, 80, 1), row(49153, 81, 1)]),
        ["49154->80 x1: 10.0.0.0/8", "49153->81 x1: -"]
    );
    // It is there, and this is a second way to the same.
    assert_eq!(
        shown(&web, &[row(49153, 80, 1), row(49160, 80, 1)]),
        ["49153->80 x1: 10.0.0.0/8", "49160->80 x1: -"]
    );
    let udp = PortRow {
        proto: Proto::Udp,
        ..row(49153, 80, 1)
    };
    assert_eq!(web.rules_of(udp, &[udp]), Ok(None));
}

#[test]
fn what_is_unclear_is_so_until_it_is_said_again() {
    let (a, b) = (row(49153, 80, 1), row(49160, 80, 1));
    let mut web = container();
    note(&mut web, Some("10.0.0.0/8"), &[a, b]);
    note(&mut web, Some("eth7"), &[b, a]);
    assert_eq!(
        shown(&web, &[a, b]),
        ["49153->80 x1: 10.0.0.0/8", "49160->80 x1: eth7"]
    );
    let (a, b) = (row(50000, 80, 1), row(50010, 80, 1));
    assert_eq!(shown(&web, &[a, b]), ["50000->80 x1: ?", "50010->80 x1: ?"]);
    web.note_rules(&[(a, Some(only("eth1"))), (b, Some(Shield::nobody()))]);
    assert_eq!(
        shown(&web, &[a, b]),
        ["50000->80 x1: eth1", "50010->80 x1: ?"]
    );
    note(&mut web, Some("eth2"), &[b, a]);
    assert_eq!(
        shown(&web, &[a, b]),
        ["50000->80 x1: eth1", "50010->80 x1: eth2"]
    );
    assert_eq!(web.rules.len(), 2, "{:?}", web.rules);
}

#[test]
fn what_is_said_takes_the_place_of_what_was_said_of_those_ports_only() {
    let mut web = container();
    note(&mut web, Some("10.0.0.0/8"), &[row(9000, 9000, 10)]);
    // Some of them, by other numbers.
    note(&mut web, Some("eth7"), &[row(9103, 9003, 2)]);
    let now = row(9000, 9000, 10);
    assert_eq!(
        shown(&web, &[now]),
        [
            "9000->9000 x3: 10.0.0.0/8",
            "9003->9003 x2: eth7",
            "9005->9005 x5: 10.0.0.0/8"
        ]
    );
    note(&mut web, None, &[row(9003, 9003, 1)]);
    assert_eq!(web.rules_of(row(9003, 9003, 1), &[now]), Ok(None));
    note(&mut web, None, &[now]);
    assert!(web.rules.is_empty(), "{:?}", web.rules);
}

#[test]
fn what_was_said_before_the_name_was_known_is_newer() {
    let mut web = container();
    let (ssh, http) = (row(2222, 22, 1), row(8080, 80, 1));
    note(&mut web, Some("10.0.0.0/8"), &[ssh]);
    note(&mut web, Some("eth7"), &[http]);
    let mut nameless = container();
    note(&mut nameless, Some("eth1"), &[http]);
    web.add_rules(nameless.rules);
    assert_eq!(
        shown(&web, &[ssh, http]),
        ["2222->22 x1: 10.0.0.0/8", "8080->80 x1: eth1"]
    );
}

#[test]
fn what_may_be_meant_is_any_port_that_leads_there() {
    let mut web = container();
    assert!(!web.may_rule(row(8080, 80, 1)));
    note(&mut web, Some("eth7"), &[on("127.0.0.1", row(8080, 80, 3))]);
    for (port, expected) in [
        (row(9000, 82, 1), true),
        (row(9000, 70, 11), true),
        (row(9000, 83, 5), false),
        (row(9000, 70, 10), false),
        (on("192.168.7.7", row(8080, 80, 1)), false),
    ] {
        assert_eq!(web.may_rule(port), expected, "{port}");
    }
}
