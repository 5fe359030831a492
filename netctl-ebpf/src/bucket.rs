//! Token buckets: so many a second, a second's worth of them at once.

use aya_ebpf::{bindings::BPF_ANY, maps::LruHashMap};

use crate::{helpers, maps};

/// A bucket.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Bucket {
    /// Jiffies when `tokens` was last filled.
    filled: u64,
    /// What may still be taken.
    tokens: u64,
}

/// Takes a token of that interface's bucket, which holds `rate` a second; false when it is empty.
#[inline(always)]
pub(crate) fn take(buckets: &LruHashMap<u32, Bucket>, ifindex: u32, rate: u64) -> bool {
    let Some(settings) = maps::settings() else {
        return false;
    };
    let (hz, now) = (u64::from(settings.hz), helpers::now());
    let Some(bucket) = buckets.get_ptr_mut(&ifindex) else {
        let full = Bucket {
            filled: now,
            tokens: rate.saturating_sub(1),
        };
        // A table that takes no more means no limit yet, not that nothing may be taken.
        let _stored = buckets.insert(&ifindex, &full, u64::from(BPF_ANY));
        return rate > 0;
    };
    // SAFETY: a live value; a race between two CPUs costs or gives a token.
    let bucket = unsafe { &mut *bucket };
    if now.wrapping_sub(bucket.filled) >= hz {
        (bucket.filled, bucket.tokens) = (now, rate);
    }
    if bucket.tokens == 0 {
        return false;
    }
    bucket.tokens -= 1;
    true
}
