//! The topology that most tests share: net1 with `web` and `client`, net2 with `other`; both
//! networks have both families.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST_MAC, HOST6, LAN, LAN_MAC, LAN6, Lab, OUTSIDE, OUTSIDE6},
    packet::Names,
};

/// Gateway of net1: what a container sees of host processes.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 1);
pub(crate) const WEB: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 3);
/// In net1, and nobody has it.
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 77);
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(172, 19, 0, 2);

pub(crate) const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x18, 0, 0, 0, 0, 0, 1);
pub(crate) const WEB6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x18, 0, 0, 0, 0, 0, 2);
pub(crate) const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x18, 0, 0, 0, 0, 0, 3);
pub(crate) const NOBODY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x18, 0, 0, 0, 0, 0, 0x77);
pub(crate) const OTHER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x19, 0, 0, 0, 0, 0, 2);

/// Published: 8080/tcp and 8080/udp to the echo servers, 8081/tcp to the HTTP server.
pub(crate) const PUBLISHED: u16 = 8080;
pub(crate) const PUBLISHED_HTTP: u16 = 8081;

/// Drift is found by netlink events or, at the latest, by the next full pass.
pub(crate) const HEALED_WITHIN: Duration = Duration::from_secs(20);

/// Small tables, so that many labs fit side by side, a short way to the next full pass, and XDP
/// also on veths, which all uplinks are.
pub(crate) const CONFIG: &str = "\
[daemon]
resync_seconds = 2
[datapath]
max_flows6 = 8192
max_flows = 16384
xdp = 'on'
";

pub(crate) struct Usual {
    pub(crate) web: Agent,
    pub(crate) client: Agent,
    pub(crate) other: Agent,
    /// Last: agents end before their lab.
    pub(crate) lab: Lab,
}

impl Usual {
    pub(crate) fn start() -> Self {
        Self::with_config(CONFIG)
    }

    pub(crate) fn with_config(config: &str) -> Self {
        Self::populate(Lab::with_config(config))
    }

    /// Fills a lab whose daemon runs.
    pub(crate) fn populate(lab: Lab) -> Self {
        Self::populate_with(lab, "")
    }

    /// The same with more options for the networks.
    pub(crate) fn populate_with(lab: Lab, options: &str) -> Self {
        lab.populate(
            &format!("net1 --subnet 172.18.0.0/24 --subnet fd00:18::/64 {options}"),
            &[
                (
                    "web",
                    "--ip 172.18.0.2 --ip6 fd00:18::2 -p 8080:80/tcp -p 8080:80/udp -p 8081:81",
                ),
                ("client", "--ip 172.18.0.3 --ip6 fd00:18::3"),
            ],
        );
        lab.populate(
            &format!("net2 --subnet 172.19.0.0/24 --subnet fd00:19::/64 {options}"),
            &[("other", "--ip 172.19.0.2 --ip6 fd00:19::2")],
        );
        let (web, client, other) = (
            lab.agent_in("web"),
            lab.agent_in("client"),
            lab.agent_in("other"),
        );
        web.serve_all(80);
        web.serve_all6(80);
        lab.lan().serve_all(7000);
        lab.lan().serve_all6(7000);
        Self {
            web,
            client,
            other,
            lab,
        }
    }

    /// The lab alone: its agents end.
    pub(crate) fn into_lab(self) -> Lab {
        self.lab
    }

    /// [`names`], with the MACs of the members and of net1's gateway.
    #[track_caller]
    pub(crate) fn names(&self) -> Names {
        let mac = |agent: &Agent| Mac(agent.link("eth0").mac.unwrap());
        let gateway = self.lab.netctl("network inspect net1 -o json").json();
        let gateway = netctl::model::mac::parse(gateway["mac"].as_str().unwrap()).unwrap();
        names()
            .with("web", mac(&self.web))
            .with("client", mac(&self.client))
            .with("other", mac(&self.other))
            .with("gw", gateway)
    }

    /// Whether the published port answers the LAN.
    pub(crate) fn answers(&self) -> bool {
        let ask = Connect::to(Proto::Tcp, (HOST, PUBLISHED)).within_ms(500);
        self.lab.lan().connect(ask).is_ok()
    }
}

/// Everybody's addresses, and the MACs of both ends of the uplink, for packet lines.
pub(crate) fn names() -> Names {
    Names::default()
        .with("lan", Mac(LAN_MAC))
        .with("up", Mac(HOST_MAC))
        .with_addresses(&[
            ("gw", GATEWAY, GATEWAY6),
            ("web", WEB, WEB6),
            ("client", CLIENT, CLIENT6),
            ("nobody", NOBODY, NOBODY6),
            ("other", OTHER, OTHER6),
            ("host", HOST, HOST6),
            ("lan", LAN, LAN6),
            ("outside", OUTSIDE, OUTSIDE6),
        ])
}

/// A small lab with the tests' configuration.
pub(crate) fn lab() -> Lab {
    Lab::with_config(CONFIG)
}
