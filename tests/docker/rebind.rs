//! A UDP service that is started anew while its client keeps its port (`hostPort` is not
//! `containerPort`): conntrack would go on sending to where the old container was.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::{adopted::Adopted, driven::Driven, mode::Mode};

fn the_next_packet_arrives<M: Mode>() {
    let mode = M::start();
    mode.network("net1", "--subnet 172.28.0.0/24");
    let lab = mode.lab();
    let client = mode.run("client", "--network net1 --ip 172.28.0.3");
    let start = |last: u8| {
        let addr = Ipv4Addr::new(172, 28, 0, last);
        let web = mode.run("web", &format!("--network net1 --ip {addr} -p 5300:80/udp"));
        web.serve_all(80);
        web
    };
    let ask = |name: &str| Connect::to(Proto::Udp, (HOST, 5300)).hold(name);
    let lan = || ask("lan").from((LAN, 5555));
    let mut web = start(9);
    // With the same address, and with another.
    for last in [9, 10] {
        assert_eq!(lab.lan().connect(lan()).unwrap().seen, (LAN, 5555).into());
        lab.host().connect(ask("host").unconnected()).unwrap();
        client.connect(ask("inside").unconnected()).unwrap();
        drop(web);
        mode.engine().ok("rm -f web");
        // Nobody is there, which nobody must remember.
        for (who, agent, ask) in [
            ("LAN", lab.lan(), lan()),
            ("container", &client, ask("inside").unconnected()),
        ] {
            let gone = agent.connect(ask.within_ms(200));
            assert!(gone.is_err(), "{who}: {gone:?}");
        }
        web = start(last);
        assert_eq!(lab.lan().connect(lan()).unwrap().seen, (LAN, 5555).into());
        lab.host().connect(ask("host").unconnected()).unwrap();
        client.connect(ask("inside").unconnected()).unwrap();
    }
    // Docker's own restart.
    drop(web);
    mode.engine().ok("restart -t 0 web");
    mode.wait_served("web");
    let web = mode.agent("web");
    web.serve_all(80);
    assert_eq!(lab.lan().connect(lan()).unwrap().seen, (LAN, 5555).into());
}

#[test]
fn a_client_that_keeps_its_port_reaches_the_next_container() {
    the_next_packet_arrives::<Adopted>();
}

#[test]
fn a_client_that_keeps_its_port_reaches_the_next_container_by_the_driver() {
    the_next_packet_arrives::<Driven>();
}
