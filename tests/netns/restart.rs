//! Acceptance 5: the daemon's end and return are not noticed.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use netctl_tests::{
    agent::{Agent, Load, LoadReport},
    daemon,
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6, Lab},
};

use crate::usual::{PUBLISHED, PUBLISHED_HTTP, Usual, WEB};

const ROUNDS: usize = 20;

/// Hundreds of connections a second need room: closed ones stay for two minutes, those of IPv6, too.
const CONFIG: &str = "[daemon]\nresync_seconds = 2\n[datapath]\nmax_flows6 = 524288\n";

/// HTTP with kept and with new connections from everywhere, and two UDP probes at 1 kHz.
fn start_load(usual: &Usual) {
    let http = |targets: &[IpAddr]| -> Vec<std::net::SocketAddr> {
        targets
            .iter()
            .map(|addr| (*addr, PUBLISHED_HTTP).into())
            .collect()
    };
    let both = |targets: Vec<std::net::SocketAddr>, probes: &[IpAddr]| Load {
        keep_alive: targets.clone(),
        connections: targets,
        probes: probes
            .iter()
            .map(|addr| (*addr, PUBLISHED).into())
            .collect(),
        limit_ms: 300_000,
    };
    let (host, host6) = (IpAddr::from(HOST), IpAddr::from(HOST6));
    let (loopback, loopback6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let from_lan = both(http(&[host, host6]), &[host, host6]);
    usual.lab.lan().load_start(from_lan);
    usual
        .lab
        .host()
        .load_start(both(http(&[host, loopback, loopback6]), &[loopback]));
    let mut from_client = http(&[host, host6]);
    from_client.push((WEB, 81).into());
    usual.client.load_start(both(from_client, &[]));
    let mut from_web = http(&[host]);
    from_web.push((LAN, 7001).into());
    from_web.push((LAN6, 7001).into());
    usual.web.load_start(both(from_web, &[]));
}

fn stop_load(usual: &Usual) {
    let agents: [(&str, &Agent); 4] = [
        ("lan", usual.lab.lan()),
        ("host", usual.lab.host()),
        ("client", &usual.client),
        ("web", &usual.web),
    ];
    let reports: Vec<(&str, LoadReport)> = agents
        .iter()
        .map(|(name, agent)| (*name, agent.load_stop()))
        .collect();
    for (name, report) in &reports {
        println!("{name}: {report:?}");
    }
    println!("{}", usual.lab.netctl("drops").ok().stdout);
    for (name, report) in &reports {
        assert!(report.is_clean(), "{name}: {report:?}");
        assert!(report.requests > 100, "{name}: {report:?}");
    }
}

pub(crate) fn pins(lab: &Lab) -> Vec<String> {
    let text = lab.sh(&["find", lab.bpffs().to_str().unwrap()]);
    let mut pins: Vec<String> = text.lines().map(str::to_owned).collect();
    pins.sort();
    pins
}

#[test]
fn nothing_is_lost_when_the_daemon_is_killed_and_started_20_times() {
    let usual = Usual::with_config(CONFIG);
    let before = pins(&usual.lab);
    start_load(&usual);
    for _ in 0..ROUNDS {
        usual.lab.kill_daemon();
        // Traffic while nobody is there, by the time that a new connection takes.
        assert!(usual.answers());
        usual.lab.start_daemon();
    }
    stop_load(&usual);
    assert_eq!(pins(&usual.lab), before);
    let status = usual.lab.netctl("status -o json").json();
    assert_eq!(status["healthy"], true, "{status:#}");
}

/// SYNs that the agent's namespace had to send again.
fn repeated_syns(agent: &Agent) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/net/netstat", agent.pid())).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("TcpExt:")).collect();
    let mut columns = lines[0].split(' ').zip(lines[1].split(' '));
    let found = columns.find_map(|(name, value)| (name == "TCPSynRetrans").then_some(value));
    found.unwrap().parse().unwrap()
}

