//! connect() and sendmsg() of host processes to a published port: led to the container once,
//! at the call, so that no packet pays for it (walk 7).

use aya_ebpf::{
    bindings::{BPF_ANY, bpf_sock_addr},
    macros::cgroup_sock_addr,
    programs::SockAddrContext,
};
use netctl_common::{
    publish::Published,
    sock::{Sock, SockKey},
    wire::{Address, Be16, V4, V6},
};

use crate::{
    family::{Family, Tables as _},
    helpers, host,
    publish::{self, Match},
    sock::{
        address4, address6, answer, in_host, protocol, set_address4, set_address6, set_user_port,
        user_port,
    },
};

const LOCALHOST: V4 = V4(0x7f00_0001_u32.to_be());
const LOCALHOST6: V6 = V6([0, 0, 0, 1_u32.to_be()]);

/// See the module.
#[cgroup_sock_addr(connect4)]
#[inline(always)]
pub(crate) fn sock_connect4(ctx: SockAddrContext) -> i32 {
    translate4(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(connect6)]
#[inline(always)]
pub(crate) fn sock_connect6(ctx: SockAddrContext) -> i32 {
    translate6(ctx.sock_addr, MayMap::Yes)
}

/// See the module.
#[cgroup_sock_addr(sendmsg4)]
#[inline(always)]
pub(crate) fn sock_sendmsg4(ctx: SockAddrContext) -> i32 {
    translate4(ctx.sock_addr)
}

/// See the module.
#[cgroup_sock_addr(sendmsg6)]
#[inline(always)]
pub(crate) fn sock_sendmsg6(ctx: SockAddrContext) -> i32 {
    translate6(ctx.sock_addr, MayMap::No)
}

/// A call to translate, and by which published port.
struct Call<A: Family> {
    /// As the process gave them.
    addr: A,
    port: Be16,
    proto: u8,
    published: &'static Published<A>,
}

/// Always allows: a port that is not published is somebody else's business.
#[inline(always)]
fn translate4(ctx: *mut bpf_sock_addr) -> i32 {
    let (addr, port) = (address4(ctx), user_port(ctx));
    if let Some(proto) = protocol(ctx)
        && in_host(ctx)
        && let Some(call) = find(addr, LOCALHOST, port, proto)
    {
        let key = note(ctx, &call);
        set_address4(ctx, key.addr);
        set_user_port(ctx, key.port);
    }
    answer::ALLOW
}

/// Whether an address that is no IPv4 one may become one. connect() goes on with a v4-mapped
/// address as with one that the process gave; sendmsg() refuses what a program mapped (net/ipv6/udp.c).
#[derive(Clone, Copy, PartialEq, Eq)]
enum MayMap {
    Yes,
    No,
}

/// See [`translate4`].
#[inline(always)]
fn translate6(ctx: *mut bpf_sock_addr, may_map: MayMap) -> i32 {
    let (addr, port) = (address6(ctx), user_port(ctx));
    let Some(proto) = protocol(ctx) else {
        return answer::ALLOW;
    };
    if !in_host(ctx) {
        return answer::ALLOW;
    }
    if let Some(inner) = addr.unmapped() {
        if let Some(call) = find(inner, LOCALHOST, port, proto) {
            lead_to_mapped(ctx, addr, &call);
        }
        return answer::ALLOW;
    }
    if let Some(call) = find(addr, LOCALHOST6, port, proto) {
        let key = note(ctx, &call);
        set_address6(ctx, key.addr);
        set_user_port(ctx, key.port);
        return answer::ALLOW;
    }
    // A port of any address whose container has no IPv6 address.
    if may_map == MayMap::Yes
        && is_own(if addr == V6::ANY { LOCALHOST6 } else { addr })
        && let Some(published) = publish::lookup(V4::ANY, port, proto, Match::Exact)
        && host::endpoint(published.endpoint).is_some()
    {
        let call = Call {
            addr: V4::ANY,
            port,
            proto,
            published,
        };
        lead_to_mapped(ctx, addr, &call);
    }
    answer::ALLOW
}

/// The call, if it is for a published port of this host. An unspecified destination means the
/// loopback address (ip_route_output_key, ip6_route_output).
#[inline(always)]
fn find<A: Family>(addr: A, loopback: A, port: Be16, proto: u8) -> Option<Call<A>> {
    let addr = if addr == A::ANY { loopback } else { addr };
    if !is_own(addr) {
        return None;
    }
    let published = publish::lookup(addr, port, proto, Match::Local)?;
    host::endpoint(published.endpoint)?;
    Some(Call {
        addr,
        port,
        proto,
        published,
    })
}

#[inline(always)]
fn is_own<A: Family>(addr: A) -> bool {
    addr.is_loopback() || host::is_local(addr)
}

/// Notes what the socket asked for; where it is led to.
#[inline(always)]
fn note<A: Family>(ctx: *mut bpf_sock_addr, call: &Call<A>) -> SockKey<A> {
    let key = SockKey {
        cookie: helpers::socket_cookie(ctx.cast()).into(),
        addr: call.published.addr,
        port: call.published.container_port(call.port),
        proto: call.proto,
        _pad: 0,
    };
    let sock = Sock {
        addr: call.addr,
        port: call.port,
        _pad: 0,
        port_id: call.published.port_id,
        endpoint: call.published.endpoint,
    };
    // Without the note the connection works all the same, uncounted and by the inner name.
    let _noted = A::socks().insert(&key, &sock, u64::from(BPF_ANY));
    key
}

/// An AF_INET6 socket to an IPv4 container. Noted twice: for its packets, which are IPv4, and for
/// its name, which is not.
#[inline(always)]
fn lead_to_mapped(ctx: *mut bpf_sock_addr, asked: V6, call: &Call<V4>) {
    let key = note(ctx, call);
    let named = SockKey {
        cookie: key.cookie,
        addr: key.addr.mapped(),
        port: key.port,
        proto: key.proto,
        _pad: 0,
    };
    let name = Sock {
        addr: asked,
        port: call.port,
        _pad: 0,
        port_id: call.published.port_id,
        endpoint: call.published.endpoint,
    };
    let _noted = V6::socks().insert(&named, &name, u64::from(BPF_ANY));
    set_address6(ctx, named.addr);
    set_user_port(ctx, key.port);
}
