//! Acceptance 4, second half: a client that keeps its port reaches the new namespace at once.

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::usual::{PUBLISHED, Usual};

#[test]
fn a_udp_client_reaches_the_next_namespace_with_its_first_packet() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let ask = || {
        Connect::to(Proto::Udp, (HOST, PUBLISHED))
            .from((LAN, 5555))
            .hold("probe")
            .within_ms(1000)
    };
    lab.lan().connect(ask()).unwrap();
    // The host's own client as well: connected once, its socket was translated then.
    let host = || {
        Connect::to(Proto::Udp, (HOST, PUBLISHED))
            .unconnected()
            .hold("host")
    };
    lab.host().connect(host()).unwrap();
    let inside = || {
        Connect::to(Proto::Udp, (HOST, PUBLISHED))
            .unconnected()
            .hold("inside")
    };
    usual.client.connect(inside()).unwrap();
    for address in ["172.18.0.2", "172.18.0.9"] {
        lab.netctl("ns rm web").ok();
        let gone = lab.lan().connect(ask().within_ms(200));
        assert!(gone.is_err(), "{gone:?}");
        lab.netctl(&format!(
            "ns create web --network net1 --ip {address} -p 8080:80/udp"
        ))
        .ok();
        let web = lab.agent_in("web");
        web.serve_all(80);
        let seen = lab.lan().connect(ask()).unwrap();
        assert_eq!(seen.seen, (LAN, 5555).into());
        lab.host().connect(host()).unwrap();
        usual.client.connect(inside()).unwrap();
    }
}
