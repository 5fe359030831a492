//! Every map: who writes it, who reads it. Pinned by name below the layout's folder.
//!
//! "user" is the daemon, which reconciles the contents; "bpf" is state that programs write and
//! the daemon only sweeps. Maps of configuration allocate entries as they are needed; FLOW4 is
//! allocated whole, so that a packet never waits for memory and a full table is a known size.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{
        Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, ProgramArray, RingBuf,
    },
};
use netctl_common::{
    claim::Claim,
    drop_reason::DROP_REASONS,
    endpoint::{ENDPOINT_ENTRIES, Endpoint, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey},
    event::Clock,
    flow::{Flow, FlowKey},
    host::{Local, MAX_ONLINK, Uplink},
    jump,
    mapping::{Mapping, MappingKey},
    network::{MAX_NETWORKS, Network},
    publish::{PublishKey, Published, ReservedKey},
    settings::Settings,
    shield::{ByKey, Due, FromKey, PORT_WORDS, Shield, SourceKey},
    sock::{Sock, SockKey},
    stats::{DropCount, PortStats, PortStatsKey},
    wire::{V4, V6},
};

use crate::{
    bucket::Bucket,
    cut,
    flow::NewFlow,
    fragment::{Datagram, DatagramKey},
    held::{Held, HeldKey, Piece},
    icmp::reply,
};

/// user → every hook: who is behind a veth, by the slot of its interface index. Written in place:
/// a packet that comes while one endpoint takes another's slot may see half of each, and then
/// has a wrong MAC or a flow of another generation.
#[map]
pub(crate) static ENDPOINT: Array<Endpoint> = Array::with_max_entries(ENDPOINT_ENTRIES, 0);

/// user → `from_container`: where a MAC is.
#[map]
pub(crate) static FDB: HashMap<FdbKey, Fdb> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// user → ARP, ND, every hook: who has an address, and who is the same container elsewhere.
#[map]
pub(crate) static NEIGH4: HashMap<NeighKey<V4>, Neigh> =
    HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// See NEIGH4.
#[map]
pub(crate) static NEIGH6: HashMap<NeighKey<V6>, Neigh> =
    HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);

/// user → every hook.
#[map]
pub(crate) static NETWORK: Array<Network> = Array::with_max_entries(MAX_NETWORKS, 0);

/// user → `flood`: members of a network.
#[map]
pub(crate) static FLOOD: HashMap<FloodKey, Flood> =
    HashMap::with_max_entries(8_192, BPF_F_NO_PREALLOC);

/// bpf: tokens for broadcasts, one bucket an endpoint.
#[map]
pub(crate) static FLOOD_BUDGET: LruHashMap<u32, Bucket> = LruHashMap::with_max_entries(16_384, 0);

/// bpf: tokens for ICMP errors, one bucket an interface.
#[map]
pub(crate) static ICMP_BUDGET: LruHashMap<u32, Bucket> = LruHashMap::with_max_entries(16_384, 0);

/// bpf: what an ICMP error quotes, while it is made.
#[map]
pub(crate) static ICMP_QUOTE: PerCpuArray<[u64; reply::ROOM / 8]> =
    PerCpuArray::with_max_entries(1, 0);

/// user → every hook: single published ports.
#[map]
pub(crate) static PUBLISHED4: HashMap<PublishKey<V4>, Published<V4>> =
    HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// See PUBLISHED4.
#[map]
pub(crate) static PUBLISHED6: HashMap<PublishKey<V6>, Published<V6>> =
    HashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// user → every hook: published ranges, split into aligned blocks.
#[map]
pub(crate) static PUBLISHED_RANGE4: LpmTrie<PublishKey<V4>, Published<V4>> =
    LpmTrie::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// See PUBLISHED_RANGE4.
#[map]
pub(crate) static PUBLISHED_RANGE6: LpmTrie<PublishKey<V6>, Published<V6>> =
    LpmTrie::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// user → bind hooks, masquerade: every published port of each family, of any address.
