//! A Compose file as anybody writes it: nothing in it knows of netctl.

use std::{fs, net::Ipv4Addr, path::PathBuf, process::Command};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{
        HOST, LAN, Lab,
        docker::{Engine, IMAGE, compose, tool, tools},
    },
};

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::Mode,
    nothing_else::check_nothing,
};

/// `OF_DRIVER`: what is said of the networks, nothing in a file of somebody who knows no netctl.
const FILE: &str = r#"
services:
  front:
    image: IMAGE
    command: ["/bin/busybox", "sleep", "86400"]
    ports:
      - "8080:80"
      - "127.0.0.1:8081:80"
    networks: [outer, inner]
    depends_on: [back]
  back:
    image: IMAGE
    command: ["/bin/busybox", "sleep", "86400"]
    networks: [inner]
  lone:
    image: IMAGE
    command: ["/bin/busybox", "sleep", "86400"]
    networks: [outer]
networks:
  outer: OF_DRIVER
  inner: OF_DRIVER
"#;

/// A project of Compose's in a lab.
struct Project {
    folder: PathBuf,
    program: PathBuf,
}

impl Project {
    fn new(lab: &Lab, file: &str) -> Self {
        let folder = lab.scratch().join("shop");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("compose.yaml"), file).unwrap();
        let program = compose().unwrap_or_else(|error| panic!("{error}"));
        Self { folder, program }
    }

    /// Runs `docker compose` there; it must succeed. Its output.
    #[track_caller]
    fn run(&self, lab: &Lab, words: &str) -> String {
        let output = self
            .command(lab)
            .args(words.split_whitespace())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "compose {words}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    fn command(&self, lab: &Lab) -> Command {
        let tools = tools().unwrap_or_else(|error| panic!("{error}"));
        let socket = Engine::socket(lab.scratch());
        let mut command = tool(lab.host_place(), &tools, &self.program);
        command
            .env("DOCKER_HOST", format!("unix://{}", socket.display()))
            .env("HOME", &self.folder)
            .arg("--project-directory")
            .arg(&self.folder)
            .args(["--project-name", "shop"]);
        command
    }
}

fn asks(from: &Agent, addr: Ipv4Addr, port: u16) -> bool {
    let ask = Connect::to(Proto::Tcp, (addr, port)).within_ms(700);
    from.connect(ask).is_ok()
}

/// The addresses that a name has inside a container.
#[track_caller]
fn named(engine: &Engine, container: &str, name: &str) -> usize {
    // Without the header, which names the server.
    let shown = engine.ok(&format!(
        "exec {container} /bin/busybox nslookup -type=a {name}"
    ));
    let answers = shown.lines().skip_while(|line| !line.trim().is_empty());
    answers.filter(|line| line.starts_with("Address")).count()
}

