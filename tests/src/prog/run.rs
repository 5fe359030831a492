//! BPF_PROG_TEST_RUN itself: a packet in, verdict and packet out, nothing allocated.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

use super::skb;

/// linux/bpf.h.
const BPF_PROG_TEST_RUN: libc::c_long = 10;
/// Has the kernel make the device's sum (CHECKSUM_COMPLETE) before the run, and compare it after.
pub(super) const COMPLETE: u32 = 1 << 2;

/// What an XDP program does with its frame is done (Linux 5.18).
const LIVE_FRAMES: u32 = 1 << 1;
/// Frames that go out at once: as many as one poll of a driver takes in.
const BATCH: u32 = 64;

/// `bpf_attr.test` of linux/bpf.h.
#[repr(C)]
#[derive(Default)]
struct TestAttr {
    program: u32,
    code: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    _pad: u32,
}

/// A packet on its way into a program.
pub struct Shot<'a> {
    /// Interface that the program runs on.
    pub ifindex: u32,
    /// Interface that the packet was received on, 0 for one of the host's own.
    pub ingress: u32,
    pub bytes: &'a [u8],
    /// (Segments, size of each) of a packet that is several.
    pub gso: Option<(u16, u16)>,
    /// Runs, 1 or more: each sees the packet as the one before left it.
    pub repeat: u32,
}

/// What came out.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// The program's return code.
    pub code: u32,
    /// Bytes of the packet, which may be more than there was room for.
    pub length: usize,
    /// For each run.
    pub duration: Duration,
}

/// Runs a program; the packet as it left it goes to `out`.
///
/// The kernel refuses by EINVAL what is shorter than its Ethernet or, since 6.16, its IP header.
pub(super) fn run(
    program: BorrowedFd<'_>,
    shot: &Shot<'_>,
    flags: u32,
    out: &mut [u8],
) -> io::Result<Ran> {
    let context = skb::context(shot.ifindex, shot.ingress, shot.gso);
    run_in(program, shot, &context, flags, out)
}

/// [`run`] of a program that is given no context: of XDP before 5.15.
pub(super) fn run_plain(
    program: BorrowedFd<'_>,
    shot: &Shot<'_>,
    out: &mut [u8],
) -> io::Result<Ran> {
    run_in(program, shot, &[], 0, out)
}

/// Runs an XDP program on so many frames and does with each what it says. The program sees a frame
/// as its receiver has left it; an error of a redirect is not told.
pub(super) fn run_live(program: BorrowedFd<'_>, frame: &[u8], count: u32) -> io::Result<()> {
    test(&mut TestAttr {
        program: program.as_raw_fd() as u32,
        size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat: count,
        flags: LIVE_FRAMES,
        batch_size: BATCH,
        ..TestAttr::default()
    })
}

fn run_in(
    program: BorrowedFd<'_>,
    shot: &Shot<'_>,
    context: &[u8],
    flags: u32,
    out: &mut [u8],
) -> io::Result<Ran> {
    let mut attr = TestAttr {
        program: program.as_raw_fd() as u32,
        size_in: shot.bytes.len() as u32,
        size_out: out.len() as u32,
        data_in: shot.bytes.as_ptr() as u64,
        data_out: if out.is_empty() {
            0
        } else {
            out.as_mut_ptr() as u64
        },
        repeat: shot.repeat,
        context_size_in: context.len() as u32,
        context_in: if context.is_empty() {
            0
        } else {
            context.as_ptr() as u64
        },
        flags,
        ..TestAttr::default()
    };
    test(&mut attr)?;
    Ok(Ran {
        code: attr.code,
        length: attr.size_out as usize,
        duration: Duration::from_nanos(attr.duration.into()),
    })
}

/// `attr`: its pointers are to buffers of the lengths beside them, which the caller keeps.
fn test(attr: &mut TestAttr) -> io::Result<()> {
    // SAFETY: the attribute has the layout of linux/bpf.h; its buffers outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_TEST_RUN,
            std::ptr::from_mut(attr),
            size_of::<TestAttr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
