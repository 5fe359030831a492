use clap::{CommandFactory, error::ErrorKind};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_fixed_word_is_understood() {
    for line in [
        "netctl daemon --config f --state s --run r --bpffs b --cgroup c --uplink a --uplink b --metrics 127.0.0.1:1",
        "netctl network create n --subnet 10.0.0.0/8 --gateway 10.0.0.1 --ip-range 10.0.0.0/9 --mtu 1400 --internal --no-masquerade --no-icc",
        "netctl network create n --ipv6 --subnet 10.0.0.0/8 --subnet fd00::/64 --gateway fd00::2 --gateway 10.0.0.2",
        "netctl network create n --ipv4=false --ipv6=true --nat-mapping address-and-port-dependent --nat-filtering endpoint-independent",
        "netctl network ls -o json",
        "netctl network inspect n",
        "netctl network rm a b",
        "netctl network connect n s --ip 10.0.0.2 --ip6 fd00::2",
        "netctl network disconnect n s",
        "netctl ns create s",
        "netctl ns create s --network n --ip 10.0.0.2 --mac 02:00:00:00:00:01 -p 80 -p 127.0.0.1::53/udp --netns /x",
        "netctl ns create s --pid 1",
        "netctl ns ls",
        "netctl ns inspect s",
        "netctl ns rm a b",
        "netctl ns exec s -- ip -o addr",
        "netctl port add s 80 8080:80",
        "netctl port rm s 80",
        "netctl port ls",
        "netctl flows --ns s",
        "netctl drops",
        "netctl status --run /r",
        "netctl plan",
        "netctl purge --state s --bpffs b --cgroup c --config f",
        "netctl completion bash",
    ] {
        if let Err(e) = parse(line) {
            panic!("{line}: {e}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_status_2() {
    for line in [
        "netctl nonsense",
        "netctl network",
        "netctl network create",
        "netctl network rm",
        "netctl network create n --mtu many",
        "netctl ns create s --ip 10.0.0.2",
        "netctl ns create s --ip6 fd00::2",
        "netctl network create n --ipv4 false",
        "netctl network create n --nat-mapping some",
        "netctl ns create s --netns /x --pid 1",
        "netctl ns create s --pid -1",
        "netctl ns exec s",
        "netctl ns exec s true",
        "netctl port add s",
        "netctl status -o yaml",
        "netctl daemon --metrics 9469",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn a_command_is_passed_on_as_it_is() {
    let cli = parse("netctl ns exec s -- ls -o json --run x").unwrap();
    let Command::Ns(Ns::Exec { command, .. }) = cli.command else {
        panic!("not exec");
    };
    assert_eq!(command, ["ls", "-o", "json", "--run", "x"]);
    assert_eq!((cli.output, cli.run), (Format::Table, None));
}

#[test]
fn metrics_may_be_switched_off() {
    let cli = Cli::try_parse_from(["netctl", "daemon", "--metrics", ""]).unwrap();
    let Command::Daemon(daemon) = cli.command else {
        panic!("not daemon");
    };
    assert_eq!(daemon.metrics, Some(Metrics(None)));
}

#[test]
fn the_version_tells_commit_and_layout() {
    let error = parse("netctl --version").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayVersion);
    let text = error.to_string();
    let layout = format!("map layout {}", netctl_common::LAYOUT_VERSION);
    assert!(text.contains("commit") && text.contains(&layout), "{text}");
}
