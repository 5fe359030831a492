//! Acceptance 4, first half: one client port, two published ports, one backend port.

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::usual::Usual;

#[test]
fn both_connections_of_one_client_port_work() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web 9001:80/tcp 9001:80/udp").ok();
    for proto in [Proto::Tcp, Proto::Udp] {
        let from = (LAN, 5555);
        let ask = |port: u16, hold: &str| Connect::to(proto, (HOST, port)).from(from).hold(hold);
        let first = lab.lan().connect(ask(8080, "first")).unwrap();
        let second = lab.lan().connect(ask(9001, "second")).unwrap();
        assert_eq!(
            first.seen.ip(),
            second.seen.ip(),
            "{proto:?}: the client's own address"
        );
        assert_ne!(
            first.seen, second.seen,
            "{proto:?}: the server can tell them apart"
        );
        // Both still work, in any order.
        for _ in 0..3 {
            assert_eq!(
                lab.lan().connect(ask(8080, "first")).unwrap().seen,
                first.seen
            );
            assert_eq!(
                lab.lan().connect(ask(9001, "second")).unwrap().seen,
                second.seen
            );
        }
        lab.lan().release("first");
        lab.lan().release("second");
    }
}

#[test]
fn two_containers_with_one_source_port_to_one_server() {
    let usual = Usual::start();
    let ask = |addr| {
        Connect::to(Proto::Udp, (LAN, 7000))
            .from((addr, 4000))
            .hold("same")
    };
    let first = usual.web.connect(ask(crate::usual::WEB)).unwrap();
    let second = usual.client.connect(ask(crate::usual::CLIENT)).unwrap();
    assert_eq!(first.seen.ip(), HOST);
    assert_eq!(second.seen.ip(), HOST);
    assert_ne!(first.seen.port(), second.seen.port());
    assert_eq!(
        usual.web.connect(ask(crate::usual::WEB)).unwrap().seen,
        first.seen
    );
}
