//! A map as bytes: what the reconciler compares and the flow sweep walks.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use bytemuck::{Pod, Zeroable};

use super::{Command, call, info, take_fd};

/// Map types met here (include/uapi/linux/bpf.h).
const HASH: u32 = 1;
const ARRAY: u32 = 2;
const PERCPU_HASH: u32 = 5;
const PERCPU_ARRAY: u32 = 6;
const LRU_PERCPU_HASH: u32 = 10;

/// Entries asked for by one batch look-up; doubled when one hash bucket holds more.
const BATCH: u32 = 4096;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, PartialEq, Eq, Debug)]
pub struct MapInfo {
    pub kind: u32,
    pub id: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
}

/// An open map.
pub struct Map {
    fd: OwnedFd,
    pub info: MapInfo,
    /// Bytes of a value as bpf(2) passes it: one slot a possible CPU for per-CPU maps.
    stride: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct CreateAttr {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// linux/bpf.h.
const BPF_NOEXIST: u64 = 1;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ElementAttr {
    fd: u32,
    _pad: u32,
    key: u64,
    /// Or the next key.
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    fd: u32,
    element_flags: u64,
    flags: u64,
}

impl Map {
    /// An array of one element, for the moment.
    pub fn create_array(value_size: u32) -> io::Result<Self> {
        let mut attr = CreateAttr {
            kind: ARRAY,
            key_size: size_of::<u32>() as u32,
            value_size,
            max_entries: 1,
        };
        call(Command::MapCreate, &mut attr)
            .map(take_fd)
            .and_then(Self::new)
    }

    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let info: MapInfo = info(fd.as_fd())?;
        let stride = match info.kind {
            PERCPU_HASH | PERCPU_ARRAY | LRU_PERCPU_HASH => {
                info.value_size.next_multiple_of(8) as usize * possible_cpus()?
            }
            _ => info.value_size as usize,
        };
        Ok(Self { fd, info, stride })
    }

    /// Whether every entry exists from the start and "deleted" means zero.
    pub fn is_array(&self) -> bool {
        matches!(self.info.kind, ARRAY | PERCPU_ARRAY)
    }

    fn attr(&self, key: *const u8, value: *const u8) -> ElementAttr {
        ElementAttr {
            fd: self.fd.as_raw_fd() as u32,
            _pad: 0,
            key: key as u64,
            value: value as u64,
            flags: 0,
        }
    }

    fn check(&self, key: &[u8]) -> io::Result<()> {
        if key.len() == self.info.key_size as usize {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::EINVAL))
        }
    }

    pub fn lookup(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.check(key)?;
        let mut value = vec![0; self.stride];
        let mut attr = self.attr(key.as_ptr(), value.as_mut_ptr());
        match call(Command::MapLookup, &mut attr) {
            Ok(_) => Ok(Some(value)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.write(key, value, 0)
    }

    /// A new entry; false when the key is there already.
    pub fn insert(&self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        match self.write(key, value, BPF_NOEXIST) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        self.check(key)?;
        if value.len() != self.stride {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut attr = self.attr(key.as_ptr(), value.as_ptr());
        attr.flags = flags;
        call(Command::MapUpdate, &mut attr)?;
        Ok(())
    }

    /// Whether the entry was there. An array's is zeroed.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        if self.is_array() {
            self.update(key, &vec![0; self.stride])?;
            return Ok(true);
        }
        self.check(key)?;
        let mut attr = self.attr(key.as_ptr(), std::ptr::null());
        match call(Command::MapDelete, &mut attr) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn next_key(&self, key: Option<&[u8]>) -> io::Result<Option<Vec<u8>>> {
        let mut next = vec![0; self.info.key_size as usize];
        let key = key.map_or(std::ptr::null(), <[u8]>::as_ptr);
        let mut attr = self.attr(key, next.as_mut_ptr());
        match call(Command::MapNextKey, &mut attr) {
            Ok(_) => Ok(Some(next)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Calls `f` with every entry; an array's zero entries are left out.
    pub fn for_each(&self, mut f: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        if matches!(self.info.kind, HASH | ARRAY) {
            let skip_zero = self.is_array();
            return self.for_each_batch(|key, value| {
                if !(skip_zero && value.iter().all(|b| *b == 0)) {
                    f(key, value);
                }
            });
        }
        let mut key = self.next_key(None)?;
        while let Some(current) = key {
            if let Some(value) = self.lookup(&current)? {
                f(&current, &value);
            }
            key = self.next_key(Some(&current))?;
        }
        Ok(())
    }

    /// Calls `f` with every key.
    pub fn for_each_key(&self, mut f: impl FnMut(&[u8])) -> io::Result<()> {
        let mut key = self.next_key(None)?;
        while let Some(current) = key {
            f(&current);
            key = self.next_key(Some(&current))?;
        }
        Ok(())
    }

    /// BPF_MAP_LOOKUP_BATCH (5.6): a whole table costs a few calls.
    fn for_each_batch(&self, mut f: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        let key_size = self.info.key_size as usize;
        let mut capacity = BATCH.min(self.info.max_entries.max(1));
        let mut keys = vec![0_u8; capacity as usize * key_size];
        let mut values = vec![0_u8; capacity as usize * self.stride];
        // The position: a bucket number for hashes, an index for arrays; four bytes either way.
        let (mut position, mut next) = (0_u64, 0_u64);
        let mut started = false;
        loop {
            let mut attr = BatchAttr {
                in_batch: if started {
                    std::ptr::from_ref(&position) as u64
                } else {
                    0
                },
                out_batch: std::ptr::from_mut(&mut next) as u64,
                keys: keys.as_mut_ptr() as u64,
                values: values.as_mut_ptr() as u64,
                count: capacity,
                fd: self.fd.as_raw_fd() as u32,
                element_flags: 0,
                flags: 0,
            };
            let result = call(Command::LookupBatch, &mut attr);
            let errno = result.as_ref().err().and_then(io::Error::raw_os_error);
            match (result, errno) {
                (Ok(_), _) | (Err(_), Some(libc::ENOENT)) => {}
                (Err(_), Some(libc::ENOSPC)) => {
                    capacity *= 2;
                    keys.resize(capacity as usize * key_size, 0);
                    values.resize(capacity as usize * self.stride, 0);
                    continue;
                }
                (Err(error), _) => return Err(error),
            }
            let entries = attr.count as usize;
            for (key, value) in keys
                .chunks_exact(key_size)
                .zip(values.chunks_exact(self.stride))
                .take(entries)
            {
                f(key, value);
            }
            if errno.is_some() || entries == 0 {
                return Ok(());
            }
            position = next;
            started = true;
        }
    }

    /// The CPUs' slots of a per-CPU value.
    pub fn slots<'v>(&self, value: &'v [u8]) -> impl Iterator<Item = &'v [u8]> {
        let size = self.info.value_size as usize;
        value
            .chunks_exact(size.next_multiple_of(8))
            .map(move |slot| &slot[..size])
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn possible_cpus() -> io::Result<usize> {
    aya::util::nr_cpus().map_err(|(_, error)| error)
}
