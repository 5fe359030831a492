//! Packets with the device's sum over all of them (CHECKSUM_COMPLETE): the kernel makes it before
//! a run and compares it with the packet afterwards.

use std::os::fd::AsFd;

use super::{
    bench::{Bench, Program},
    run::{self, Shot},
};

impl Bench {
    /// Whether the packet's sum is right after the program; `None`: this kernel cannot tell.
    #[track_caller]
    pub fn keeps_device_sum(
        &mut self,
        program: Program,
        ifindex: u32,
        bytes: &[u8],
    ) -> Option<bool> {
        let shot = Shot {
            ifindex,
            ingress: ifindex,
            bytes,
            gso: None,
            repeat: 1,
        };
        let fd = self.classifier(program).fd().unwrap();
        let Err(error) = run::run(fd.as_fd(), &shot, run::COMPLETE, &mut []) else {
            return Some(true);
        };
        match error.raw_os_error() {
            Some(libc::EBADMSG) => Some(false),
            // Kernels before the flag.
            Some(libc::EINVAL) => None,
            _ => panic!("test run of {}: {error}", program.name()),
        }
    }
}
