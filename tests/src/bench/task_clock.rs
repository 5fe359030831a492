//! The time that a thread has a CPU, with the softirqs that run in its place meanwhile.
//!
//! The kernel's other clocks of a thread leave softirqs out where it keeps their time apart
//! (CONFIG_IRQ_TIME_ACCOUNTING); that of perf(1), PERF_COUNT_SW_TASK_CLOCK, runs from one context
//! switch to the next.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::FromRawFd as _,
    time::Duration,
};

use aya_obj::generated::{perf_event_attr, perf_sw_ids, perf_type_id};

/// Runs from its start on.
pub struct TaskClock(File);

impl TaskClock {
    /// That of the calling thread.
    pub fn start() -> io::Result<Self> {
        // SAFETY: all zeroes is a valid perf_event_attr.
        let mut attr: perf_event_attr = unsafe { std::mem::zeroed() };
        attr.type_ = perf_type_id::PERF_TYPE_SOFTWARE as u32;
        attr.size = size_of::<perf_event_attr>() as u32;
        attr.config = perf_sw_ids::PERF_COUNT_SW_TASK_CLOCK as u64;
        let (this_thread, any_cpu, no_group, close_on_exec) = (0, -1, -1, 1 << 3);
        // SAFETY: the attribute is as long as it says and outlives the call.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attr,
                this_thread,
                any_cpu,
                no_group,
                close_on_exec,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor that the kernel has just made; nobody else has it.
        Ok(Self(unsafe { File::from_raw_fd(fd as i32) }))
    }

    /// Since its start.
    pub fn elapsed(&self) -> io::Result<Duration> {
        let mut nanoseconds = [0; 8];
        (&self.0).read_exact(&mut nanoseconds)?;
        Ok(Duration::from_nanos(u64::from_ne_bytes(nanoseconds)))
    }
}
