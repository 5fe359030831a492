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

/// The container's process; one that goes on keeps it.
fn pid(adopted: &Adopted) -> String {
    adopted.engine.ok("inspect -f {{.State.Pid}} web")
}

/// Starts the container where it does not run; an agent inside that serves.
fn web(adopted: &Adopted) -> Agent {
    adopted.engine.ok("start web");
    let web = adopted.agent("web");
    web.serve_all(80);
    web
}

/// Restarts the Engine. Its containers go on, or are started anew; the agent inside that serves.
fn restarted(adopted: &mut Adopted, agent: Agent, live_restore: bool) -> Agent {
    let before = pid(adopted);
    if live_restore {
        restart_engine(adopted);
        assert_eq!(pid(adopted), before, "containers go on");
        return agent;
    }
    drop(agent);
    restart_engine(adopted);
    web(adopted)
}

/// In the order of deploy/README.md: netctl runs, and serves nothing of Docker's yet.
fn there_and_back(settings: &Value) {
    let live_restore = settings["live-restore"] == true;
    let mut adopted = Adopted::stock(settings);
    adopted.configure("# ours\n[docker]\n");
    adopted.lab.start_daemon();
    let config = std::fs::read_to_string(adopted.lab.config_path()).unwrap();
    let file = adopted.lab.scratch().join("docker/daemon.json");
    let stock = std::fs::read_to_string(&file).unwrap();
    adopted.engine.run("web", &["-p", "8080:80"]).unwrap();
    assert!(proxies(&adopted.engine) > 0);
    let agent = web(&adopted);
    let ask = || Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(1000);
    adopted.lab.lan().connect(ask()).unwrap();

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
    adopted.lab.stop_daemon();
    adopted.start_netctl();
    // Beside the Engine's rules and its proxies, which go on for as long as it runs.
    adopted.wait_served("web");
    let seen = adopted.lab.lan().connect(ask()).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
    let agent = restarted(&mut adopted, agent, live_restore);
    adopted.wait_connected();
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
    adopted.wait_served("web");
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
    let _agent = restarted(&mut adopted, agent, live_restore);
    assert!(adopted.lab.sh(&["iptables-save"]).contains("DOCKER"));
    assert!(proxies(&adopted.engine) > 0);
    wait_for("stock Docker to serve", SOON, || {
        adopted.lab.lan().connect(ask()).is_ok()
    });
}

#[test]
fn a_host_goes_there_and_back() {
    there_and_back(&json!({}));
}

#[test]
fn a_host_goes_there_and_back_while_containers_run() {
    there_and_back(&json!({"live-restore": true}));
}
