//! Who takes part in the script, and what they are called in its outcomes.

use std::net::{IpAddr, Ipv4Addr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6},
};

use crate::mode::Mode;

/// Networks: name, options. The third octet's number is that of its addresses.
const NETWORKS: [(&str, &str); 5] = [
    (
        "net1",
        "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64",
    ),
    ("net2", "--subnet 172.29.0.0/24"),
    ("inner", "--internal --subnet 172.30.0.0/24"),
    (
        "quiet",
        "--subnet 172.31.0.0/24 -o com.docker.network.bridge.enable_icc=false",
    ),
    (
        "plain",
        "--subnet 172.27.0.0/24 -o com.docker.network.bridge.enable_ip_masquerade=false",
    ),
];

/// Containers: name, network and address, other options.
const CONTAINERS: [(&str, &str, &str); 10] = [
    (
        "web",
        "net1 --ip 172.28.0.2 --ip6 fd00:28::2",
        "-p 8080:80/tcp -p 8080:80/udp",
    ),
    (
        "client",
        "net1 --ip 172.28.0.3 --ip6 fd00:28::3",
        "--network-alias caller --dns 198.51.100.2",
    ),
    (
        "local",
        "net1 --ip 172.28.0.4",
        "-p 127.0.0.1:8082:80/tcp -p 127.0.0.1:8082:80/udp",
    ),
    // On net2 as well.
    (
        "both",
        "net1 --ip 172.28.0.5",
        "-p 8083:80/tcp -p 8083:80/udp",
    ),
    ("other", "net2 --ip 172.29.0.2", ""),
    ("inside", "inner --ip 172.30.0.2", ""),
    ("beside", "inner --ip 172.30.0.3", ""),
    ("one", "quiet --ip 172.31.0.2", ""),
    ("two", "quiet --ip 172.31.0.3", ""),
    ("bare", "plain --ip 172.27.0.2", ""),
];

/// What the outcomes call an address.
const NAMES: [(&str, &str); 21] = [
    ("127.0.0.1", "loopback"),
    ("::1", "loopback"),
    ("172.28.0.1", "the gateway"),
    ("fd00:28::1", "the gateway"),
    ("172.29.0.1", "the gateway"),
    ("172.30.0.1", "the gateway"),
    ("172.17.0.1", "the gateway"),
    ("172.26.0.1", "the gateway"),
    ("172.28.0.2", "web"),
    ("fd00:28::2", "web"),
    ("172.28.0.3", "client"),
    ("fd00:28::3", "client"),
    ("172.28.0.4", "local"),
    ("172.28.0.5", "both"),
    ("172.29.0.5", "both"),
    ("172.29.0.2", "other"),
    ("172.29.0.3", "client on net2"),
    ("172.30.0.2", "inside"),
    ("172.30.0.3", "beside"),
    ("172.31.0.2", "one"),
    ("172.27.0.2", "bare"),
];

pub(super) struct Scene<M> {
    pub(super) agents: Vec<(&'static str, Agent)>,
    pub(super) mode: M,
    /// Option of `docker run` for a container that is on no network of these.
    pub(super) first: String,
}

impl<M: Mode> Scene<M> {
    /// Everybody is there; the containers serve on 80 and, unpublished, on 90; the LAN on 7000,
    /// the host on 7100.
    #[track_caller]
    pub(super) fn set(mode: M) -> Self {
        for (name, options) in NETWORKS {
            mode.network(name, options);
        }
        let mut scene = Self {
            agents: Vec::new(),
            first: format!("--network {}", mode.first_network()),
            mode,
        };
        for (name, network, options) in CONTAINERS {
            let agent = scene
                .mode
                .run(name, &format!("--network {network} {options}"));
            scene.serve(name, agent);
        }
        let engine = scene.mode.engine();
        engine.ok("network connect --ip 172.29.0.5 net2 both");
        scene.mode.wait_served("both");
        scene.mode.wait_addresses();
        let lab = scene.mode.lab();
        lab.lan().serve_all(7000);
        lab.lan().serve_all6(7000);
        lab.host().serve_all(7100);
        // A neighbour that routes the containers' subnets by the host.
        for number in [27, 28, 29, 31] {
            lab.lan_ip(&format!("route add 172.{number}.0.0/24 via {HOST}"));
        }
        scene
    }

    /// The container's servers, once more after it was started anew.
    pub(super) fn serve(&mut self, name: &'static str, agent: Agent) {
        agent.serve_all(80);
        for proto in [Proto::Tcp, Proto::Udp] {
            agent.serve(proto, (Ipv4Addr::UNSPECIFIED, 90));
        }
        // Where there is no IPv6, nobody asks for it.
        if ["web", "client"].contains(&name) {
            agent.serve_all6(80);
        }
        self.agents.retain(|(known, _)| *known != name);
        self.agents.push((name, agent));
    }

    /// By name: a container, "LAN" or "host".
    #[track_caller]
    pub(super) fn agent(&self, name: &str) -> &Agent {
        match name {
            "LAN" => self.mode.lab().lan(),
            "host" => self.mode.lab().host(),
            _ => {
                let known = self.agents.iter().find(|(known, _)| *known == name);
                &known.unwrap_or_else(|| panic!("no {name}")).1
            }
        }
    }

    /// What became of a question.
    #[track_caller]
    pub(super) fn ask(&self, who: &str, ask: Connect) -> String {
        match self.agent(who).connect(ask.within_ms(1500)) {
            Ok(answer) => format!("answered, seen as {}", named(answer.seen.ip())),
            Err(error) => match error.as_str() {
                "ETIMEDOUT" | "EAGAIN" => "silence".to_owned(),
                "ECONNREFUSED" => "refused".to_owned(),
                _ => error,
            },
        }
    }
}

fn named(ip: IpAddr) -> String {
    let others: [(IpAddr, &str); 4] = [
        (HOST.into(), "the host"),
        (HOST6.into(), "the host"),
        (LAN.into(), "LAN"),
        (LAN6.into(), "LAN"),
    ];
    let ip = ip.to_canonical();
    let text = ip.to_string();
    let known = NAMES.iter().find(|(known, _)| *known == text);
    let known = known.map(|(_, name)| *name);
    let other = || {
        others
            .iter()
            .find(|(known, _)| *known == ip)
            .map(|(_, name)| *name)
    };
    known.or_else(other).map_or(text, str::to_owned)
}
