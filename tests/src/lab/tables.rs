//! What the datapath's tables hold.

use std::{collections::BTreeMap, fs, path::PathBuf};

use netctl::kernel::bpf::{get_pinned, map::Map};
use netctl_common::LAYOUT_VERSION;

use super::Lab;

/// Kinds of tables (linux/bpf.h) that say nothing of what is there: of programs, of counters, of
/// what grows old by itself, and the ring buffer.
const OTHERS: [u32; 5] = [PROG_ARRAY, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH, RINGBUF];
const PROG_ARRAY: u32 = 3;
const PERCPU_ARRAY: u32 = 6;
const LRU_HASH: u32 = 9;
const LRU_PERCPU_HASH: u32 = 10;
const RINGBUF: u32 = 27;

impl Lab {
    /// Number of entries of each pinned table; of arrays, those that are not zero.
    #[track_caller]
    pub fn tables(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(self.pinned_tables()).unwrap() {
            let entry = entry.unwrap();
            let map = get_pinned(&entry.path()).and_then(Map::new).unwrap();
            if OTHERS.contains(&map.info.kind) {
                continue;
            }
            let mut count = 0;
            map.for_each(|_key, _value| count += 1).unwrap();
            found.insert(entry.file_name().to_string_lossy().into_owned(), count);
        }
        found
    }

    /// The bytes of one pinned table, by key.
    #[track_caller]
    pub fn table(&self, name: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let pin = self.pinned_tables().join(name);
        let map = get_pinned(&pin).and_then(Map::new).unwrap();
        let mut found = BTreeMap::new();
        map.for_each(|key, value| {
            found.insert(key.to_vec(), value.to_vec());
        })
        .unwrap();
        found
    }

    /// The folder of the tables' pins, as seen from here.
    pub fn pinned_tables(&self) -> PathBuf {
        self.inside(self.bpffs())
            .join(format!("netctl/v{LAYOUT_VERSION}/maps"))
    }

    /// Open descriptors of the daemon.
    #[track_caller]
    pub fn daemon_descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.daemon_pid());
        fs::read_dir(folder).unwrap().count()
    }
}
