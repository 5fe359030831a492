//! netctl or the Engine end and come back; containers on the driver's networks go on.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{adopted::SOON, driven::Driven, mode::Mode as _};

/// Docker asks a driver that is away again and again, each time after twice the time, for half a
/// minute (pkg/plugins/client.go): so late may a call of its come through.
const DOCKERS_PATIENCE: Duration = Duration::from_secs(40);
/// Containers that come and go under load.
const ROUNDS: u32 = 4;
const WEB: &str = "--network net1 -p 8080:80/tcp -p 8080:80/udp";

/// Of a container `web` that was run with [`WEB`].
#[track_caller]
fn check(driven: &Driven, web: &Agent) {
    for proto in [Proto::Tcp, Proto::Udp] {
        let seen = driven.lab.lan().connect(Connect::to(proto, (HOST, 8080)));
        assert_eq!(
            seen.unwrap_or_else(|e| panic!("{proto:?}: {e}")).seen.ip(),
            LAN
        );
        let out = web.connect(Connect::to(proto, (LAN, 7000)));
        assert_eq!(
            out.unwrap_or_else(|e| panic!("{proto:?}: {e}")).seen.ip(),
            HOST
        );
    }
}

/// A connection that is kept open under that name.
#[track_caller]
fn kept(driven: &Driven) {
    let ask = Connect::to(Proto::Tcp, (HOST, 8080)).hold("kept");
    assert_eq!(driven.lab.lan().connect(ask).unwrap().seen.ip(), LAN);
}

fn serving(driven: &Driven) -> Agent {
    driven.engine.ok("network create -d netctl net1");
    let web = driven.run("web", WEB);
    web.serve_all(80);
    driven.lab.lan().serve_all(7000);
    kept(driven);
    web
}

#[test]
fn netctl_ends_and_comes_back_with_the_driver() {
    let driven = Driven::start();
    let web = serving(&driven);
    for end in ["killed", "stopped"] {
        match end {
            "killed" => driven.lab.kill_daemon(),
            _ => drop(driven.lab.stop_daemon()),
        }
        check(&driven, &web);
        driven.lab.start_daemon();
        check(&driven, &web);
        kept(&driven);
        assert_eq!(
            driven.lab.netctl("plan").ok().stdout.trim(),
            "nothing to do"
        );
        driven.wait_served("web");
    }
    driven.engine.ok("rm -f web");
    driven.wait_idle();
}

/// Docker's calls wait for a netctl that comes back, and containers that start meanwhile start.
#[test]
fn netctl_is_killed_while_containers_come_and_go() {
    let driven = Driven::with_network();
    let done = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let (engine, done) = (&driven.engine, &done);
        scope.spawn(move || {
            for round in 0..ROUNDS {
                let name = format!("c{round}");
                let options = ["--network", "net1", "-p", "8080:80"];
                engine.run(&name, &options).unwrap();
                done.fetch_add(1, Ordering::Relaxed);
                engine.docker(&["rm", "-f", &name]).unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Each time in the middle of another call of Docker's.
        for step in 1..ROUNDS * 2 {
            wait_for("the next container", DOCKERS_PATIENCE, || {
                done.load(Ordering::Relaxed) >= step
            });
            driven.lab.kill_daemon();
            driven.lab.start_daemon();
        }
    });
    driven.wait_idle();
}

/// With live-restore containers outlive dockerd, however it ends.
#[test]
fn the_engine_ends_and_comes_back_with_the_driver() {
    let mut driven = Driven::start_as("", &json!({"live-restore": true}));
    let web = serving(&driven);
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        driven.engine.stop(signal).unwrap();
        check(&driven, &web);
        driven.lab.kill_daemon();
        driven.lab.start_daemon();
        check(&driven, &web);
        driven.engine.start_again().unwrap();
        check(&driven, &web);
        kept(&driven);
        driven.run("late", "--network net1 -p 8090:80");
        driven.engine.ok("rm -f late");
    }
    driven.engine.ok("rm -f web");
    driven.wait_idle();
}

/// Without live-restore containers end with dockerd, in good order or not.
#[test]
fn containers_start_again_with_the_engine() {
    let mut driven = Driven::start();
    drop(serving(&driven));
    driven.engine.ok("update --restart always web");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        driven.engine.stop(signal).unwrap();
        driven.engine.start_again().unwrap();
        wait_for("the container", SOON, || {
            driven.engine.ok("inspect -f {{.State.Running}} web") == "true"
        });
        let web = driven.agent("web");
        web.serve_all(80);
        check(&driven, &web);
        drop(web);
        let status = driven.lab.netctl("status -o json").json();
        assert_eq!(status["endpoints"], 1, "{signal}: {status:#}");
    }
    driven.engine.ok("rm -f web");
    driven.wait_idle();
}

/// The Engine of a host that boots starts first: it has a network of the driver's, and a container
/// to start there, and nobody who serves either.
#[test]
fn netctl_comes_after_the_engine() {
    let mut driven = Driven::engine(Driven::lab(""), &json!({}));
    driven.lab.start_daemon();
    drop(serving(&driven));
    driven.engine.ok("update --restart always web");
    driven.engine.stop(Signal::SIGTERM).unwrap();
    driven.lab.stop_daemon();
    let before = driven.engine.log().len();
    driven.engine.launch_again().unwrap();
    wait_for("the Engine to miss the driver", SOON, || {
        let log = driven.engine.log();
        log[before..].contains("Unable to locate plugin: netctl")
    });
    driven.lab.start_daemon();
    driven.engine.wait_ready().unwrap();
    wait_for("the container", DOCKERS_PATIENCE, || {
        driven.engine.ok("inspect -f {{.State.Running}} web") == "true"
    });
    let web = driven.agent("web");
    web.serve_all(80);
    check(&driven, &web);
    drop(web);
    driven.engine.ok("rm -f web");
    driven.wait_idle();
}

/// What happens while netctl is away is made up for.
#[test]
fn a_container_ends_while_netctl_is_away() {
    let driven = Driven::start();
    drop(serving(&driven));
    driven.wait_served("web");
    driven.lab.kill_daemon();
    // Docker gives up after half a minute, and has removed it then.
    drop(driven.engine.docker(&["rm", "-f", "web"]));
    driven.lab.start_daemon();
    driven.wait_idle();
}
