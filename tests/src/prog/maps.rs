//! Typed access to the object's maps, by name.

use aya::{
    Ebpf, Pod,
    maps::{
        Array, HashMap, MapData, PerCpuArray, PerCpuHashMap, PerCpuValues, ProgramArray, RingBuf,
        lpm_trie::{Key, LpmTrie},
    },
};
use netctl_common::{drop_reason::DropReason, event::DropEvent, jump, stats::DropCount};

#[track_caller]
pub(super) fn insert<K: Pod, V: Pod>(ebpf: &mut Ebpf, map: &str, key: K, value: V) {
    let mut map: HashMap<&mut MapData, K, V> = found(ebpf, map);
    map.insert(key, value, 0).unwrap();
}

#[track_caller]
pub(super) fn remove<K: Pod, V: Pod>(ebpf: &mut Ebpf, map: &str, key: K) {
    let mut map: HashMap<&mut MapData, K, V> = found(ebpf, map);
    map.remove(&key).unwrap();
}

/// Takes every entry away.
#[track_caller]
pub(super) fn clear<K: Pod, V: Pod>(ebpf: &mut Ebpf, map: &str) {
    let mut map: HashMap<&mut MapData, K, V> = found(ebpf, map);
    let keys: Vec<K> = map.keys().map(Result::unwrap).collect();
    for key in keys {
        map.remove(&key).unwrap();
    }
}

/// All entries, in no order.
#[track_caller]
pub(super) fn entries<K: Pod, V: Pod>(ebpf: &Ebpf, map: &str) -> Vec<(K, V)> {
    let name = map;
    let map = ebpf.map(name).unwrap_or_else(|| panic!("no map {name}"));
    let map: HashMap<&MapData, K, V> = map.try_into().unwrap();
    map.iter().map(Result::unwrap).collect()
}

/// All entries, the CPUs' values beside each other.
#[track_caller]
pub(super) fn per_cpu_entries<K: Pod, V: Pod>(ebpf: &Ebpf, map: &str) -> Vec<(K, PerCpuValues<V>)> {
    let name = map;
    let map = ebpf.map(name).unwrap_or_else(|| panic!("no map {name}"));
    let map: PerCpuHashMap<&MapData, K, V> = map.try_into().unwrap();
    map.iter().map(Result::unwrap).collect()
}

#[track_caller]
pub(super) fn set<V: Pod>(ebpf: &mut Ebpf, map: &str, index: u32, value: V) {
    let mut map: Array<&mut MapData, V> = found(ebpf, map);
    map.set(index, value, 0).unwrap();
}

#[track_caller]
pub(super) fn get<V: Pod>(ebpf: &Ebpf, map: &str, index: u32) -> V {
    let map: Array<&MapData, V> = ebpf.map(map).unwrap().try_into().unwrap();
    map.get(&index, 0).unwrap()
}

#[track_caller]
pub(super) fn insert_prefix<K: Pod, V: Pod>(
    ebpf: &mut Ebpf,
    map: &str,
    prefix: u32,
    key: K,
    value: V,
) {
    let mut map: LpmTrie<&mut MapData, K, V> = found(ebpf, map);
    map.insert(&Key::new(prefix, key), value, 0).unwrap();
}

/// Packets dropped so far by each reason, over all CPUs.
#[track_caller]
pub(super) fn drops(ebpf: &Ebpf) -> Vec<(&'static str, u64)> {
    let map: PerCpuArray<&MapData, DropCount> = ebpf.map("DROPS").unwrap().try_into().unwrap();
    DropReason::ALL
        .iter()
        .map(|reason| {
            let counts = map.get(&(*reason as u32), 0).unwrap();
            (
                reason.name(),
                counts.iter().map(|count| count.packets).sum(),
            )
        })
        .collect()
}

/// Drops that were shown since the last call, oldest first.
#[track_caller]
pub(super) fn samples(ebpf: &mut Ebpf) -> Vec<DropEvent> {
    let mut events = RingBuf::try_from(ebpf.map_mut("EVENTS").unwrap()).unwrap();
    let mut samples = Vec::new();
    while let Some(item) = events.next() {
        samples.push(bytemuck::pod_read_unaligned(&item));
    }
    samples
}

/// Puts the programs that others jump to in their places.
#[track_caller]
pub(super) fn connect_jumps(ebpf: &mut Ebpf, programs: &[&str]) {
    for (place, name) in jump::ALL.iter().filter(|(_, name)| programs.contains(name)) {
        let program = ebpf.program(name).unwrap().fd().unwrap();
        let program = program.try_clone().unwrap();
        let mut jump: ProgramArray<&mut MapData> = found(ebpf, "JUMP");
        jump.set(*place, &program, 0).unwrap();
    }
}

#[track_caller]
fn found<'a, T>(ebpf: &'a mut Ebpf, name: &str) -> T
where
    T: TryFrom<&'a mut aya::maps::Map, Error = aya::maps::MapError>,
{
    let map = ebpf
        .map_mut(name)
        .unwrap_or_else(|| panic!("no map {name}"));
    T::try_from(map).unwrap_or_else(|error| panic!("map {name}: {error}"))
}