/// While one daemon's programs take the place of another's, packets pass by programs of both.
#[test]
fn no_connection_is_asked_for_twice_while_programs_are_replaced() {
    let usual = Usual::with_config(CONFIG);
    let agents = [usual.lab.lan(), &usual.client, &usual.web];
    let before = agents.map(repeated_syns);
    start_load(&usual);
    for _ in 0..5 {
        usual.lab.kill_daemon();
        usual.lab.start_daemon();
    }
    stop_load(&usual);
    assert_eq!(agents.map(repeated_syns), before);
}

#[test]
fn an_emptied_run_folder_is_no_loss() {
    let usual = Usual::with_config(CONFIG);
    start_load(&usual);
    usual.lab.kill_daemon();
    for entry in fs::read_dir(usual.lab.run()).unwrap().flatten() {
        let removed = if entry.path().is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        removed.unwrap();
    }
    usual.lab.start_daemon();
    let wanted = usual.lab.netctl("ns ls -o json").json();
    assert_eq!(wanted.as_array().map(Vec::len), Some(3), "{wanted:#}");
    stop_load(&usual);
    // It still knows which namespaces are its own to remove.
    usual.lab.netctl("ns rm other").ok();
    assert!(!usual.lab.inside("/run/netns/other").exists());
}

#[test]
fn a_stopped_daemon_leaves_the_datapath_running() {
    let usual = Usual::start();
    assert_eq!(usual.lab.stop_daemon(), 0);
    assert!(usual.answers());
    usual
        .lab
        .netctl("network ls")
        .fails_with(1, &["netctl.sock", "daemon"]);
    usual.lab.start_daemon();
    assert!(usual.answers());
    assert_eq!(
        usual.lab.netctl("plan -o json").json()["steps"],
        serde_json::json!([])
    );
}

#[test]
fn a_second_daemon_is_refused() {
    let usual = Usual::start();
    let output = daemon::command(&usual.lab, &[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(usual.lab.run().to_str().unwrap()), "{text}");
    assert!(usual.answers());
    usual.lab.netctl("status").ok();
}

/// With folders of its own it would take the datapath of the first one for its own.
#[test]
fn a_second_daemon_and_a_purge_with_other_folders_are_refused() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let (run, state) = (lab.scratch().join("run2"), lab.scratch().join("state2"));
    let (run, state) = (run.to_str().unwrap(), state.to_str().unwrap());
    let others = ["--run", run, "--state", state, "--metrics", ""];
    let output = daemon::command(lab, &others).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(lab.bpffs().to_str().unwrap()), "{text}");
    let (bpffs, cgroup) = (lab.bpffs(), lab.cgroup());
    let words = [
        [
            "purge",
            "--run",
            run,
            "--state",
            state,
            "--bpffs",
            bpffs.to_str().unwrap(),
        ]
        .as_slice(),
        ["--cgroup", cgroup.to_str().unwrap()].as_slice(),
    ]
    .concat();
    lab.netctl_words(&words)
        .fails_with(1, &[bpffs.to_str().unwrap()]);
    assert!(usual.answers());
    let status = lab.netctl("status -o json").json();
    assert_eq!(status["healed"], serde_json::json!([]), "{status:#}");
}

#[test]
fn a_kill_in_the_middle_of_many_changes_is_put_right() {
    let usual = Usual::start();
    let lab = &usual.lab;
    for round in 0..3 {
        let mut creating = lab
            .netctl_command()
            .args([
                "ns",
                "create",
                &format!("late{round}"),
                "--network",
                "net1",
                "-p",
                "80/tcp",
            ])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed while it works, or just after: both must end well.
        lab.kill_daemon();
        drop(creating.wait());
        lab.start_daemon();
        wait_for("a plan without steps", Duration::from_secs(20), || {
            lab.netctl("plan -o json").json()["steps"] == serde_json::json!([])
        });
        let known = lab.netctl("ns ls -o json").json().to_string();
        let exists = lab.inside(format!("/run/netns/late{round}")).exists();
        assert_eq!(
            known.contains(&format!("late{round}")),
            exists,
            "done or undone"
        );
    }
    assert!(usual.answers());
}
