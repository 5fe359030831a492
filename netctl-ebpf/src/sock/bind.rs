//! bind() of host processes: published ports are taken, without a descriptor for each.

use aya_ebpf::{
    bindings::bpf_sock_addr, helpers::generated::bpf_set_retval, macros::cgroup_sock_addr,
    programs::SockAddrContext,
};

use netctl_common::wire::{Be16, V4};

use crate::{
    publish::{self, Match},
    sock::{
        HAVE_SET_RETVAL, Inet, MAPPED, SockFamily, answer, in_host, protocol, user_port, words6,
    },
};

const EADDRINUSE: i32 = 98;

/// See the module.
#[cgroup_sock_addr(bind4)]
#[inline(always)]
pub(crate) fn sock_bind4(ctx: SockAddrContext) -> i32 {
    let ctx = ctx.sock_addr;
    match Inet::address(ctx) {
        Some(addr) if addr.0 != 0 => check(ctx, |port, proto| {
            publish::lookup(addr, port, proto, Match::Local).is_some()
        }),
        _ => check(ctx, publish::is_reserved),
    }
}

/// [::] takes the IPv4 port too; a v4-mapped address is an IPv4 address.
#[cgroup_sock_addr(bind6)]
#[inline(always)]
pub(crate) fn sock_bind6(ctx: SockAddrContext) -> i32 {
    let ctx = ctx.sock_addr;
    match words6(ctx) {
        [0, 0, 0, 0] | [0, 0, MAPPED, 0] => check(ctx, publish::is_reserved),
        [0, 0, MAPPED, addr] => check(ctx, |port, proto| {
            publish::lookup(V4(addr), port, proto, Match::Local).is_some()
        }),
        _ => answer::ALLOW,
    }
}

/// Refuses the call when the port is taken: with EADDRINUSE, or EPERM on kernels before 6.1.
#[inline(always)]
fn check(ctx: *mut bpf_sock_addr, is_taken: impl FnOnce(Be16, u8) -> bool) -> i32 {
    let port = user_port(ctx);
    let Some(proto) = protocol(ctx) else {
        return answer::ALLOW;
    };
    if port.0 == 0 || !in_host(ctx) || !is_taken(port, proto) {
        return answer::ALLOW;
    }
    if HAVE_SET_RETVAL.load() != 0 {
        // SAFETY: a plain integer; the constant is 1 only where the helper may be called.
        unsafe { bpf_set_retval(-EADDRINUSE) };
    }
    answer::DENY
}
