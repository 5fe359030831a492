//! More namespaces outside: each on an uplink of its own.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::PoisonError,
};

use super::{Lab, medium::Medium};
use crate::{agent::Agent, place::Place};

/// A further outside host on a further uplink `up<N>`.
pub struct Neighbour {
    pub agent: Agent,
    pub place: Place,
    /// The host's interface towards it.
    pub uplink: String,
    /// The host's address on that interface.
    pub host: Ipv4Addr,
    /// Its own address, on `lan0`.
    pub addr: Ipv4Addr,
    /// The host's IPv6 address on that interface.
    pub host6: Ipv6Addr,
    /// Its own IPv6 address.
    pub addr6: Ipv6Addr,
}

impl Lab {
    /// Adds `up1` with 198.51.101.1/24 and 2001:db8:65::1/64, and a host with the second address of
    /// both behind it, then `up2`, …
    #[track_caller]
    pub fn add_lan_host(&self) -> Neighbour {
        self.add_host_over(Medium::Veth)
    }

    /// The same over an uplink of that kind.
    #[track_caller]
    pub fn add_host_over(&self, medium: Medium) -> Neighbour {
        let number = {
            let mut count = self.more_lan.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count
        };
        let uplink = format!("up{number}");
        let agent = Agent::start(&uplink, &["--neighbour"], std::process::Command::new);
        let place = Place::of_process(agent.pid(), None).unwrap();
        let on_link = |last| {
            let link = 0x64 + u16::from(number);
            Ipv6Addr::new(0x2001, 0xdb8, link, 0, 0, 0, 0, last)
        };
        let neighbour = Neighbour {
            agent,
            place,
            uplink,
            host: Ipv4Addr::new(198, 51, 100 + number, 1),
            addr: Ipv4Addr::new(198, 51, 100 + number, 2),
            host6: on_link(1),
            addr6: on_link(2),
        };
        self.join(&neighbour, medium);
        neighbour
    }

    /// Makes the link and gives both of its ends their addresses; again, if it was taken away.
    #[track_caller]
    pub fn join(&self, neighbour: &Neighbour, medium: Medium) {
        let Neighbour { place, uplink, .. } = neighbour;
        medium.lay(self, neighbour);
        self.ip_batch(
            &self.host_place,
            &format!(
                "addr add {}/24 dev {uplink}\n\
                 addr add {}/64 dev {uplink} nodad\n\
                 link set {uplink} up\n",
                neighbour.host, neighbour.host6
            ),
        );
        self.ip_batch(
            place,
            &format!(
                "link set lo up\n\
                 addr add {}/24 dev lan0\n\
                 addr add {}/64 dev lan0 nodad\n\
                 link set lan0 up\n",
                neighbour.addr, neighbour.addr6
            ),
        );
    }
}

impl Neighbour {
    /// Where its first end of a link is, if there is one below the uplink.
    pub(super) fn part(&self) -> String {
        format!("{}-part", self.uplink)
    }

    /// Addresses below a tunnel, in a /30: the host's and its own.
    pub(super) fn below(&self) -> [Ipv4Addr; 2] {
        let [.., number, _] = self.host.octets();
        let first = 64 + 4 * (number - 100);
        [1, 2].map(|last| Ipv4Addr::new(203, 0, 113, first + last))
    }

    /// `ip` in its namespace.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        super::shell::run(self.place.command("ip").args(words.split_whitespace()))
    }
}
