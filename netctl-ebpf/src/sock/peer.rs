//! recvmsg() and getpeername(): the process sees the address that it asked for.

use aya_ebpf::{bindings::bpf_sock_addr, macros::cgroup_sock_addr, programs::SockAddrContext};
use netctl_common::sock::SockKey;

use crate::{
    helpers,
    maps::SOCK4,
    sock::{Inet, Inet6, SockFamily, answer, protocol, set_user_port, user_port},
};

/// See the module.
#[cgroup_sock_addr(recvmsg4)]
#[inline(always)]
pub(crate) fn sock_recvmsg4(ctx: SockAddrContext) -> i32 {
    restore::<Inet>(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(recvmsg6)]
#[inline(always)]
pub(crate) fn sock_recvmsg6(ctx: SockAddrContext) -> i32 {
    restore::<Inet6>(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(getpeername4)]
#[inline(always)]
pub(crate) fn sock_getpeername4(ctx: SockAddrContext) -> i32 {
    restore::<Inet>(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(getpeername6)]
#[inline(always)]
pub(crate) fn sock_getpeername6(ctx: SockAddrContext) -> i32 {
    restore::<Inet6>(ctx.sock_addr)
}

#[inline(always)]
fn restore<F: SockFamily>(ctx: *mut bpf_sock_addr) -> i32 {
    let (Some(proto), Some(addr)) = (protocol(ctx), F::address(ctx)) else {
        return answer::ALLOW;
    };
    let key = SockKey {
        cookie: helpers::socket_cookie(ctx.cast()).into(),
        addr,
        port: user_port(ctx),
        proto,
        _pad: 0,
    };
    if let Some(sock) = SOCK4.get_ptr(&key) {
        // SAFETY: a live value, written once for a socket and destination.
        let sock = unsafe { *sock };
        F::set_address(ctx, sock.addr);
        set_user_port(ctx, sock.port);
    }
    answer::ALLOW
}
