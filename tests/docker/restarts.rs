//! netctl or the Engine end and come back; containers go on.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Agent, Connect, Load, Proto},
    eventually::wait_for,
    lab::{HOST, LAN, Lab, docker::IMAGE},
};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    adopted::{ANSWERS, Adopted, SOON},
    driven::Driven,
    mode::{Mode, wait_at_rest},
};

#[track_caller]
fn check(lab: &Lab, web: &Agent) {
    let lan = lab.lan();
    for proto in [Proto::Tcp, Proto::Udp] {
        let drops = || lab.netctl("drops").stdout;
        let seen = lan.connect(Connect::to(proto, (HOST, 8080)));
        let seen = seen.unwrap_or_else(|error| panic!("LAN {proto:?}: {error}\n{}", drops()));
        assert_eq!(seen.seen.ip(), LAN, "{proto:?}");
        let out = web.connect(Connect::to(proto, (LAN, 7000)));
        let out = out.unwrap_or_else(|error| panic!("out {proto:?}: {error}\n{}", drops()));
        assert_eq!(out.seen.ip(), HOST, "{proto:?}");
    }
}

/// A connection from the LAN that is kept open under that name.
#[track_caller]
fn kept(adopted: &Adopted) {
    let ask = Connect::to(Proto::Tcp, (HOST, 8080)).hold("kept");
    let seen = adopted.lab.lan().connect(ask).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
}

const WEB: [&str; 4] = ["-p", "8080:80/tcp", "-p", "8080:80/udp"];

#[test]
fn containers_that_run_already_are_taken_over() {
    let adopted = Adopted::engine_only(&json!({}));
    adopted.engine.run("web", &WEB).unwrap();
    adopted.engine.ok("network create net1");
    adopted.engine.run("other", &["--network", "net1"]).unwrap();
    adopted.lab.start_daemon();
    for name in ["web", "other"] {
        adopted.wait_served(name);
    }
    let web = adopted.agent("web");
    web.serve_all(80);
    adopted.lab.lan().serve_all(7000);
    check(&adopted.lab, &web);
}

#[test]
fn netctl_ends_and_comes_back() {
    let adopted = Adopted::start();
    let web = adopted.run("web", &WEB.join(" "));
    web.serve_all(80);
    adopted.lab.lan().serve_all(7000);
    kept(&adopted);
    for end in ["killed", "stopped"] {
        match end {
            "killed" => adopted.lab.kill_daemon(),
            _ => drop(adopted.lab.stop_daemon()),
        }
        check(&adopted.lab, &web);
        kept(&adopted);
        adopted.lab.start_daemon();
        check(&adopted.lab, &web);
        kept(&adopted);
    }
    // What happened meanwhile is made up for.
    adopted.lab.kill_daemon();
    adopted.engine.ok("rm -f web");
    adopted.engine.run("new", &["-p", "8081:80"]).unwrap();
    adopted.lab.start_daemon();
    adopted.wait_served("new");
    let new = adopted.agent("new");
    new.serve_all(80);
    let lan = adopted.lab.lan();
    let gone = lan.connect(Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(500));
    assert!(gone.is_err(), "{gone:?}");
    lan.connect(Connect::to(Proto::Tcp, (HOST, 8081))).unwrap();
}

/// Killed again and again under load: no request fails, no datagram is lost.
fn killed_under_load<M: Mode>() {
    const ROUNDS: usize = 10;
    let mode = M::start();
    let network = mode.first_network();
    let options = format!("--network {network} {} -p 8081:81", WEB.join(" "));
    let web = mode.run("web", &options);
    let client = mode.run("client", &format!("--network {network}"));
    web.serve_all(80);
    let lab = mode.lab();
    lab.lan().serve_all(7000);
    let direct = mode.address("web", network);
    let load = |http: &[(Ipv4Addr, u16)], probes: &[Ipv4Addr]| Load {
        keep_alive: http.iter().map(|to| (*to).into()).collect(),
        connections: http.iter().map(|to| (*to).into()).collect(),
        probes: probes.iter().map(|ip| (*ip, 8080).into()).collect(),
        limit_ms: 300_000,
    };
    let everybody = [
        (lab.lan(), load(&[(HOST, 8081)], &[HOST])),
        (
            lab.host(),
            load(&[(HOST, 8081), (Ipv4Addr::LOCALHOST, 8081)], &[]),
        ),
        (&client, load(&[(HOST, 8081), (direct, 81)], &[])),
        (&web, load(&[(LAN, 7001)], &[])),
    ];
    for (agent, load) in &everybody {
        agent.load_start(load.clone());
    }
    for _ in 0..ROUNDS {
        lab.kill_daemon();
        check(lab, &web);
        lab.start_daemon();
        mode.wait_connected();
    }
    for (agent, load) in &everybody {
        let report = agent.load_stop();
        assert!(
            report.is_clean() && report.requests > 100,
            "{load:?}: {report:?}"
        );
    }
}

