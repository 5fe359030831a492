//! A host with stock Docker goes to netctl and back, by `netctl docker` and restarts alone.

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    adopted::{Adopted, SOON},
    mode::{Mode as _, proxies},
};

/// What `netctl docker check` says: whether the host is ready, and its findings.
#[track_caller]
fn check(adopted: &Adopted) -> (bool, Vec<Value>) {
    let outcome = adopted.lab.netctl(&words(adopted, "check -o json"));
    let report: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    let findings = report["findings"].as_array().unwrap().clone();
    (report["ready"] == true, findings)
}

fn words(adopted: &Adopted, verb: &str) -> String {
    let folder = adopted.lab.scratch();
    format!(
        "docker {verb} --daemon-json {} --config {}",
        folder.join("docker/daemon.json").display(),
        adopted.lab.config_path().display()
    )
}

/// Whether one of the findings of that level says so.
fn says(findings: &[Value], level: &str, part: &str) -> bool {
    let of_level = findings.iter().filter(|f| f["level"] == level);
    let mut texts = of_level.filter_map(|f| f["found"].as_str());
    texts.any(|text| text.contains(part))
}

fn restart_engine(adopted: &mut Adopted) {
    adopted.engine.stop(Signal::SIGTERM).unwrap();
    adopted.engine.start_again().unwrap();
}

/// Starts the container; an agent inside that serves.
fn web(adopted: &Adopted) -> Agent {
    adopted.engine.ok("start web");
    let web = adopted.agent("web");
    web.serve_all(80);
    web
}

#[test]
fn a_host_goes_there_and_back() {
    let mut adopted = Adopted::stock(&json!({}));
    adopted.configure("# ours\n[docker]\n");
    let config = std::fs::read_to_string(adopted.lab.config_path()).unwrap();
    let file = adopted.lab.scratch().join("docker/daemon.json");
    let stock = std::fs::read_to_string(&file).unwrap();
    adopted.engine.run("web", &["-p", "8080:80"]).unwrap();
    assert!(proxies(&adopted.engine) > 0);

    let (ready, findings) = check(&adopted);
    assert!(!ready);
    assert!(
        says(&findings, "change", "\"iptables\" is not set"),
        "{findings:#?}"
    );
    assert!(
        says(&findings, "change", "docker.adopt is not set"),
        "{findings:#?}"
    );
    assert!(
        says(&findings, "note", "chains of the Engine"),
        "{findings:#?}"
    );

    // There.
    adopted.lab.netctl(&words(&adopted, "enable")).ok();
    let (ready, findings) = check(&adopted);
    assert!(!ready, "it runs as before");
    for part in ["docker-proxy", "was started before daemon.json was changed"] {
        assert!(says(&findings, "change", part), "{part}: {findings:#?}");
    }
    restart_engine(&mut adopted);
    let (ready, findings) = check(&adopted);
    assert!(ready, "{findings:#?}");
    // The lines that take away what is left, as they are printed.
    let left = findings.iter().find(|f| f["topic"] == "netfilter").unwrap();
    let lines = left["remedy"].as_array().unwrap().iter();
    let lines: Vec<&str> = lines
        .filter_map(|line| line.as_str()?.strip_prefix("sudo "))
        .collect();
    assert!(!lines.is_empty(), "{left:#}");
    for line in lines {
        adopted.lab.sh(&["sh", "-c", line]);
    }
    adopted.start_netctl();
    let agent = web(&adopted);
    adopted.wait_served("web");
    let ask = || Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(1000);
    let seen = adopted.lab.lan().connect(ask()).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
    assert_eq!(proxies(&adopted.engine), 0);
    for command in ["iptables-save", "ip6tables-save"] {
        let rules = adopted.lab.sh(&[command]);
        assert!(!rules.lines().any(|line| line.starts_with("-A")), "{rules}");
    }
    let (ready, findings) = check(&adopted);
    assert!(
        ready && says(&findings, "ok", "no rules of the Engine"),
        "{findings:#?}"
    );
    drop(agent);

    // And back.
    adopted.lab.netctl(&words(&adopted, "disable")).ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), stock);
    assert_eq!(
        std::fs::read_to_string(adopted.lab.config_path()).unwrap(),
        config
    );
    adopted.lab.stop_daemon();
    adopted.lab.start_daemon();
    assert_eq!(adopted.lab.netctl("status -o json").json()["endpoints"], 0);
    restart_engine(&mut adopted);
    let _agent = web(&adopted);
    assert!(adopted.lab.sh(&["iptables-save"]).contains("DOCKER"));
    assert!(proxies(&adopted.engine) > 0);
    wait_for("stock Docker to serve", SOON, || {
        adopted.lab.lan().connect(ask()).is_ok()
    });
}
