//! The demo: every path through netctl, with real HTTP, in a lab of its own.
//!
//! Reading order: this file is the story; `paths` is who talks to whom, `walks` what a packet
//! costs, `screen` how it looks, `left_over` the proof that nothing stays behind.

mod left_over;
mod paths;
mod screen;
pub mod walks;

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use nix::sys::signal::{SigSet, Signal};

use self::{left_over::Machine, paths::Cast, screen::Screen};
use crate::{
    agent::Proto,
    daemon,
    lab::{HOST, LAN, Lab, OUTSIDE},
};

const SUBNET: &str = "172.18.0.0/24";
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 1);
const WEB: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);
const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 3);
const PUBLISHED: u16 = 8080;

/// What the demo was asked for.
pub struct Options<'a> {
    /// Leave the lab up until it is interrupted.
    pub keep: bool,
    /// The program to show.
    pub netctl: &'a Path,
}

/// Runs it; true when everything held.
pub fn run(options: &Options<'_>) -> bool {
    daemon::use_netctl(options.netctl);
    let held = Held(AtomicBool::new(true));
    let machine = Machine::now();
    let screen = Screen;
    screen.title("A lab of its own: namespaces host, lan, web and client");
    let lab = Lab::bare();
    let before = lab.snapshot();
    screen.line(&format!(
        "host {HOST} ── lan {LAN}, and {OUTSIDE} beyond it"
    ));

    screen.title("netctl in the host's namespace, driven by its command line");
    let started = Instant::now();
    lab.start_daemon();
    screen.line(&format!(
        "netctl daemon   ready after {} ms",
        started.elapsed().as_millis()
    ));
    for words in [
        format!("network create app --subnet {SUBNET}"),
        format!("ns create web --network app --ip {WEB} -p {PUBLISHED}:80"),
        format!("ns create client --network app --ip {CLIENT}"),
    ] {
        let started = Instant::now();
        lab.netctl(&words).ok();
        screen.command(&words, started.elapsed());
    }
    {
        let (web, client) = (lab.agent_in("web"), lab.agent_in("client"));
        web.serve(Proto::Http, (Ipv4Addr::UNSPECIFIED, 80));
        lab.lan().serve(Proto::Http, (Ipv4Addr::UNSPECIFIED, 80));
        let cast = Cast {
            lab: &lab,
            web: &web,
            client: &client,
        };
        let round = |title: &str| {
            screen.title(title);
            held.note(paths::show(&cast, &screen));
        };
        round("Every path, by HTTP");
        lab.kill_daemon();
        round("The same after kill -9 of the daemon: the kernel carries on");
        lab.start_daemon();
        round("And after it was started again");

        screen.title("What it counted");
        for words in ["port ls", "flows", "drops", "status"] {
            screen.command(words, Duration::ZERO);
            screen.block(&lab.netctl(words).ok().stdout);
        }
        screen.command("curl http://127.0.0.1:9469/metrics", Duration::ZERO);
        screen.block(&port_metrics(&lab));
        screen.title("What a packet costs (BPF_PROG_TEST_RUN, established flows)");
        held.note(walks::show(&screen));
        if options.keep {
            keep(&lab, &screen);
        }
    }

    screen.title("Taken away again");
    lab.netctl("purge").ok();
    lab.forget_daemon();
    let differences = lab.snapshot().differences(&before);
    held.note(screen.check(
        differences.is_empty(),
        "netctl purge: links, addresses, routes, qdiscs, programs, pins, namespaces and sysctls of \
         the host are as before",
        &differences.join("\n"),
    ));
    drop(lab);
    let left = machine.left_over();
    held.note(screen.check(
        left.is_empty(),
        "no link, namespace, mount, cgroup or process of the demo is left on this machine",
        &left.join("\n"),
    ));
    let all = held.0.load(Ordering::Relaxed);
    screen.verdict(all);
    all
}

/// Whether everything held so far.
struct Held(AtomicBool);

impl Held {
    fn note(&self, good: bool) {
        self.0.fetch_and(good, Ordering::Relaxed);
    }
}

/// The samples of the published port.
fn port_metrics(lab: &Lab) -> String {
    let scrape = lab.scrape();
    let lines = scrape.text().lines();
    lines
        .filter(|line| line.starts_with("netctl_port_"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Waits for Ctrl-C or SIGTERM, with the lab as it is.
fn keep(lab: &Lab, screen: &Screen) {
    screen.title("Left up (--keep): try it from another terminal, as root");
    let (host, lan) = (lab.host().pid(), lab.lan().pid());
    let run = lab.run();
    let netctl = daemon::netctl_path();
    for line in [
        format!(
            "alias in-host='nsenter --target {host} --net --mount env NETCTL_RUN={}'",
            run.display()
        ),
        format!("alias in-lan='nsenter --target {lan} --net'"),
        format!("in-lan curl http://{HOST}:{PUBLISHED}/"),
        format!("in-host {} port ls", netctl.display()),
        format!("in-host {} ns exec web -- ip addr", netctl.display()),
        format!("in-host {} drops", netctl.display()),
    ] {
        screen.line(&line);
    }
    screen.line("Ctrl-C here takes it down.");
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    // Blocked in this thread alone: an error here ends the wait, and the lab is taken down.
    let waited = signals.thread_block().and_then(|()| signals.wait());
    if let Err(error) = waited {
        screen.line(&format!("cannot wait for a signal: {error}"));
    }
}
