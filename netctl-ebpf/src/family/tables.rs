//! The maps that each family has of its own.

use aya_ebpf::maps::{HashMap, LpmTrie, LruHashMap, PerCpuArray};
use netctl_common::{
    claim::Claim,
    endpoint::{Neigh, NeighKey},
    flow::{Flow, FlowKey},
    host::Local,
    mapping::{Mapping, MappingKey},
    publish::{PublishKey, Published},
    shield::FromKey,
    sock::{Sock, SockKey},
    wire::{Address, V4, V6},
};

use crate::{
    flow::NewFlow,
    maps::{
        CLAIM4, CLAIM6, DRAFT4, DRAFT6, FLOW4, FLOW4_SCRATCH, FLOW6, FLOW6_SCRATCH, LOCAL4, LOCAL6,
        MAPPING4, MAPPING6, NEIGH4, NEIGH6, ONLINK4, ONLINK6, PUBLISHED_RANGE4, PUBLISHED_RANGE6,
        PUBLISHED4, PUBLISHED6, SHIELD_FROM4, SHIELD_FROM6, SOCK4, SOCK6, SUBNET4, SUBNET6,
    },
};

macro_rules! tables {
    ($($get:ident: $type:ty = $of_v4:ident, $of_v6:ident;)+) => {
        /// The maps of a family; see [`crate::maps`].
        pub(crate) trait Tables: Address {
            $(fn $get() -> &'static $type;)+
        }

        impl Tables for V4 {
            $(#[inline(always)]
            fn $get() -> &'static $type {
                &$of_v4
            })+
        }

        impl Tables for V6 {
            $(#[inline(always)]
            fn $get() -> &'static $type {
                &$of_v6
            })+
        }
    };
}

tables! {
    flows: HashMap<FlowKey<Self>, Flow<Self>> = FLOW4, FLOW6;
    flow_scratch: PerCpuArray<[Flow<Self>; 2]> = FLOW4_SCRATCH, FLOW6_SCRATCH;
    drafts: PerCpuArray<NewFlow<Self>> = DRAFT4, DRAFT6;
    mappings: HashMap<MappingKey<Self>, Mapping<Self>> = MAPPING4, MAPPING6;
    claims: LruHashMap<FlowKey<Self>, Claim> = CLAIM4, CLAIM6;
    published: HashMap<PublishKey<Self>, Published<Self>> = PUBLISHED4, PUBLISHED6;
    ranges: LpmTrie<PublishKey<Self>, Published<Self>> = PUBLISHED_RANGE4, PUBLISHED_RANGE6;
    allowed: LpmTrie<FromKey<Self>, u32> = SHIELD_FROM4, SHIELD_FROM6;
    neighbours: HashMap<NeighKey<Self>, Neigh> = NEIGH4, NEIGH6;
    locals: HashMap<Self, Local> = LOCAL4, LOCAL6;
    subnets: LpmTrie<Self, u32> = SUBNET4, SUBNET6;
    socks: LruHashMap<SockKey<Self>, Sock<Self>> = SOCK4, SOCK6;
    onlinks: LpmTrie<Self, u32> = ONLINK4, ONLINK6;
}
