//! Published ports by host address and port.

use aya_ebpf::maps::lpm_trie::Key;
use netctl_common::{
    publish::{PublishKey, Published, RESERVED_BY_ENGINE, ReservedKey, range_prefix},
    settings::flags,
    wire::Be16,
};

use crate::{
    family::Family,
    maps::{RESERVED, settings},
};

/// Which entries may answer for an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// The address is the host's own: those of any address answer too.
    Local,
    /// Only those of the very address.
    Exact,
}

/// The published port that `addr:port` leads to. At a constant cost, however many there are:
/// two lookups, four where ranges exist.
#[inline(always)]
pub(crate) fn lookup<A: Family>(
    addr: A,
    port: Be16,
    proto: u8,
    which: Match,
) -> Option<&'static Published<A>> {
    let mut key = PublishKey {
        addr,
        proto,
        _pad: 0,
        port,
    };
    let ranges = settings().is_some_and(|s| s.flags & flags::HAS_RANGES != 0);
    if let Some(found) = one(&key, ranges) {
        return Some(found);
    }
    if which == Match::Exact {
        return None;
    }
    key.addr = A::ANY;
    one(&key, ranges)
}

#[inline(always)]
fn one<A: Family>(key: &PublishKey<A>, ranges: bool) -> Option<&'static Published<A>> {
    if let Some(found) = A::published().get_ptr(key) {
        // SAFETY: the daemon replaces entries whole; a reader sees the old or the new one.
        return Some(unsafe { &*found });
    }
    if !ranges {
        return None;
    }
    A::ranges().get(&Key::new(range_prefix::<A>(16), *key))
}

/// The published spec of the family that has the port, on whatever address; with
/// [`RESERVED_BY_ENGINE`] where that is set.
#[inline(always)]
fn reserved<A: Family>(port: Be16, proto: u8) -> Option<u32> {
    RESERVED.get(&reserved_key::<A>(port, proto)).copied()
}

/// Whether any published spec of the family has the port, on whatever address.
#[inline(always)]
pub(crate) fn is_reserved<A: Family>(port: Be16, proto: u8) -> bool {
    reserved::<A>(port, proto).is_some()
}

/// Whether it does, and nothing but us keeps processes off it.
#[inline(always)]
pub(crate) fn is_kept_free<A: Family>(port: Be16, proto: u8) -> bool {
    reserved::<A>(port, proto).is_some_and(|spec| spec & RESERVED_BY_ENGINE == 0)
}

/// Key of RESERVED.
#[inline(always)]
pub(crate) fn reserved_key<A: Family>(port: Be16, proto: u8) -> Key<ReservedKey> {
    Key::new(ReservedKey::prefix(16), ReservedKey::new::<A>(proto, port))
}
