//! Packets with the device's sum over all of them (CHECKSUM_COMPLETE): the kernel makes it before
//! a run and compares it with the packet afterwards.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use super::{
    bench::{Bench, Program},
    skb,
};

/// linux/bpf.h.
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_F_TEST_SKB_CHECKSUM_COMPLETE: u32 = 1 << 2;

/// `bpf_attr.test` of linux/bpf.h; aya does not let its flags be set.
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

impl Bench {
    /// Whether the packet's sum is right after the program; `None`: this kernel cannot tell.
    #[track_caller]
    pub fn keeps_device_sum(
        &mut self,
        program: Program,
        ifindex: u32,
        bytes: &[u8],
    ) -> Option<bool> {
        let context = skb::context(ifindex, ifindex, None);
        let fd = self.classifier(program).fd().unwrap();
        let attr = TestAttr {
            program: fd.as_fd().as_raw_fd() as u32,
            size_in: bytes.len() as u32,
            data_in: bytes.as_ptr() as u64,
            repeat: 1,
            context_size_in: context.len() as u32,
            context_in: context.as_ptr() as u64,
            flags: BPF_F_TEST_SKB_CHECKSUM_COMPLETE,
            ..TestAttr::default()
        };
        // SAFETY: the attribute's pointers are to buffers of the lengths beside them, which
        // outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_TEST_RUN,
                &raw const attr,
                size_of::<TestAttr>(),
            )
        };
        if result == 0 {
            return Some(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EBADMSG) => Some(false),
            // Kernels before the flag.
            Some(libc::EINVAL) => None,
            _ => panic!("test run of {}: {error}", program.name()),
        }
    }
}
