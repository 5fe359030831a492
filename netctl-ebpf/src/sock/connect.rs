//! connect() and sendmsg() of host processes to a published port: led to the container once,
//! at the call, so that no packet pays for it (walk 7).

use aya_ebpf::{
    bindings::{BPF_ANY, bpf_sock_addr},
    macros::cgroup_sock_addr,
    programs::SockAddrContext,
};
use netctl_common::{
    sock::{Sock, SockKey},
    wire::{Address, V4},
};

use crate::{
    helpers, host,
    maps::SOCK4,
    publish::{self, Match},
    sock::{Inet, Inet6, SockFamily, answer, in_host, protocol, set_user_port, user_port},
};

const LOCALHOST: V4 = V4(0x7f00_0001_u32.to_be());

/// See the module.
#[cgroup_sock_addr(connect4)]
#[inline(always)]
pub(crate) fn sock_connect4(ctx: SockAddrContext) -> i32 {
    translate::<Inet>(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(connect6)]
#[inline(always)]
pub(crate) fn sock_connect6(ctx: SockAddrContext) -> i32 {
    translate::<Inet6>(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(sendmsg4)]
#[inline(always)]
pub(crate) fn sock_sendmsg4(ctx: SockAddrContext) -> i32 {
    translate::<Inet>(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(sendmsg6)]
#[inline(always)]
pub(crate) fn sock_sendmsg6(ctx: SockAddrContext) -> i32 {
    translate::<Inet6>(ctx.sock_addr)
}

/// Always allows: a port that is not published is somebody else's business.
#[inline(always)]
fn translate<F: SockFamily>(ctx: *mut bpf_sock_addr) -> i32 {
    let Some(proto) = protocol(ctx) else {
        return answer::ALLOW;
    };
    let Some(addr) = F::address(ctx) else {
        return answer::ALLOW;
    };
    if !in_host(ctx) {
        return answer::ALLOW;
    }
    // 0.0.0.0 as a destination means 127.0.0.1 (ip_route_output_key).
    let addr = if addr.0 == 0 { LOCALHOST } else { addr };
    let local = addr.is_loopback() || host::is_local(addr);
    if !local {
        return answer::ALLOW;
    }
    let port = user_port(ctx);
    let Some(published) = publish::lookup(addr, port, proto, Match::Local) else {
        return answer::ALLOW;
    };
    if host::endpoint(published.endpoint).is_none() {
        return answer::ALLOW;
    }
    let key = SockKey {
        cookie: helpers::socket_cookie(ctx.cast()).into(),
        addr: published.addr,
        port: published.container_port(port),
        proto,
        _pad: 0,
    };
    let sock = Sock {
        addr,
        port,
        _pad: 0,
        port_id: published.port_id,
        endpoint: published.endpoint,
    };
    // Without the note the connection works all the same, uncounted and by the inner name.
    let _noted = SOCK4.insert(&key, &sock, u64::from(BPF_ANY));
    F::set_address(ctx, key.addr);
    set_user_port(ctx, key.port);
    answer::ALLOW
}
