//! The limits: the same ways without anything in between.

use std::net::Ipv4Addr;

use super::{Bed, INNER, Path, Route, same_conditions, sh};
use crate::{
    lab::{HOST, LAN, Lab, netns_path},
    place::Place,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(172, 21, 0, 1);

/// A veth pair between two namespaces; the host itself as the server towards its neighbour.
pub struct Direct {
    lab: Lab,
    server: Place,
    client: Place,
}

impl Direct {
    pub const NAME: &str = "direct";

    pub fn start() -> Result<Self, String> {
        let lab = Lab::bare();
        sh(
            lab.host_place(),
            "ip netns add server
             ip netns add client
             ip link add eth0 netns server type veth peer name eth0 netns client
             for end in server:1 client:2; do
                 ip -n ${end%:*} addr add 172.21.0.${end#*:}/24 dev eth0
                 ip -n ${end%:*} link set eth0 up
             done",
        )?;
        let place = |name: &str| lab.host_place().in_netns(&netns_path(name));
        let (server, client) = (place("server"), place("client"));
        same_conditions(&[&server, &client, lab.host_place(), lab.lan_place()])?;
        Ok(Self {
            lab,
            server,
            client,
        })
    }
}

impl Bed for Direct {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn route(&self, path: Path) -> Option<Route> {
        let (host, lan) = (self.lab.host_place(), self.lab.lan_place());
        let (client, server, addr) = match path {
            Path::Same => (&self.client, &self.server, SERVER),
            Path::Published => (lan, host, HOST),
            Path::Outside => (host, lan, LAN),
            Path::Loopback => (host, host, Ipv4Addr::LOCALHOST),
            Path::Direct | Path::Own | Path::Neighbour => return None,
        };
        Some(Route {
            client: client.clone(),
            server: server.clone(),
            target: (addr, INNER).into(),
            listen: (Ipv4Addr::UNSPECIFIED, INNER).into(),
        })
    }
}
