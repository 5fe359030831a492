//! The counters of published ports.

use aya_ebpf::bindings::BPF_NOEXIST;
use netctl_common::{
    stats::{PortStats, PortStatsKey},
    wire::Be16,
};

use crate::maps::PORT_STATS;

/// A host port's counters, if there are any.
#[inline(always)]
pub(crate) fn of(port_id: u32, port: Be16) -> Option<&'static mut PortStats> {
    let key = key(port_id, port);
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    PORT_STATS.get_ptr_mut(&key).map(|s| unsafe { &mut *s })
}

/// The same, made when there are none. `None`: there is no room.
#[inline(always)]
pub(crate) fn of_new(port_id: u32, port: Be16) -> Option<&'static mut PortStats> {
    if of(port_id, port).is_none() {
        let zero = PortStats::default();
        // Another CPU may have been faster: then the entry is there, which is all we want.
        let _there = PORT_STATS.insert(&key(port_id, port), &zero, u64::from(BPF_NOEXIST));
    }
    of(port_id, port)
}

#[inline(always)]
fn key(port_id: u32, port: Be16) -> PortStatsKey {
    PortStatsKey {
        port_id,
        port,
        _pad: 0,
    }
}
