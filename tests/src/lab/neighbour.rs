//! More namespaces outside: each on an uplink of its own.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::PoisonError,
};

use super::Lab;
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
        let number = {
            let mut count = self.more_lan.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count
        };
        let uplink = format!("up{number}");
        let agent = Agent::start(&uplink, &["--neighbour"], std::process::Command::new);
        let place = Place::of_process(agent.pid(), None).unwrap();
        let host = Ipv4Addr::new(198, 51, 100 + number, 1);
        let addr = Ipv4Addr::new(198, 51, 100 + number, 2);
        let on_link = |last| {
            let link = 0x64 + u16::from(number);
            Ipv6Addr::new(0x2001, 0xdb8, link, 0, 0, 0, 0, last)
        };
        let (host6, addr6) = (on_link(1), on_link(2));
        self.ip_batch(
            &self.host_place,
            &format!(
                "link add {uplink} type veth peer name lan0 netns {}\n\
                 addr add {host}/24 dev {uplink}\n\
                 addr add {host6}/64 dev {uplink} nodad\n\
                 link set {uplink} up\n",
                agent.pid()
            ),
        );
        self.ip_batch(
            &place,
            &format!(
                "link set lo up\n\
                 addr add {addr}/24 dev lan0\n\
                 addr add {addr6}/64 dev lan0 nodad\n\
                 link set lan0 up\n"
            ),
        );
        Neighbour {
            agent,
            place,
            uplink,
            host,
            addr,
            host6,
            addr6,
        }
    }
}
