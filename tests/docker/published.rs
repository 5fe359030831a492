//! Published ports in every form that `-p` has.

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::adopted::Adopted;

#[test]
fn the_lan_reaches_a_published_port_as_itself() {
    let adopted = Adopted::start();
    let web = adopted.run("web", "-p 8080:80");
    web.serve_all(80);
    let seen = adopted
        .lab
        .lan()
        .connect(Connect::to(Proto::Tcp, (HOST, 8080)))
        .unwrap();
    assert_eq!(seen.seen.ip(), LAN);
}
