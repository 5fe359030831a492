//! recvmsg() and getpeername(): the process sees the address that it asked for.

use aya_ebpf::{bindings::bpf_sock_addr, macros::cgroup_sock_addr, programs::SockAddrContext};
use netctl_common::{
    sock::{Sock, SockKey},
    wire::Address as _,
};

use crate::{
    family::Family,
    helpers,
    sock::{
        address4, address6, answer, protocol, set_address4, set_address6, set_user_port, user_port,
    },
};

/// See the module.
#[cgroup_sock_addr(recvmsg4)]
#[inline(always)]
pub(crate) fn sock_recvmsg4(ctx: SockAddrContext) -> i32 {
    restore4(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(recvmsg6)]
#[inline(always)]
pub(crate) fn sock_recvmsg6(ctx: SockAddrContext) -> i32 {
    restore6(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(getpeername4)]
#[inline(always)]
pub(crate) fn sock_getpeername4(ctx: SockAddrContext) -> i32 {
    restore4(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(getpeername6)]
#[inline(always)]
pub(crate) fn sock_getpeername6(ctx: SockAddrContext) -> i32 {
    restore6(ctx.sock_addr)
}

#[inline(always)]
fn restore4(ctx: *mut bpf_sock_addr) -> i32 {
    if let Some(sock) = asked(ctx, address4(ctx)) {
        set_address4(ctx, sock.addr);
        set_user_port(ctx, sock.port);
    }
    answer::ALLOW
}

#[inline(always)]
fn restore6(ctx: *mut bpf_sock_addr) -> i32 {
    let addr = address6(ctx);
    if let Some(sock) = asked(ctx, addr) {
        set_address6(ctx, sock.addr);
        set_user_port(ctx, sock.port);
    } else if let Some(inner) = addr.unmapped()
        && let Some(sock) = asked(ctx, inner)
    {
        // sendto() of an AF_INET6 socket to a v4-mapped address is udp_sendmsg()'s from its
        // beginning (net/ipv6/udp.c), so it was the hook of IPv4 that led it.
        set_address6(ctx, sock.addr.mapped());
        set_user_port(ctx, sock.port);
    }
    answer::ALLOW
}

/// What the socket asked for when it was led to that address.
#[inline(always)]
fn asked<A: Family>(ctx: *mut bpf_sock_addr, addr: A) -> Option<Sock<A>> {
    let key = SockKey {
        cookie: helpers::socket_cookie(ctx.cast()).into(),
        addr,
        port: user_port(ctx),
        proto: protocol(ctx)?,
        _pad: 0,
    };
    // SAFETY: a live value, written once for a socket and destination.
    A::socks().get_ptr(&key).map(|sock| unsafe { *sock })
}
