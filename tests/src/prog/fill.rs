//! Fills the maps of a bench as the daemon would, and makes the devices to match.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl::kernel::names::{anchor_ifindex, endpoint_ifindex};
use netctl_common::{
    endpoint::{self, BESIDE, FLOOD_CHUNK, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey, flags},
    host::{Local, Uplink, uplink_flags},
    network::Network as NetworkValue,
    publish::{PublishKey, Published, RESERVED_BY_ENGINE, ReservedKey, port_blocks, range_prefix},
    settings::{self, Settings},
    wire::{Address, Be16, V4, V6},
};

use super::{
    Bench, maps,
    world::{self, Endpoint, Network, UPLINK, UPLINK_ADDR, UPLINK_ADDR6, UPLINK_MAC},
};

impl Bench {
    /// Changes the settings.
    #[track_caller]
    pub fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        maps::set(&mut self.ebpf, "SETTINGS", 0, self.settings);
    }

    /// Addresses that the uplink gives to masqueraded flows; unspecified: it has none.
    #[track_caller]
    pub fn uplink_address(&mut self, addr: Ipv4Addr, addr6: Ipv6Addr) {
        self.uplink_value(addr, addr6, 0);
    }

    fn uplink_value(&mut self, addr: Ipv4Addr, addr6: Ipv6Addr, flags: u32) {
        let uplink = Uplink {
            addr4: addr.into(),
            addr6: addr6.into(),
            mtu: 1500,
            flags,
            mac: UPLINK_MAC,
            _pad: 0,
        };
        maps::insert(&mut self.ebpf, "UPLINK", UPLINK, uplink);
    }

    /// Makes the uplink another engine's bridge.
    #[track_caller]
    pub fn isolate_uplink(&mut self) {
        self.uplink_value(UPLINK_ADDR, UPLINK_ADDR6, uplink_flags::ISOLATED);
    }

    /// The uplink that next hops are on, of both families: for kernels before 5.12.
    #[track_caller]
    pub fn default_uplink(&mut self, ifindex: u32) {
        maps::insert_prefix(&mut self.ebpf, "ONLINK4", 0, V4::ANY, ifindex);
        maps::insert_prefix(&mut self.ebpf, "ONLINK6", 0, V6::ANY, ifindex);
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
    pub fn local(&mut self, addr: impl Into<IpAddr>, ifindex: u32) {
        let value = Local { ifindex, _pad: 0 };
        match addr.into() {
            IpAddr::V4(addr) => maps::insert(&mut self.ebpf, "LOCAL4", V4::from(addr), value),
            IpAddr::V6(addr) => maps::insert(&mut self.ebpf, "LOCAL6", V6::from(addr), value),
        }
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
            gateway6: world::gateway6(id).into(),
            broadcast4: Ipv4Addr::new(172, 17 + id as u8, 0, 255).into(),
            mtu: 1500,
            mac: world::gateway_mac(id),
            ..NetworkValue::default()
        };
        maps::set(&mut self.ebpf, "NETWORK", id, value);
        let subnet = V4::from(Ipv4Addr::new(172, 17 + id as u8, 0, 0));
        maps::insert_prefix(&mut self.ebpf, "SUBNET4", 24, subnet, id);
        self.local(world::gateway(id), anchor_ifindex(id));
        let subnet = V6::from(Ipv6Addr::new(0xfd00, 0, 0, id as u16, 0, 0, 0, 0));
        maps::insert_prefix(&mut self.ebpf, "SUBNET6", 64, subnet, id);
        self.local(world::gateway6(id), anchor_ifindex(id));
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
        let neigh = Neigh {
            ifindex,
            mac,
            _pad: 0,
        };
        let key = NeighKey {
            network,
            addr: V4::from(addr),
        };
        maps::insert(&mut self.ebpf, "NEIGH4", key, neigh);
        let key = NeighKey {
            network,
            addr: V6::from(world::addr6(network, addr)),
        };
        maps::insert(&mut self.ebpf, "NEIGH6", key, neigh);
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
            addr6: world::addr6(endpoint.network, endpoint.addr).into(),
            mac: world::endpoint_mac(endpoint.id),
            ..endpoint::Endpoint::default()
        };
        maps::set(&mut self.ebpf, "ENDPOINT", endpoint::slot(ifindex), value);
    }

    /// Takes an endpoint's IPv6 address away.
    #[track_caller]
    pub fn ipv4_only(&mut self, id: u32) {
        let slot = endpoint::slot(endpoint_ifindex(id));
        let mut value: endpoint::Endpoint = maps::get(&self.ebpf, "ENDPOINT", slot);
        value.addr6 = V6::ANY;
        maps::set(&mut self.ebpf, "ENDPOINT", slot, value);
    }

    /// Takes an endpoint's own entry away.
    #[track_caller]
    pub fn forget_endpoint(&mut self, id: u32) {
        let slot = endpoint::slot(endpoint_ifindex(id));
        let nobody = endpoint::Endpoint::default();
        maps::set(&mut self.ebpf, "ENDPOINT", slot, nobody);
    }

    /// An endpoint is the same container as the one with that address in another network, where its
    /// published ports lead to.
    #[track_caller]
    pub fn beside(&mut self, endpoint: &Endpoint, addr: impl Into<IpAddr>) {
        let neigh = Neigh {
            ifindex: endpoint_ifindex(endpoint.id),
            mac: world::endpoint_mac(endpoint.id),
            _pad: 0,
        };
        let network = endpoint.network | BESIDE;
        match addr.into() {
            IpAddr::V4(addr) => {
                let addr = V4::from(addr);
                maps::insert(&mut self.ebpf, "NEIGH4", NeighKey { network, addr }, neigh);
            }
            IpAddr::V6(addr) => {
                let addr = V6::from(addr);
                maps::insert(&mut self.ebpf, "NEIGH6", NeighKey { network, addr }, neigh);
            }
        }
    }

    /// Publishes host ports `first..=last` of `host` (unspecified: any) to an endpoint's ports
    /// from `container` on. Both addresses are of one family.
    #[track_caller]
    pub fn publish(
        &mut self,
        port_id: u32,
        proto: u8,
        (host, first, last): (impl Into<IpAddr>, u16, u16),
        (endpoint, addr, container): (u32, impl Into<IpAddr>, u16),
    ) {
        let ports = (first, last, container);
        match (host.into(), addr.into()) {
            (IpAddr::V4(host), IpAddr::V4(addr)) => {
                let value = published(port_id, endpoint, V4::from(addr), ports);
                let maps = ("PUBLISHED4", "PUBLISHED_RANGE4");
                self.publish_entries(maps, V4::from(host), proto, ports, value);
            }
            (IpAddr::V6(host), IpAddr::V6(addr)) => {
                let value = published(port_id, endpoint, V6::from(addr), ports);
                let maps = ("PUBLISHED6", "PUBLISHED_RANGE6");
                self.publish_entries(maps, V6::from(host), proto, ports, value);
            }
            _ => panic!("addresses of two families"),
        }
    }

    /// As if the ports of a published spec had been published by an engine, which keeps others off
    /// them by sockets of its own. Of both families.
    pub fn kept_by_engine(&mut self, port_id: u32, proto: u8, (first, last): (u16, u16)) {
        for block in port_blocks(first, last) {
            let prefix = ReservedKey::prefix(block.bits);
            let base = Be16::new(block.base);
            for key in [
                ReservedKey::new::<V4>(proto, base),
                ReservedKey::new::<V6>(proto, base),
            ] {
                let value = port_id | RESERVED_BY_ENGINE;
                maps::insert_prefix(&mut self.ebpf, "RESERVED", prefix, key, value);
            }
        }
    }

    fn publish_entries<A: Address>(
        &mut self,
        (single, range): (&str, &str),
        host: A,
        proto: u8,
        (first, last, _): (u16, u16, u16),
        value: Published<A>,
    ) where
        PublishKey<A>: aya::Pod,
        Published<A>: aya::Pod,
    {
        for block in port_blocks(first, last) {
            let key = ReservedKey::new::<A>(proto, Be16::new(block.base));
            let prefix = ReservedKey::prefix(block.bits);
            maps::insert_prefix(&mut self.ebpf, "RESERVED", prefix, key, value.port_id);
        }
        if first == last {
            let key = publish_key(host, proto, first);
            maps::insert(&mut self.ebpf, single, key, value);
            return;
        }
        for block in port_blocks(first, last) {
            let key = publish_key(host, proto, block.base);
            let prefix = range_prefix::<A>(block.bits);
            maps::insert_prefix(&mut self.ebpf, range, prefix, key, value);
        }
        self.settings(|settings| settings.flags |= settings::flags::HAS_RANGES);
    }
}

fn publish_key<A: Address>(addr: A, proto: u8, port: u16) -> PublishKey<A> {
    PublishKey {
        addr,
        proto,
        _pad: 0,
        port: Be16::new(port),
    }
}

fn published<A: Address>(
    port_id: u32,
    endpoint: u32,
    addr: A,
    (first, _, container): (u16, u16, u16),
) -> Published<A> {
    Published {
        addr,
        endpoint: endpoint_ifindex(endpoint),
        port_id,
        host_base: Be16::new(first),
        container_base: Be16::new(container),
    }
}
