//! How the daemon reads the kernel's jiffies: it runs this program by BPF_PROG_TEST_RUN.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::classifier, programs::TcContext};

use crate::{helpers, maps::CLOCK};

/// Writes the time into CLOCK.
#[classifier]
#[inline(always)]
pub(crate) fn clock(_ctx: TcContext) -> i32 {
    if let Some(clock) = CLOCK.get_ptr_mut(0) {
        // SAFETY: an array value; only this program writes it, run by one daemon.
        unsafe {
            (*clock).jiffies = helpers::now();
            (*clock).monotonic_ns = bpf_ktime_get_ns();
        }
    }
    0
}