fn comes_up_and_goes<M: Mode>(of_driver: &str) {
    let file = FILE.replace("IMAGE", IMAGE).replace("OF_DRIVER", of_driver);
    let mode = M::start();
    let lab = mode.lab();
    let before = mode.snapshot_at_rest();
    let networks = lab.netctl("status -o json").json()["networks"].clone();
    let project = Project::new(lab, &file);
    project.run(lab, "up -d");
    for name in ["shop-front-1", "shop-back-1", "shop-lone-1"] {
        mode.wait_served(name);
    }
    let front = mode.agent("shop-front-1");
    let back = mode.agent("shop-back-1");
    let lone = mode.agent("shop-lone-1");
    front.serve_all(80);
    back.serve_all(80);
    check_nothing(&mode);

    // From outside, as oneself; loopback only from the host.
    let (lan, host) = (lab.lan(), lab.host());
    let seen = lan.connect(Connect::to(Proto::Tcp, (HOST, 8080))).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
    assert!(!asks(lan, HOST, 8081));
    assert!(asks(host, Ipv4Addr::LOCALHOST, 8081));
    // Services by name.
    assert_eq!(named(mode.engine(), "shop-front-1", "back"), 1);
    let address = mode.address("shop-back-1", "shop_inner");
    assert!(asks(&front, address, 80));
    // The networks do not meet.
    assert!(!asks(&lone, address, 80));
    assert!(asks(&lone, mode.address("shop-front-1", "shop_outer"), 80));
    assert!(!asks(&lone, mode.address("shop-front-1", "shop_inner"), 80));
    // Compose and Docker show what they always show: of another driver's ports they know nothing.
    let shown = project.run(lab, "ps");
    let is_shown = shown.contains("0.0.0.0:8080->80/tcp");
    assert_eq!(is_shown, M::DRIVER == Adopted::DRIVER, "{shown}");
    let labels = ["compose_project=\"shop\"", "compose_service=\"front\""];
    let opened = lab
        .scrape()
        .value("netctl_port_connections_opened_total", &labels);
    assert!(opened >= 2.0, "{opened}: {}", lab.scrape().text());

    // More of one service, then fewer.
    project.run(lab, "up -d --no-recreate --scale back=3");
    mode.wait_served("shop-back-3");
    let third = mode.agent("shop-back-3");
    third.serve_all(80);
    assert!(asks(&front, mode.address("shop-back-3", "shop_inner"), 80));
    assert_eq!(named(mode.engine(), "shop-front-1", "back"), 3);
    drop((back, third));
    project.run(lab, "up -d --no-recreate --scale back=1");
    wait_for("fewer containers", SOON, || {
        lab.netctl("status -o json").json()["namespaces"] == 3
    });

    drop((front, lone));
    project.run(lab, "down --timeout 0");
    wait_for("netctl to follow", SOON, || {
        let status = lab.netctl("status -o json").json();
        status["networks"] == networks && status["namespaces"] == 0
    });
    let mut left = Vec::new();
    wait_for("nothing to be left", SOON, || {
        left = before.differences(&lab.snapshot());
        left.is_empty()
    });
}

#[test]
fn an_unmodified_file_comes_up_and_goes() {
    comes_up_and_goes::<Adopted>("");
}

/// Of the file only the networks' driver is another.
#[test]
fn a_file_with_the_drivers_networks_comes_up_and_goes() {
    comes_up_and_goes::<Driven>("{driver: netctl}");
}

/// The example for users does what it says; with another image, since none is fetched here.
#[test]
fn the_example_is_as_it_says() {
    let adopted = Adopted::start();
    let lab = &adopted.lab;
    let project = Project::new(lab, include_str!("../../deploy/compose.yaml"));
    let services = ["web", "app", "admin"].map(|service| {
        format!("  {service}:\n    image: {IMAGE}\n    command: [/bin/busybox, sleep, \"86400\"]\n")
    });
    let other_images = format!("services:\n{}", services.concat());
    fs::write(project.folder.join("compose.override.yaml"), other_images).unwrap();
    project.run(lab, "up -d --scale app=3");
    let [web, app, admin] = ["shop-web-1", "shop-app-3", "shop-admin-1"].map(|name| {
        adopted.wait_served(name);
        adopted.agent(name)
    });
    web.serve_all(80);
    app.serve_all(80);
    admin.serve_all(8080);
    let (lan, host) = (lab.lan(), lab.host());
    let seen = lan.connect(Connect::to(Proto::Tcp, (HOST, 8080))).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
    // A port on 127.0.0.1.
    assert!(asks(host, Ipv4Addr::LOCALHOST, 8081));
    assert!(!asks(lan, HOST, 8081));
    // Who may come in by port 8443: 10.0.0.0/8 among others.
    let allowed = Ipv4Addr::new(10, 9, 9, 9);
    lab.lan_ip(&format!("addr add {allowed}/32 dev lan0"));
    lab.ip(&format!("route add {allowed}/32 via {LAN}"));
    assert!(!asks(lan, HOST, 8443));
    let ask = Connect::to(Proto::Tcp, (HOST, 8443)).from((allowed, 0));
    assert_eq!(lan.connect(ask).unwrap().seen.ip(), allowed);
    // Services by name, and the network's MTU.
    assert_eq!(named(&adopted.engine, "shop-web-1", "app"), 3);
    assert!(asks(&web, adopted.address("shop-app-3", "shop_back"), 80));
    let mtu = "exec shop-app-3 /bin/busybox cat /sys/class/net/eth0/mtu";
    assert_eq!(adopted.engine.ok(mtu), "1400");
    let labels = ["compose_project=\"shop\"", "compose_service=\"web\""];
    let opened = lab.scrape();
    assert!(opened.value("netctl_port_connections_opened_total", &labels) >= 1.0);
}
