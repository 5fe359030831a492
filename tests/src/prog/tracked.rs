//! What the programs have written down: flows, and the counters of published ports.

use netctl_common::{
    claim::Claim,
    flow::{Flow, FlowKey},
    mapping::{Mapping, MappingKey},
    stats::{PortStats, PortStatsKey},
    wire::{Address, Be16, V4, V6},
};

use super::{bench::Bench, maps};
use crate::packet::Family;

impl Bench {
    /// Forgets every flow, mapping and claim, and every datagram that is on its way in pieces.
    #[track_caller]
    pub fn forget_flows(&mut self) {
        maps::clear::<MappingKey<V4>, Mapping<V4>>(&mut self.ebpf, "MAPPING4");
        maps::clear::<MappingKey<V6>, Mapping<V6>>(&mut self.ebpf, "MAPPING6");
        maps::clear::<FlowKey<V4>, Flow<V4>>(&mut self.ebpf, "FLOW4");
        maps::clear::<FlowKey<V6>, Flow<V6>>(&mut self.ebpf, "FLOW6");
        maps::clear::<FlowKey<V4>, Claim>(&mut self.ebpf, "CLAIM4");
        maps::clear::<FlowKey<V6>, Claim>(&mut self.ebpf, "CLAIM6");
        // Nobody but the programs reads these: their sizes are all that is known here.
        maps::clear::<[u8; 20], [u8; 36]>(&mut self.ebpf, "FRAG");
        maps::clear::<[u8; 20], [u8; 2040]>(&mut self.ebpf, "HELD");
    }

    /// The flow table.
    #[track_caller]
    pub fn flows(&self) -> Vec<(FlowKey<V4>, Flow<V4>)> {
        maps::entries(&self.ebpf, "FLOW4")
    }

    /// The flow table of IPv6.
    #[track_caller]
    pub fn flows6(&self) -> Vec<(FlowKey<V6>, Flow<V6>)> {
        maps::entries(&self.ebpf, "FLOW6")
    }

    /// What each entry of the story's family says of its packets: [`netctl_common::flow::flags`],
    /// and the interface that they leave by.
    #[track_caller]
    pub fn tracked(&self) -> Vec<(u16, u32)> {
        match self.names.family {
            Family::V4 => self.flows().iter().map(|(_, flow)| leg(flow)).collect(),
            Family::V6 => self.flows6().iter().map(|(_, flow)| leg(flow)).collect(),
        }
    }

    /// Writes a flow entry.
    #[track_caller]
    pub fn put_flow(&mut self, key: FlowKey<V4>, flow: Flow<V4>) {
        maps::insert(&mut self.ebpf, "FLOW4", key, flow);
    }

    /// Deletes a flow entry.
    #[track_caller]
    pub fn remove_flow(&mut self, key: FlowKey<V4>) {
        maps::remove::<FlowKey<V4>, Flow<V4>>(&mut self.ebpf, "FLOW4", key);
    }

    /// Host ports that have counters.
    #[track_caller]
    pub fn ports_with_stats(&self) -> usize {
        maps::per_cpu_entries::<PortStatsKey, PortStats>(&self.ebpf, "PORT_STATS").len()
    }

    /// Counters of a published port, over all CPUs.
    #[track_caller]
    pub fn port_stats(&self, port_id: u32, port: u16) -> PortStats {
        let all = maps::per_cpu_entries::<PortStatsKey, PortStats>(&self.ebpf, "PORT_STATS");
        let mut total = PortStats::default();
        let wanted = all
            .iter()
            .filter(|(key, _)| key.port_id == port_id && key.port == Be16::new(port));
        for one in wanted.flat_map(|(_, values)| values.iter()) {
            total.rx_packets += one.rx_packets;
            total.rx_bytes += one.rx_bytes;
            total.tx_packets += one.tx_packets;
            total.tx_bytes += one.tx_bytes;
            total.opened += one.opened;
            for (sum, refused) in total.refused.iter_mut().zip(one.refused) {
                *sum += refused;
            }
        }
        total
    }
}

fn leg<A: Address>(flow: &Flow<A>) -> (u16, u32) {
    (flow.flags, flow.out_ifindex)
}