#[map]
pub(crate) static RESERVED: LpmTrie<ReservedKey, u32> =
    LpmTrie::with_max_entries(196_608, BPF_F_NO_PREALLOC);

/// user → shield: which host ports have rules.
#[map]
pub(crate) static SHIELD_PORTS: Array<u64> = Array::with_max_entries(PORT_WORDS, 0);

/// user → shield: rules of published specs, by their numbers.
#[map]
pub(crate) static SHIELD: HashMap<u32, Shield> =
    HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// user → shield: who is let in.
#[map]
pub(crate) static SHIELD_FROM4: LpmTrie<FromKey<V4>, u32> =
    LpmTrie::with_max_entries(262_144, BPF_F_NO_PREALLOC);

/// See SHIELD_FROM4.
#[map]
pub(crate) static SHIELD_FROM6: LpmTrie<FromKey<V6>, u32> =
    LpmTrie::with_max_entries(262_144, BPF_F_NO_PREALLOC);

/// user → shield: by which interface everybody is let in.
#[map]
pub(crate) static SHIELD_BY: HashMap<ByKey, u32> =
    HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// bpf: sources of ports with a limit. A sender who makes up addresses pushes the oldest out.
#[map]
pub(crate) static SHIELD_SOURCE: LruHashMap<SourceKey, Due> =
    LruHashMap::with_max_entries(65_536, 0);

/// user → every hook: the host's addresses, without 127.0.0.0/8.
#[map]
pub(crate) static LOCAL4: HashMap<V4, Local> = HashMap::with_max_entries(8_192, BPF_F_NO_PREALLOC);

/// user → every hook: the host's addresses, without ::1 and link-local ones.
#[map]
pub(crate) static LOCAL6: HashMap<V6, Local> = HashMap::with_max_entries(8_192, BPF_F_NO_PREALLOC);

/// user → `from_container`: interfaces towards the outside.
#[map]
pub(crate) static UPLINK: HashMap<u32, Uplink> =
    HashMap::with_max_entries(1_024, BPF_F_NO_PREALLOC);

/// user → every hook: which network an address belongs to.
#[map]
pub(crate) static SUBNET4: LpmTrie<V4, u32> =
    LpmTrie::with_max_entries(MAX_NETWORKS, BPF_F_NO_PREALLOC);

/// See SUBNET4.
#[map]
pub(crate) static SUBNET6: LpmTrie<V6, u32> =
    LpmTrie::with_max_entries(MAX_NETWORKS, BPF_F_NO_PREALLOC);

/// user → `from_container`, before 5.12: the uplink that a next hop is on. Destinations of routes
/// without a gateway, and 0.0.0.0/0.
#[map]
pub(crate) static ONLINK4: LpmTrie<V4, u32> =
    LpmTrie::with_max_entries(MAX_ONLINK, BPF_F_NO_PREALLOC);

/// See ONLINK4. Nothing of fe80::/10, which every interface has.
#[map]
pub(crate) static ONLINK6: LpmTrie<V6, u32> =
    LpmTrie::with_max_entries(MAX_ONLINK, BPF_F_NO_PREALLOC);

/// user → every hook.
#[map]
pub(crate) static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);

/// bpf: tracked connections, two entries each.
#[map]
pub(crate) static FLOW4: HashMap<FlowKey<V4>, Flow<V4>> = HashMap::with_max_entries(524_288, 0);

/// bpf: both halves of a flow under construction. Per CPU: TC programs do not nest.
#[map]
pub(crate) static FLOW4_SCRATCH: PerCpuArray<[Flow<V4>; 2]> = PerCpuArray::with_max_entries(1, 0);

/// bpf: the flow that a hook is about to create, and what it is made from. See FLOW4_SCRATCH; pinned,
/// as all that a program leaves for the one that it jumps to.
#[map]
pub(crate) static DRAFT4: PerCpuArray<NewFlow<V4>> = PerCpuArray::with_max_entries(1, 0);

