//! Fills the maps of a bench as the daemon would, and makes the devices to match.

use std::net::Ipv4Addr;

use netctl::kernel::names::{anchor_ifindex, endpoint_ifindex};
use netctl_common::{
    endpoint::{self, FLOOD_CHUNK, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey, flags},
    host::{Local, Uplink},
    network::Network as NetworkValue,
    publish::{PublishKey, Published, port_blocks, range_prefix},
    settings::{self, Settings},
    wire::{Address, Be16, V4},
};

use super::{
    Bench, maps,
    world::{self, Endpoint, Network, UPLINK, UPLINK_MAC},
};

impl Bench {
    /// Changes the settings.
    #[track_caller]
    pub fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        maps::set(&mut self.ebpf, "SETTINGS", 0, self.settings);
    }

    /// Address that the uplink gives to masqueraded flows; unspecified: it has none.
    #[track_caller]
    pub fn uplink_address(&mut self, addr: Ipv4Addr) {
        let uplink = Uplink {
            addr4: addr.into(),
            mtu: 1500,
            mac: UPLINK_MAC,
            ..Uplink::default()
        };
        maps::insert(&mut self.ebpf, "UPLINK", UPLINK, uplink);
    }

    /// Changes the world by an `ip` command.
    #[track_caller]
    pub fn ip(&self, words: &str) {
        world::ip(words);
    }

    /// Packets that have arrived inside an endpoint's container.
    #[track_caller]
    pub fn delivered(&self, endpoint: u32) -> u64 {
        world::received(&format!("in{endpoint}"))
    }

    /// An address of the host.
    #[track_caller]
    pub fn local(&mut self, addr: Ipv4Addr, ifindex: u32) {
        let value = Local { ifindex, _pad: 0 };
        maps::insert(&mut self.ebpf, "LOCAL4", V4::from(addr), value);
    }

    /// Adds a network, or changes its flags.
    #[track_caller]
    pub fn network(&mut self, network: Network) {
        let id = network.id;
        if self.members.insert(id, Vec::new()).is_none() {
            world::add_network(&network);
        }
        let value = NetworkValue {
            anchor_ifindex: anchor_ifindex(id),
            flags: network.flags,
            gateway4: world::gateway(id).into(),
            broadcast4: Ipv4Addr::new(172, 17 + id as u8, 0, 255).into(),
            mtu: 1500,
            mac: world::gateway_mac(id),
            ..NetworkValue::default()
        };
        maps::set(&mut self.ebpf, "NETWORK", id, value);
        let subnet = V4::from(Ipv4Addr::new(172, 17 + id as u8, 0, 0));
        maps::insert_prefix(&mut self.ebpf, "SUBNET4", 24, subnet, id);
        self.local(world::gateway(id), anchor_ifindex(id));
    }

    /// Adds an endpoint.
    #[track_caller]
    pub fn endpoint(&mut self, endpoint: Endpoint) {
        world::add_endpoint(&endpoint);
        let Endpoint {
            id,
            network,
            name,
            addr,
        } = endpoint;
        let (ifindex, mac) = (endpoint_ifindex(id), world::endpoint_mac(id));
        self.names = self.names.clone().with(name, mac);
        self.endpoint_value(&endpoint, 0);
        let key = FdbKey {
            network,
            mac,
            _pad: 0,
        };
        maps::insert(
            &mut self.ebpf,
            "FDB",
            key,
            Fdb {
                ifindex,
                vtep: V4(0),
            },
        );
        let key = NeighKey {
            network,
            addr: V4::from(addr),
        };
        maps::insert(
            &mut self.ebpf,
            "NEIGH4",
            key,
            Neigh {
                ifindex,
                mac,
                _pad: 0,
            },
        );
        let members = self
            .members
            .get_mut(&network)
            .expect("the network comes first");
        members.push(ifindex);
        for (chunk, part) in members.chunks(FLOOD_CHUNK).enumerate() {
            let mut flood = Flood {
                ifindex: [0; FLOOD_CHUNK],
            };
            flood.ifindex[..part.len()].copy_from_slice(part);
            let key = FloodKey {
                network,
                chunk: chunk as u32,
            };
            maps::insert(&mut self.ebpf, "FLOOD", key, flood);
        }
    }

    /// Writes an endpoint's own entry again, for example with another generation.
    #[track_caller]
    pub fn endpoint_value(&mut self, endpoint: &Endpoint, newer: u32) {
        let ifindex = endpoint_ifindex(endpoint.id);
        let value = endpoint::Endpoint {
            ifindex,
            network: endpoint.network,
            generation: endpoint.id + newer,
            flags: flags::PUBLISHED,
            addr4: endpoint.addr.into(),
            mac: world::endpoint_mac(endpoint.id),
            ..endpoint::Endpoint::default()
        };
        maps::set(&mut self.ebpf, "ENDPOINT", endpoint::slot(ifindex), value);
    }

    /// Takes an endpoint's own entry away.
    #[track_caller]
    pub fn forget_endpoint(&mut self, id: u32) {
        let slot = endpoint::slot(endpoint_ifindex(id));
        let nobody = endpoint::Endpoint::default();
        maps::set(&mut self.ebpf, "ENDPOINT", slot, nobody);
    }

    /// Publishes host ports `first..=last` of `host` (0.0.0.0: any) to an endpoint's ports from
    /// `container` on.
    #[track_caller]
    pub fn publish(
        &mut self,
        port_id: u32,
        proto: u8,
        (host, first, last): (Ipv4Addr, u16, u16),
        (endpoint, addr, container): (u32, Ipv4Addr, u16),
    ) {
        let value = Published::<V4> {
            addr: addr.into(),
            endpoint: endpoint_ifindex(endpoint),
            port_id,
            host_base: Be16::new(first),
            container_base: Be16::new(container),
        };
        let key = |addr: V4, port: u16| PublishKey::<V4> {
            addr,
            proto,
            _pad: 0,
            port: Be16::new(port),
        };
        let addr = V4::from(host);
        for block in port_blocks(first, last) {
            let prefix = range_prefix::<V4>(block.bits);
            maps::insert_prefix(
                &mut self.ebpf,
                "RESERVED",
                prefix,
                key(V4::ANY, block.base),
                port_id,
            );
            if first != last {
                let key = key(addr, block.base);
                maps::insert_prefix(&mut self.ebpf, "PUBLISHED_RANGE4", prefix, key, value);
            }
        }
        if first == last {
            maps::insert(&mut self.ebpf, "PUBLISHED4", key(addr, first), value);
        } else {
            self.settings(|settings| settings.flags |= settings::flags::HAS_RANGES);
        }
    }
}
