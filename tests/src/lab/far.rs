//! A machine two hops away: the neighbour is a router between it and the host.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Lab, OUTSIDE, OUTSIDE6};
use crate::{agent::Agent, place::Place};

/// The router's address on the far link.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 129);
/// The far machine's.
pub const FAR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 130);
/// The router's IPv6 address on the far link.
pub const ROUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xfa, 0, 0, 0, 0, 1);
/// The far machine's.
pub const FAR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xfa, 0, 0, 0, 0, 2);

/// See the module.
pub struct Far {
    pub agent: Agent,
    pub place: Place,
}

impl Lab {
    /// Makes the neighbour a router, with `far0` at its other side:
    ///
    /// ```text
    /// host up0 ── lan0 (neighbour) lan1 203.0.113.129/25 ── far0 203.0.113.130/25
    ///                                   2001:db8:fa::1/64        2001:db8:fa::2/64
    /// ```
    #[track_caller]
    pub fn add_far(&self) -> Far {
        let agent = Agent::start("far", &["--neighbour"], std::process::Command::new);
        let place = Place::of_process(agent.pid(), None).unwrap();
        self.ip_batch(
            &self.lan_place,
            &format!(
                "link add lan1 type veth peer name far0 netns {}\n\
                 addr add {ROUTER}/25 dev lan1\n\
                 addr add {ROUTER6}/64 dev lan1 nodad\n\
                 link set lan1 up\n",
                agent.pid()
            ),
        );
        self.ip_batch(
            &place,
            &format!(
                "link set lo up\n\
                 addr add {FAR}/25 dev far0\n\
                 addr add {FAR6}/64 dev far0 nodad\n\
                 link set far0 up\n\
                 route add default via {ROUTER}\n\
                 route add ::/0 via {ROUTER6}\n"
            ),
        );
        // Every error of a test is to be seen, so none is held back.
        for (place, forward) in [(&self.lan_place, "1"), (&place, "0")] {
            for (key, value) in [
                ("ipv4/icmp_ratelimit", "0"),
                ("ipv6/icmp/ratelimit", "0"),
                ("ipv4/ip_forward", forward),
                ("ipv6/conf/all/forwarding", forward),
            ] {
                let script = format!("echo {value} > /proc/sys/net/{key}");
                super::shell::run(place.command("sh").args(["-c", &script]));
            }
        }
        Far { agent, place }
    }

    /// Routes of the neighbour that end in an error: `kind` is a word of ip-route(8), and packets
    /// to 203.0.113.9 and 2001:db8:cafe::9, which it holds else, are answered with that.
    #[track_caller]
    pub fn refuse_outside(&self, kind: &str) {
        self.lan_ip(&format!("addr del {OUTSIDE}/32 dev lo"));
        self.lan_ip(&format!("addr del {OUTSIDE6}/128 dev lo"));
        self.lan_ip(&format!("route add {kind} {OUTSIDE}/32"));
        self.lan_ip(&format!("route add {kind} {OUTSIDE6}/128"));
    }
}
