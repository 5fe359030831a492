//! Programs of a few instructions, written by hand: for questions that only a program can ask.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use bytemuck::{Pod, Zeroable};

use super::{Command, call, take_fd};

/// BPF_PROG_TYPE_SCHED_CLS
const SCHED_CLS: u32 = 3;
/// BPF_PROG_TYPE_CGROUP_SOCK_ADDR
const CGROUP_SOCK_ADDR: u32 = 18;

/// An instruction: code, destination, source, offset, immediate (struct bpf_insn).
pub const fn op(code: u8, dst: u8, src: u8, offset: i16, immediate: i32) -> u64 {
    code as u64
        | (dst as u64) << 8
        | (src as u64) << 12
        | (offset as u16 as u64) << 16
        | (immediate as u32 as u64) << 32
}

/// Ends the program with what is in the register 0.
pub const EXIT: u64 = op(0x95, 0, 0, 0, 0);

/// A constant into a register.
pub const fn set(dst: u8, immediate: i32) -> u64 {
    op(0xb7, dst, 0, 0, immediate)
}

/// A register into another.
pub const fn copy(dst: u8, src: u8) -> u64 {
    op(0xbf, dst, src, 0, 0)
}

/// Calls a helper by its number.
pub const fn helper(number: i32) -> u64 {
    op(0x85, 0, 0, 0, number)
}

/// A 64-bit constant; `source` says what the kernel makes of it.
const fn wide(dst: u8, source: u8, value: u64) -> [u64; 2] {
    [
        op(0x18, dst, source, 0, value as u32 as i32),
        op(0, 0, 0, 0, (value >> 32) as i32),
    ]
}

/// `bpf_attr` of BPF_PROG_LOAD, up to the last field used.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LoadAttr {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// Loads instructions as a program of that kind (enum bpf_prog_type), for hooks of that type (enum
/// bpf_attach_type) where its kind has several, else 0.
pub fn load(kind: u32, attach_type: u32, code: &[u64]) -> io::Result<OwnedFd> {
    let mut attr = LoadAttr {
        kind,
        instructions: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        attach_type,
        ..LoadAttr::zeroed()
    };
    call(Command::ProgramLoad, &mut attr).map(take_fd)
}

/// For an interface: has no opinion on any packet.
pub fn pass() -> io::Result<OwnedFd> {
    const TC_ACT_UNSPEC: i32 = -1;
    load(SCHED_CLS, 0, &[set(0, TC_ACT_UNSPEC), EXIT])
}

/// For a cgroup's hook of that type: when the socket with that cookie calls, writes the cookie of
/// its network namespace to the first word of the array `map`. Allows every call.
pub fn tell_netns_cookie(
    attach_type: u32,
    socket_cookie: u64,
    map: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    const GET_SOCKET_COOKIE: i32 = 46;
    const GET_NETNS_COOKIE: i32 = 122;
    const MAP_VALUE: u8 = 2;
    const ALLOW: i32 = 1;
    let [wanted, wanted_high] = wide(2, 0, socket_cookie);
    let [place, place_high] = wide(1, MAP_VALUE, map.as_raw_fd() as u64);
    let code = [
        copy(6, 1),
        helper(GET_SOCKET_COOKIE),
        wanted,
        wanted_high,
        // Another socket: over the next five.
        op(0x5d, 0, 2, 5, 0),
        copy(1, 6),
        helper(GET_NETNS_COOKIE),
        place,
        place_high,
        op(0x7b, 1, 0, 0, 0),
        set(0, ALLOW),
        EXIT,
    ];
    load(CGROUP_SOCK_ADDR, attach_type, &code)
}