/// Without live-restore a dockerd that is started again ends what its predecessor left, and starts
/// what is to be there always.
#[test]
fn the_engine_ends_without_live_restore() {
    let mut adopted = Adopted::start();
    let always = format!("run -d --restart always --name web -p 8080:80 {IMAGE} {ANSWERS}");
    adopted.engine.ok(&always);
    adopted.run("other", "-p 8090:80");
    adopted.wait_served("web");
    let reaches = |adopted: &Adopted, port| {
        let ask = Connect::to(Proto::Tcp, (HOST, port)).within_ms(500);
        adopted.lab.lan().connect(ask).is_ok()
    };
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        wait_for("the container", SOON, || reaches(&adopted, 8080));
        adopted.engine.stop(signal).unwrap();
        // Killed, it leaves the containers; told to end, it ends them first.
        assert_eq!(reaches(&adopted, 8080), signal == Signal::SIGKILL);
        adopted.engine.start_again().unwrap();
        adopted.wait_connected();
        wait_for("the container to be served again", SOON, || {
            adopted.engine.ok("inspect -f {{.State.Running}} web") == "true"
                && reaches(&adopted, 8080)
        });
        adopted.wait_served("web");
        let ports = adopted.lab.netctl("port ls").ok().stdout;
        assert!(
            !ports.contains("8090"),
            "what does not run any more: {ports}"
        );
    }
    wait_at_rest(&adopted.lab);
    let status = adopted.lab.netctl("status -o json").json();
    assert_eq!(status["healthy"], true, "{status:#}");
}

/// With live-restore containers outlive dockerd, however it ends.
#[test]
fn the_engine_ends_and_comes_back() {
    let mut adopted = Adopted::engine_only(&json!({"live-restore": true}));
    adopted.lab.start_daemon();
    let web = adopted.run("web", &WEB.join(" "));
    web.serve_all(80);
    adopted.lab.lan().serve_all(7000);
    kept(&adopted);
    let docker = |adopted: &Adopted| adopted.lab.netctl("status -o json").json()["docker"].clone();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        adopted.engine.stop(signal).unwrap();
        wait_for("netctl to notice", SOON, || {
            docker(&adopted)["connected"] == false
        });
        assert!(docker(&adopted)["error"].is_string());
        check(&adopted.lab, &web);
        // netctl is started anew while nobody can say what there is.
        adopted.lab.kill_daemon();
        adopted.lab.start_daemon();
        check(&adopted.lab, &web);
        kept(&adopted);
        adopted.engine.start_again().unwrap();
        adopted.wait_connected();
        check(&adopted.lab, &web);
        kept(&adopted);
        // The Engine has its ports again, and says so.
        assert_eq!(
            adopted.engine.ok("port web 80/tcp").lines().next(),
            Some("0.0.0.0:8080")
        );
        adopted.engine.run("late", &["-p", "8090:80"]).unwrap();
        adopted.wait_served("late");
        adopted.engine.ok("rm -f late");
    }
}

/// The same port again, at once: the Engine must get its socket, and the new container the port.
fn restarted<M: Mode>() {
    let mode = M::start();
    let network = mode.first_network();
    let options = format!("--network {network} --restart always {}", WEB.join(" "));
    let lan = mode.lab().lan();
    drop(mode.run("web", &options));
    for _ in 0..3 {
        mode.engine().ok("restart -t 0 web");
        mode.wait_served("web");
        let web = mode.agent("web");
        web.serve_all(80);
        wait_for("the published port", SOON, || {
            let ask = Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(500);
            lan.connect(ask).is_ok_and(|seen| seen.seen.ip() == LAN)
        });
        drop(web);
        mode.engine().ok("rm -f web");
        let web = mode.run("web", &options);
        web.serve_all(80);
        for proto in [Proto::Tcp, Proto::Udp] {
            let seen = lan.connect(Connect::to(proto, (HOST, 8080))).unwrap();
            assert_eq!(seen.seen.ip(), LAN, "{proto:?}");
        }
    }
}

#[test]
fn netctl_is_killed_under_load() {
    killed_under_load::<Adopted>();
}

#[test]
fn netctl_is_killed_under_load_by_the_driver() {
    killed_under_load::<Driven>();
}

#[test]
fn containers_are_restarted() {
    restarted::<Adopted>();
}

#[test]
fn containers_are_restarted_by_the_driver() {
    restarted::<Driven>();
}
