//! bind() of host processes: published ports are taken, without a descriptor for each.

use aya_ebpf::{
    bindings::bpf_sock_addr, helpers::generated::bpf_set_retval, macros::cgroup_sock_addr,
    programs::SockAddrContext,
};

use netctl_common::wire::{Address as _, Be16, V4, V6};

use crate::{
    family::Family,
    publish::{self, Match},
    sock::{HAVE_SET_RETVAL, address4, address6, answer, in_host, protocol, user_port},
};

const EADDRINUSE: i32 = 98;

/// See the module.
#[cgroup_sock_addr(bind4)]
#[inline(always)]
pub(crate) fn sock_bind4(ctx: SockAddrContext) -> i32 {
    let ctx = ctx.sock_addr;
    match address4(ctx) {
        V4::ANY => check(ctx, publish::is_kept_free::<V4>),
        addr => check(ctx, |port, proto| is_published(addr, port, proto)),
    }
}

/// [::] takes the IPv4 port too, unless the socket has IPV6_V6ONLY, which no hook can see on 5.10:
/// so it is kept off the ports of both families. A v4-mapped address is an IPv4 address.
#[cgroup_sock_addr(bind6)]
#[inline(always)]
pub(crate) fn sock_bind6(ctx: SockAddrContext) -> i32 {
    let ctx = ctx.sock_addr;
    let addr = address6(ctx);
    match addr.unmapped() {
        Some(V4::ANY) => check(ctx, publish::is_kept_free::<V4>),
        Some(addr) => check(ctx, |port, proto| is_published(addr, port, proto)),
        None if addr == V6::ANY => check(ctx, |port, proto| {
            publish::is_kept_free::<V6>(port, proto) || publish::is_kept_free::<V4>(port, proto)
        }),
        None => check(ctx, |port, proto| is_published(addr, port, proto)),
    }
}

#[inline(always)]
fn is_published<A: Family>(addr: A, port: Be16, proto: u8) -> bool {
    publish::is_kept_free::<A>(port, proto)
        && publish::lookup(addr, port, proto, Match::Local).is_some()
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
