//! XDP programs of a few instructions: one that sends frames as a network card receives them, and
//! somebody else's on an interface.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use netctl::kernel::{
    bpf::{
        link,
        program::{EXIT, copy, helper, load, op, set},
    },
    features,
};
use nix::sched::{CloneFlags, setns};

use super::run;
use crate::lab::Lab;

/// enum xdp_action of linux/bpf.h.
pub const XDP_DROP: u32 = 1;
pub const XDP_PASS: u32 = 2;

/// BPF_PROG_TYPE_XDP and BPF_XDP of linux/bpf.h.
const KIND: u32 = 6;
const HOOK: u32 = 37;

/// Sends one frame over and over, from the memory that a driver would receive into: no socket, no
/// packet of the stack (sk_buff) at this end, and at a veth's other end none but what its owner
/// has made of the frame.
pub struct Frames {
    program: OwnedFd,
    frame: Vec<u8>,
}

impl Frames {
    /// By an interface of the caller's network namespace, whose other end is a veth with an XDP
    /// program or GRO (Linux 5.18). The length of the frame is a multiple of four.
    pub fn new(ifindex: u32, frame: Vec<u8>) -> io::Result<Self> {
        const REDIRECT: i32 = 23;
        const WORD: usize = 4;
        // Its memory comes back as the receiver has left it.
        let words = frame.chunks_exact(WORD).enumerate();
        let write = words.map(|(index, word)| {
            let value = i32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
            op(0x62, 2, 0, (index * WORD) as i16, value)
        });
        let write: Vec<u64> = write.collect();
        let send = [set(1, ifindex as i32), set(2, 0), helper(REDIRECT), EXIT];
        let over = (write.len() + send.len()) as i16;
        // The frame's start and end, which the verifier wants compared.
        let mut code = vec![
            op(0x61, 2, 1, 0, 0),
            op(0x61, 3, 1, 4, 0),
            copy(4, 2),
            op(0x07, 4, 0, 0, frame.len() as i32),
            op(0x2d, 4, 3, over, 0),
        ];
        code.extend(write);
        code.extend(send);
        code.extend([set(0, XDP_DROP as i32), EXIT]);
        let program = load(KIND, HOOK, &code)?;
        Ok(Self { program, frame })
    }

    /// Sends it that often; what the interface did not take is not told.
    pub fn send(&self, count: u32) -> io::Result<()> {
        run::run_live(self.program.as_fd(), &self.frame, count)
    }
}

/// Somebody's XDP program on an interface of the lab's host, in the driver where that can: each
/// frame gets the same verdict. It is there for as long as the returned value is.
pub fn xdp_on(lab: &Lab, interface: &str, verdict: u32) -> io::Result<OwnedFd> {
    let netns = File::open(format!("/proc/{}/ns/net", lab.host().pid()))?;
    let index = lab.host().link(interface).index;
    features::raise_memlock();
    let attach = move || {
        setns(netns, CloneFlags::CLONE_NEWNET)?;
        let program = load(KIND, HOOK, &[set(0, verdict as i32), EXIT])?;
        link::create_xdp(program.as_fd(), index)
    };
    // Not this thread: it would have to find its way back.
    thread::spawn(attach)
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
