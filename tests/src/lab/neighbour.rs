//! More namespaces outside: each on an uplink of its own.

use std::{net::Ipv4Addr, sync::PoisonError};

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
}

impl Lab {
    /// Adds `up1` with 198.51.101.1/24 and a host 198.51.101.2 behind it, then `up2`, …
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
        self.ip_batch(
            &self.host_place,
            &format!(
                "link add {uplink} type veth peer name lan0 netns {}\n\
                 addr add {host}/24 dev {uplink}\n\
                 link set {uplink} up\n",
                agent.pid()
            ),
        );
        self.ip_batch(
            &place,
            &format!("link set lo up\naddr add {addr}/24 dev lan0\nlink set lan0 up\n"),
        );
        Neighbour {
            agent,
            place,
            uplink,
            host,
            addr,
        }
    }
}
