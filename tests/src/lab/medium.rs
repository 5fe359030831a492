//! What an uplink may be made of. Each makes `up<N>` at the host and `lan0` at the neighbour.

use std::fs;

use super::{Lab, Neighbour, shell::run};
use crate::{agent::Segments, need};

/// A kind of link between the host and a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Ethernet.
    Veth,
    /// Ethernet, with the host's end in a bridge that has the address.
    Bridge,
    /// A VLAN on top of Ethernet, at both ends.
    Vlan,
    /// Ethernet, with the host's end in a bond that has the address.
    Bond,
    /// Two tun interfaces with a process between them.
    Tun(Segments),
    /// WireGuard below IPv4.
    WireGuard,
    /// A tunnel below IPv4 of that kind (ip-link(8)): `ipip`, `sit`, `gre`.
    Tunnel(&'static str),
}

impl Medium {
    /// Whether both families go through it.
    pub fn has_ipv6(self) -> bool {
        self != Self::Tunnel("ipip")
    }

    #[track_caller]
    pub(super) fn lay(self, lab: &Lab, to: &Neighbour) {
        let (uplink, part) = (&to.uplink, &to.part());
        let veth = |host: &str, far: &str| {
            let pid = to.agent.pid();
            lab.ip(&format!(
                "link add {host} type veth peer name {far} netns {pid}"
            ));
        };
        match self {
            Self::Veth => veth(uplink, "lan0"),
            Self::Bridge => {
                veth(part, "lan0");
                lab.ip(&format!("link add {uplink} type bridge"));
                lab.ip(&format!("link set {part} master {uplink} up"));
            }
            Self::Bond => {
                veth(part, "lan0");
                let bond = "type bond mode active-backup miimon 100";
                lab.add_link(&format!("link add {uplink} {bond}"));
                lab.ip(&format!("link set {part} master {uplink}"));
            }
            Self::Vlan => {
                veth(part, "lan0-part");
                lab.ip(&format!("link set {part} up"));
                to.ip("link set lan0-part up");
                let vlan = "type vlan id 5";
                lab.add_link(&format!("link add link {part} name {uplink} {vlan}"));
                to.ip(&format!("link add link lan0-part name lan0 {vlan}"));
            }
            Self::Tun(segments) => lab.host().wire(uplink, &to.agent, "lan0", segments),
            Self::WireGuard => {
                lay_below(lab, to);
                lab.add_link(&format!("link add {uplink} type wireguard"));
                to.ip("link add lan0 type wireguard");
                configure_wireguard(lab, to);
            }
            Self::Tunnel(kind) => {
                lay_below(lab, to);
                let [host, far] = to.below();
                let tunnel = |name: &str, local, remote| {
                    let mode = if kind == "sit" { "mode any" } else { "" };
                    format!("link add {name} type {kind} {mode} local {local} remote {remote}")
                };
                lab.add_link(&tunnel(uplink, host, far));
                to.ip(&tunnel("lan0", far, host));
            }
        }
    }
}

/// An Ethernet link with addresses, for a tunnel on top of it.
#[track_caller]
fn lay_below(lab: &Lab, to: &Neighbour) {
    let ([host, far], part) = (to.below(), to.part());
    let pid = to.agent.pid();
    lab.ip(&format!(
        "link add {part} type veth peer name lan0-part netns {pid}"
    ));
    lab.ip(&format!("addr add {host}/30 dev {part}"));
    lab.ip(&format!("link set {part} up"));
    to.ip(&format!("addr add {far}/30 dev lan0-part"));
    to.ip("link set lan0-part up");
}

/// Private and public keys of both ends: 32 times the byte 1, or 2, and X25519 of it (RFC 7748).
const KEYS: [[&str; 2]; 2] = [
    [
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=",
    ],
    [
        "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
        "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=",
    ],
];

#[track_caller]
fn configure_wireguard(lab: &Lab, to: &Neighbour) {
    let [host, far] = to.below();
    let ends = [
        (
            &to.uplink as &str,
            &lab.host_place,
            far,
            KEYS[0][0],
            KEYS[1][1],
        ),
        ("lan0", &to.place, host, KEYS[1][0], KEYS[0][1]),
    ];
    for (interface, place, peer, private, public) in ends {
        let file = lab
            .scratch()
            .join(format!("{}-{interface}.conf", to.uplink));
        let text = format!(
            "[Interface]\nPrivateKey = {private}\nListenPort = 51820\n\
             [Peer]\nPublicKey = {public}\nEndpoint = {peer}:51820\n\
             AllowedIPs = 0.0.0.0/0, ::/0\n"
        );
        fs::write(&file, text).unwrap();
        run(place.command("wg").args(["setconf", interface]).arg(&file));
    }
}

impl Lab {
    /// Makes a link of a kind that not every kernel has.
    #[track_caller]
    fn add_link(&self, words: &str) {
        let mut ip = self.host_place.command("ip");
        let output = ip.args(words.split_whitespace()).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        if complaint.contains("Unknown device type") {
            need::not_run(format_args!("`ip {words}`: the kernel has no such driver"));
        }
        assert!(output.status.success(), "ip {words}: {complaint}");
    }
}
