//! RFC 5508: ICMP, seen from both sides.

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{LAN, OUTSIDE},
};

use crate::{
    rfc::{every_icmp, expires, flows},
    usual::{CONFIG, Usual},
};

/// REQ-1: queries go out and their answers come back, of two containers at once.
#[test]
fn everybody_gets_the_answers_to_his_own_queries() {
    let usual = Usual::start();
    for target in [LAN, OUTSIDE] {
        for agent in [&usual.web, &usual.client, &usual.other] {
            assert_eq!(agent.ping(target, 3, 2000), 3);
        }
    }
}

/// REQ-2, REQ-2a: a minute, and configurable.
#[test]
fn a_query_may_be_answered_for_a_minute() {
    for (config, most) in [
        (CONFIG.to_owned(), 60),
        (format!("{CONFIG}[timeouts]\nicmp = 90\n"), 90),
    ] {
        let usual = Usual::with_config(&config);
        assert_eq!(usual.web.ping(LAN, 1, 2000), 1);
        let seconds = expires(&usual.lab, "web", "icmp");
        assert!((most - 8..=most).contains(&seconds), "{seconds}");
    }
}

/// REQ-6: errors about a query neither refresh nor end its session.
#[test]
fn an_error_about_a_query_leaves_its_session_alone() {
    let usual = Usual::start();
    assert_eq!(usual.web.ping(LAN, 1, 2000), 1);
    let before = flows(&usual.lab, "web", "icmp");
    let ident = before[0]["translated_src"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    let frames = every_icmp(&format!(
        "icmp 198.51.100.1>198.51.100.2 ident={ident} len=26"
    ));
    // Until the session's age shows: an error that refreshed it would set that back.
    netctl_tests::eventually::wait_for(
        "two seconds of silence",
        std::time::Duration::from_secs(30),
        || {
            usual.lab.lan().send_frames("lan0", &frames);
            let now = flows(&usual.lab, "web", "icmp");
            assert_eq!(now.len(), 1);
            now[0]["idle_seconds"].as_u64().unwrap() >= 2
        },
    );
}

/// REQ-11: what is no query and no error is dropped.
#[test]
fn other_messages_do_not_pass() {
    let usual = Usual::start();
    // A session with the neighbour that such a message could be taken to belong to.
    usual
        .web
        .connect(Connect::to(Proto::Udp, (LAN, 7000)))
        .unwrap();
    usual.web.sniff("eth0");
    usual.lab.lan().send_frames(
        "lan0",
        &every_icmp("udp 198.51.100.1:1>198.51.100.2:7000 len=6"),
    );
    assert_eq!(usual.web.ping(LAN, 1, 2000), 1);
    // Its own echo and the answer, and none of the neighbour's messages.
    let icmp = usual.web.sniffed("eth0", &LAN.octets(), 2, 2000);
    let others = icmp
        .iter()
        .filter(|frame| frame[23] == 1 && !matches!(frame[34], 0 | 8));
    assert_eq!(others.count(), 0, "{icmp:x?}");
}
