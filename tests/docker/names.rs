//! What netctl shows of a container under the names that people gave it.

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::HOST,
};

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::Mode,
};

/// The labels that Compose puts on what it makes, by hand.
const COMPOSE: &str =
    "--label com.docker.compose.project=shop --label com.docker.compose.service=front";

fn check<M: Mode>() {
    let mode = M::start();
    let first = mode.first_network();
    mode.network("shop_default", "");
    let options = format!("--network shop_default {COMPOSE} -p 8080:80");
    let web = mode.run("shop-front-1", &options);
    web.serve_all(80);
    mode.run("plain", &format!("--network {first} -p 8081:80"));
    for name in ["shop-front-1", "plain"] {
        mode.wait_served(name);
    }
    let lab = mode.lab();
    lab.lan()
        .connect(Connect::to(Proto::Tcp, (HOST, 8080)))
        .unwrap();
    let opened = |labels: &[&str]| {
        let scrape = lab.scrape();
        scrape.value("netctl_port_connections_opened_total", labels)
    };
    let labels = [
        "container=\"shop-front-1\"",
        "network=\"shop_default\"",
        "compose_project=\"shop\"",
        "compose_service=\"front\"",
        "host_port=\"8080\"",
    ];
    assert_eq!(opened(&labels), 1.0, "{}", lab.scrape().text());
    let plain = lab.scrape();
    let series = plain
        .text()
        .lines()
        .find(|line| line.contains("container=\"plain\""));
    let series = series.unwrap_or_else(|| panic!("{}", plain.text()));
    assert!(series.contains("compose_project=\"\""), "{series}");
    // The same for scripts.
    let ports = lab.netctl("port ls -o json").json();
    let port = ports.as_array().unwrap().iter();
    let port = port
        .clone()
        .find(|port| port["host_port"] == 8080)
        .unwrap_or_else(|| panic!("{ports:#}"));
    assert_eq!(port["container"]["name"], "shop-front-1", "{port:#}");
    assert_eq!(port["container"]["compose_service"], "front", "{port:#}");
    // A container that is renamed goes on counting under its new name.
    mode.engine().ok("rename shop-front-1 renamed");
    wait_for("the new name", SOON, || {
        opened(&["container=\"renamed\"", "compose_project=\"shop\""]) == 1.0
    });
    assert_eq!(opened(&["container=\"shop-front-1\""]), 0.0);
    // And after a restart of the daemon.
    lab.kill_daemon();
    lab.start_daemon();
    assert_eq!(opened(&["container=\"renamed\""]), 1.0, "before any answer");
}

#[test]
fn counters_carry_container_network_and_compose_service() {
    check::<Adopted>();
}

#[test]
fn counters_carry_container_network_and_compose_service_by_the_driver() {
    check::<Driven>();
}
