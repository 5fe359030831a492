//! A user's own operations beside what Docker made.

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};

use crate::{
    adopted::{Adopted, SOON},
    mode::Mode as _,
};

#[test]
fn what_is_dockers_is_left_to_docker() {
    let adopted = Adopted::start();
    adopted.run("web", "-p 8080:80");
    let lab = &adopted.lab;
    lab.netctl("network rm bridge")
        .fails_with(1, &["bridge", "docker"]);
    lab.netctl("ns rm web").fails_with(1, &["web", "docker"]);
    lab.netctl("ns create mine --network bridge")
        .fails_with(1, &["bridge", "docker"]);
    lab.netctl("port rm web 8080:80")
        .fails_with(1, &["8080", "docker"]);
    lab.netctl("network disconnect bridge web")
        .fails_with(1, &["web", "docker"]);
    // One port table for both.
    lab.populate("net1 --subnet 172.28.0.0/24", &[("mine", "-p 8090:80")]);
    lab.netctl("port add mine 8080:80")
        .fails_with(1, &["8080", "web"]);
    let taken = adopted.engine.run("late", &["-p", "8090:80"]).unwrap_err();
    assert!(taken.contains("8090"), "{taken}");
    adopted.engine.ok("rm -f late");
}

#[test]
fn a_port_is_added_to_a_running_container() {
    let adopted = Adopted::start();
    let web = adopted.run("web", "");
    web.serve_all(80);
    let lab = &adopted.lab;
    lab.netctl("port add web 8080:80").ok();
    let reaches = || {
        let ask = Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(500);
        lab.lan()
            .connect(ask)
            .is_ok_and(|seen| seen.seen.ip() == LAN)
    };
    assert!(reaches());
    drop(web);
    // It is the container's, and stays with it.
    adopted.engine.ok("restart -t 0 web");
    wait_for("the container", SOON, || {
        let shown = lab.netctl("ns inspect web -o json").json();
        shown["endpoints"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
    });
    let web = adopted.agent("web");
    web.serve_all(80);
    wait_for("the added port", SOON, reaches);
    lab.netctl("port rm web 8080:80").ok();
    assert!(!reaches());
    lab.netctl("port add web 8080:80").ok();
    adopted.engine.ok("rm -f web");
    wait_for("the added port's end", SOON, || {
        lab.netctl("status -o json").json()["published_ports"] == 0
    });
}
