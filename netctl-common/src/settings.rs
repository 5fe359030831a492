//! Settings of the datapath that the daemon may change while it runs: the SETTINGS array.

use bytemuck::{Pod, Zeroable};

use crate::{pod, wire::Be16};

/// The one value of SETTINGS (key 0).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Settings {
    /// [`flags`].
    pub flags: u32,
    /// How long a flow of a protocol without states lasts without a packet, in seconds.
    pub generic_seconds: u32,
    /// Cookie of the host's network namespace (SO_NETNS_COOKIE, 5.14); 0: the initial one.
    pub host_cookie: u64,
    /// Lowest source port (host order) that masquerade draws when the packet's own is taken.
    pub nat_port_first: u16,
    /// Highest such port.
    pub nat_port_last: u16,
    /// Lowest port that host processes draw (ip_local_port_range), host order.
    pub local_port_first: u16,
    /// Highest such port.
    pub local_port_last: u16,
    /// Jiffies a second (CONFIG_HZ).
    pub hz: u32,
    /// Broadcast and multicast packets an endpoint may send a second before they are dropped.
    pub flood_rate: u32,
    /// Secret of this boot that spreads masqueraded source ports over their range.
    pub nat_seed: u32,
    /// Zero.
    pub _pad: u32,
}

/// Bits of [`Settings::flags`].
pub mod flags {
    /// `bpf_redirect_peer` may be used: a probe found that it keeps the container's counters.
    pub const REDIRECT_PEER: u32 = 1 << 0;
    /// PUBLISHED_RANGE4 is not empty.
    pub const HAS_RANGES: u32 = 1 << 1;
    /// Some uplink has [`SHIELD_BY_TC`](crate::host::uplink_flags::SHIELD_BY_TC).
    pub const SHIELD_BY_TC: u32 = 1 << 2;
}

impl Settings {
    /// Whether a host process may draw the port for itself at any moment.
    #[inline(always)]
    pub fn is_ephemeral(&self, port: Be16) -> bool {
        let port = port.get();
        port >= self.local_port_first && port <= self.local_port_last
    }
}

pod!(Settings);
