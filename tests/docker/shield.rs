//! Rules of published ports by a container's labels, and by an operator's word beside them.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, Lab, Neighbour},
};

use serde_json::json;

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::Mode,
};

/// Whether there is an answer within that many milliseconds.
pub(crate) fn reaches(
    agent: &Agent,
    host: impl Into<std::net::IpAddr>,
    port: u16,
    within_ms: u64,
) -> bool {
    let ask = Connect::to(Proto::Tcp, (host.into(), port)).within_ms(within_ms);
    agent.connect(ask).is_ok()
}

/// Who of the LAN and the other neighbour reaches the port.
pub(crate) fn who(lab: &Lab, more: &Neighbour, port: u16) -> (bool, bool) {
    (
        reaches(lab.lan(), HOST, port, 500),
        reaches(&more.agent, more.host, port, 500),
    )
}

#[test]
fn labels_say_who_may_use_a_port() {
    let adopted = Adopted::start();
    let more = adopted.lab.add_lan_host();
    let web = adopted.run(
        "web",
        "-p 8080:80 -p 8081:80 -p 8082:80 -p 9000-9002:9000-9002 \
         --label netctl.allow=198.51.100.0/24 \
         --label netctl.allow.8081=up1,203.0.113.0/24 \
         --label netctl.allow.8082/tcp=any --label netctl.limit.8082=2conn/h \
         --label netctl.allow.9001=any",
    );
    web.serve_all(80);
    for port in 9000..=9002 {
        web.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, port));
    }
    assert_eq!(who(&adopted.lab, &more, 8080), (true, false));
    assert_eq!(who(&adopted.lab, &more, 8081), (false, true));
    for n in 1..=2 {
        assert_eq!(
            who(&adopted.lab, &more, 8082),
            (true, true),
            "connection {n}"
        );
    }
    assert_eq!(who(&adopted.lab, &more, 8082), (false, false));
    // One of a range.
    assert_eq!(who(&adopted.lab, &more, 9000), (true, false));
    assert_eq!(who(&adopted.lab, &more, 9001), (true, true));
    assert_eq!(who(&adopted.lab, &more, 9002), (true, false));
    // On the uplinks: the host and other containers go on.
    assert!(reaches(adopted.lab.host(), HOST, 8080, 500));
    let other = adopted.run("other", "");
    assert!(reaches(&other, HOST, 8080, 500));
    let shown = adopted.lab.netctl("port ls").ok().stdout;
    assert!(shown.contains("198.51.100.0/24"), "{shown}");
    adopted.engine.ok("rm -f web");
    wait_for("the rules' end", SOON, || {
        adopted.lab.netctl("status -o json").json()["shield"].is_null()
    });
}

