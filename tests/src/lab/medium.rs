//! What an uplink may be made of. Each makes `up<N>` at the host and `lan0` at the neighbour.

use super::{Lab, Neighbour};
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
            Self::Tunnel(kind) => {
                let [host, far] = to.below();
                veth(part, "lan0-part");
                lab.ip(&format!("addr add {host}/30 dev {part}"));
                lab.ip(&format!("link set {part} up"));
                to.ip(&format!("addr add {far}/30 dev lan0-part"));
                to.ip("link set lan0-part up");
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