/// See FLOW4.
#[map]
pub(crate) static FLOW6: HashMap<FlowKey<V6>, Flow<V6>> = HashMap::with_max_entries(131_072, 0);

/// See FLOW4_SCRATCH.
#[map]
pub(crate) static FLOW6_SCRATCH: PerCpuArray<[Flow<V6>; 2]> = PerCpuArray::with_max_entries(1, 0);

/// See DRAFT4.
#[map]
pub(crate) static DRAFT6: PerCpuArray<NewFlow<V6>> = PerCpuArray::with_max_entries(1, 0);

/// bpf: outside ports of what containers send from, two entries each. Sized by the daemon.
#[map]
pub(crate) static MAPPING4: HashMap<MappingKey<V4>, Mapping<V4>> =
    HashMap::with_max_entries(131_072, 0);

/// See MAPPING4.
#[map]
pub(crate) static MAPPING6: HashMap<MappingKey<V6>, Mapping<V6>> =
    HashMap::with_max_entries(32_768, 0);

/// bpf: who talks with a peer in protocols whose sockets cannot be looked up.
#[map]
pub(crate) static CLAIM4: LruHashMap<FlowKey<V4>, Claim> = LruHashMap::with_max_entries(4_096, 0);

/// See CLAIM4.
#[map]
pub(crate) static CLAIM6: LruHashMap<FlowKey<V6>, Claim> = LruHashMap::with_max_entries(4_096, 0);

/// bpf: fragmented datagrams of both families, with what the first fragment has told. Every
/// source has a few places: it takes more than a hundred sources to push another's out.
#[map]
pub(crate) static FRAG: LruHashMap<DatagramKey, Datagram> = LruHashMap::with_max_entries(8_192, 0);

/// bpf: fragments that wait for their first one. See FRAG; about 2 MiB.
#[map]
pub(crate) static HELD: LruHashMap<HeldKey, Held> = LruHashMap::with_max_entries(1_024, 0);

/// bpf: the fragment that is being looked at. See DRAFT4.
#[map]
pub(crate) static PIECE: PerCpuArray<Piece> = PerCpuArray::with_max_entries(1, 0);

/// bpf: a packet that is cut in pieces. See DRAFT4.
#[map]
pub(crate) static WHOLE: PerCpuArray<cut::Whole> = PerCpuArray::with_max_entries(1, 0);

/// bpf: sockets of host processes that were led to a container.
#[map]
pub(crate) static SOCK4: LruHashMap<SockKey<V4>, Sock<V4>> =
    LruHashMap::with_max_entries(65_536, 0);

/// See SOCK4.
#[map]
pub(crate) static SOCK6: LruHashMap<SockKey<V6>, Sock<V6>> =
    LruHashMap::with_max_entries(65_536, 0);

/// bpf → metrics: counters of published ports.
#[map]
pub(crate) static PORT_STATS: PerCpuHashMap<PortStatsKey, PortStats> =
    PerCpuHashMap::with_max_entries(131_072, BPF_F_NO_PREALLOC);

/// bpf → metrics: dropped packets by reason.
#[map]
pub(crate) static DROPS: PerCpuArray<DropCount> = PerCpuArray::with_max_entries(DROP_REASONS, 0);

/// bpf → daemon: samples of dropped packets.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(256 * 1024, 0);

/// bpf → daemon: answer of the `clock` program.
#[map]
pub(crate) static CLOCK: Array<Clock> = Array::with_max_entries(1, 0);

/// user: programs that others jump to.
#[map]
pub(crate) static JUMP: ProgramArray = ProgramArray::with_max_entries(jump::SLOTS, 0);

/// The settings, or zeroes before the daemon wrote them (an array's entry always exists).
#[inline(always)]
pub(crate) fn settings() -> Option<&'static Settings> {
    SETTINGS.get(0)
}