#[test]
fn a_label_that_is_not_understood_opens_nothing() {
    let adopted = Adopted::start();
    let options = ["-p", "8080:80", "--label", "netctl.allow=10.0.0.300"];
    adopted.engine.run("web", &options).unwrap();
    let lab = &adopted.lab;
    let problems = || lab.netctl("status -o json").json()["docker"]["problems"].to_string();
    wait_for("the problem", SOON, || problems().contains("10.0.0.300"));
    let text = problems();
    for part in ["web", "netctl.allow", "neither an address", "not served"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let web = adopted.agent("web");
    web.serve_all(80);
    assert!(!reaches(lab.lan(), HOST, 8080, 500));
    assert_eq!(lab.netctl("port ls -o json").json(), serde_json::json!([]));
    adopted.engine.ok("rm -f web");
    // A label about a port that is not there is named, and the rest is served.
    let web = adopted.run("web", "-p 8080:80 --label netctl.allow.8081=10.0.0.0/8");
    web.serve_all(80);
    wait_for("the problem", SOON, || {
        problems().contains("netctl.allow.8081 is about no published port")
    });
    assert!(reaches(lab.lan(), HOST, 8080, 500));
}

#[test]
fn an_operators_word_stays_with_the_container() {
    let adopted = Adopted::start();
    let lab = &adopted.lab;
    let more = lab.add_lan_host();
    let web = adopted.run("web", "-p 8080:80 --label netctl.allow=198.51.100.0/24");
    web.serve_all(80);
    assert_eq!(who(&adopted.lab, &more, 8080), (true, false));
    lab.netctl("port allow web 8080:80 --from up1").ok();
    assert_eq!(who(&adopted.lab, &more, 8080), (false, true));
    drop(web);
    adopted.engine.ok("restart -t 0 web");
    adopted.wait_served("web");
    let web = adopted.agent("web");
    web.serve_all(80);
    wait_for("the port", SOON, || who(lab, &more, 8080).1);
    assert_eq!(who(lab, &more, 8080), (false, true));
    // netctl, too, is started anew meanwhile, as at every boot.
    drop(web);
    adopted.engine.ok("stop -t 0 web");
    lab.kill_daemon();
    lab.start_daemon();
    adopted.wait_connected();
    adopted.engine.ok("start web");
    adopted.wait_served("web");
    let web = adopted.agent("web");
    web.serve_all(80);
    wait_for("the port", SOON, || who(lab, &more, 8080).1);
    assert_eq!(who(lab, &more, 8080), (false, true));
    lab.netctl("port allow web 8080:80 --clear").ok();
    assert_eq!(who(&adopted.lab, &more, 8080), (true, false));
}

/// Ports that Docker asks netctl's network driver for, whose container it names only afterwards.
#[test]
fn rules_hold_on_networks_of_the_driver() {
    let driven = Driven::start();
    let lab = &driven.lab;
    let more = lab.add_lan_host();
    driven.network("net1", "--subnet 172.28.0.0/24");
    let serve = || {
        let web = driven.agent("web");
        web.serve_all(80);
        for port in 9000..=9002 {
            web.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, port));
        }
        web
    };
    drop(driven.run(
        "web",
        "--network net1 -p 8080:80 -p 8081:80 -p 9000-9002:9000-9002 \
         --label netctl.allow=198.51.100.0/24 --label netctl.allow.9001=any",
    ));
    let web = serve();
    let are = |port: u16, expected: (bool, bool)| {
        let what = format!("{port} for (the LAN, the other) as {expected:?}");
        wait_for(&what, SOON, || who(lab, &more, port) == expected);
    };
    are(8080, (true, false));
    are(9000, (true, false));
    are(9001, (true, true));
    are(9002, (true, false));
    lab.netctl("port allow web 8081:80 --from up1").ok();
    are(8081, (false, true));
    drop(web);
    driven.engine.ok("restart -t 0 web");
    driven.wait_served("web");
    let web = serve();
    are(8081, (false, true));
    are(8080, (true, false));
    drop(web);
    driven.engine.ok("stop -t 0 web");
    lab.kill_daemon();
    lab.start_daemon();
    driven.engine.ok("start web");
    driven.wait_served("web");
    let _web = serve();
    are(8081, (false, true));
    are(9001, (true, true));
    are(9002, (true, false));
    // A label that is not understood lets nobody in.
    let wrong = "--network net1 -p 8090:80 --label netctl.allow=10.0.0.300";
    let other = driven.run("other", wrong);
    other.serve_all(80);
    are(8090, (false, false));
    let problems = || lab.netctl("status -o json").json()["docker"]["problems"].to_string();
    wait_for("the problem", SOON, || problems().contains("let nobody in"));
    assert!(
        reaches(lab.host(), HOST, 8090, 500),
        "rules are kept on the uplinks"
    );
}

/// The same where an XDP program keeps them, whatever a veth pays for it; limits, and who is told.
fn labels_are_kept_by_xdp<M: Mode>() {
    let mode = M::start_as("[datapath]\nxdp = \"on\"\n", &json!({}));
    let lab = mode.lab();
    let more = lab.add_lan_host();
    mode.network("net1", "--subnet 172.28.0.0/24");
    let web = mode.run(
        "web",
        "--network net1 -p 8080:80 -p 8081:80 -p 8082:80/udp \
         --label netctl.allow.8080=198.51.100.0/24 --label netctl.limit.8081=2conn/h \
         --label netctl.limit.8082/udp=3pkt/h",
    );
    web.serve_all(80);
    let kept = || lab.netctl("status -o json").json()["shield"].clone();
    for uplink in ["up0", "up1"] {
        wait_for(&format!("{uplink} by XDP"), SOON, || {
            kept()[uplink]
                .as_str()
                .is_some_and(|how| how.starts_with("xdp"))
        });
    }
    wait_for("the list", SOON, || who(lab, &more, 8080) == (true, false));
    // For each source.
    for expected in [(true, true), (true, true), (false, false)] {
        assert_eq!(who(lab, &more, 8081), expected);
    }
    let asked = |agent: &Agent, host: Ipv4Addr| {
        let ask = Connect::to(Proto::Udp, (host, 8082)).within_ms(500);
        agent.connect(ask).is_ok()
    };
    for expected in [true, true, true, false] {
        let answered = (asked(lab.lan(), HOST), asked(&more.agent, more.host));
        assert_eq!(answered, (expected, expected));
    }
    let page = lab.scrape();
    for (port, reason) in [
        (8080, "not_allowed"),
        (8081, "limit_connections"),
        (8082, "limit_packets"),
    ] {
        let port = format!("host_port=\"{port}\"");
        let reason = format!("reason=\"{reason}\"");
        let labels = ["container=\"web\"", "network=\"net1\"", &port, &reason];
        let refused = page.value("netctl_port_refused_packets_total", &labels);
        assert!(refused >= 1.0, "{labels:?}: {}", page.text());
    }
}

#[test]
fn labels_hold_by_xdp() {
    labels_are_kept_by_xdp::<Adopted>();
}

#[test]
fn labels_hold_by_xdp_by_the_driver() {
    labels_are_kept_by_xdp::<Driven>();
}
