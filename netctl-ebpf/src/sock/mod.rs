//! The cgroup programs: host processes and published ports.
//!
//! They act on sockets of the host's own network namespace alone. A container takes the packet
//! path, and loopback addresses mean its own loopback.

mod bind;
mod connect;
mod peer;

use aya_ebpf::{Global, bindings::bpf_sock_addr, helpers::generated::bpf_get_netns_cookie};
use netctl_common::{
    packet::proto,
    wire::{Be16, V4},
};

use crate::maps;

/// 1 on kernels where these programs may call `bpf_set_retval` (6.1, dea6a4e17013); constant, so
/// that older verifiers prune the call.
#[unsafe(no_mangle)]
static HAVE_SET_RETVAL: Global<u32> = Global::new(0);

/// Return codes of these programs.
pub(crate) mod answer {
    /// Go on, with whatever was changed.
    pub(crate) const ALLOW: i32 = 1;
    /// Refuse the call.
    pub(crate) const DENY: i32 = 0;
}

/// Whether the socket lives in the host's network namespace.
#[inline(always)]
fn in_host(ctx: *mut bpf_sock_addr) -> bool {
    // SAFETY: the context of the running program; null asks for the initial namespace.
    let own = unsafe { bpf_get_netns_cookie(ctx.cast()) };
    let host = match maps::settings() {
        Some(settings) if settings.host_cookie != 0 => settings.host_cookie,
        // SAFETY: as above.
        _ => unsafe { bpf_get_netns_cookie(core::ptr::null_mut()) },
    };
    own == host
}

/// TCP or UDP; ping sockets and the like have no ports to publish.
#[inline(always)]
fn protocol(ctx: *mut bpf_sock_addr) -> Option<u8> {
    // SAFETY: the context of the running program.
    let protocol = unsafe { (*ctx).protocol };
    match protocol as u8 {
        p @ (proto::TCP | proto::UDP) => Some(p),
        _ => None,
    }
}

/// The port of the call. The kernel keeps it in the low half of a word, in network order, and
/// old verifiers want the word read whole.
#[inline(always)]
fn user_port(ctx: *mut bpf_sock_addr) -> Be16 {
    // SAFETY: the context of the running program.
    let word = unsafe { core::ptr::read_volatile(&raw const (*ctx).user_port) };
    Be16(word as u16)
}

#[inline(always)]
fn set_user_port(ctx: *mut bpf_sock_addr, port: Be16) {
    // SAFETY: the context of the running program.
    unsafe { core::ptr::write_volatile(&raw mut (*ctx).user_port, u32::from(port.0)) }
}

/// How a hook reads and writes the address of the call.
pub(crate) trait SockFamily {
    /// The IPv4 address that the call means, if it means one.
    fn address(ctx: *mut bpf_sock_addr) -> Option<V4>;
    fn set_address(ctx: *mut bpf_sock_addr, addr: V4);
}

/// AF_INET sockets.
pub(crate) struct Inet;
/// AF_INET6 sockets, whose v4-mapped addresses (RFC 4291, 2.5.5.2) mean IPv4.
pub(crate) struct Inet6;

/// The IPv6 address of the call.
// VERIFIER: "dereference of modified ctx ptr": each word is read once, at a constant offset,
// before anything is decided by it.
#[inline(always)]
fn words6(ctx: *mut bpf_sock_addr) -> [u32; 4] {
    // SAFETY: the context of the running program.
    unsafe {
        [
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[0]),
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[1]),
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[2]),
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[3]),
        ]
    }
}

const MAPPED: u32 = 0x0000_ffff_u32.to_be();

impl SockFamily for Inet {
    #[inline(always)]
    fn address(ctx: *mut bpf_sock_addr) -> Option<V4> {
        // SAFETY: the context of the running program.
        Some(V4(unsafe {
            core::ptr::read_volatile(&raw const (*ctx).user_ip4)
        }))
    }
    #[inline(always)]
    fn set_address(ctx: *mut bpf_sock_addr, addr: V4) {
        // SAFETY: the context of the running program.
        unsafe { core::ptr::write_volatile(&raw mut (*ctx).user_ip4, addr.0) }
    }
}

impl SockFamily for Inet6 {
    #[inline(always)]
    fn address(ctx: *mut bpf_sock_addr) -> Option<V4> {
        let [a, b, c, d] = words6(ctx);
        (a | b == 0 && c == MAPPED).then_some(V4(d))
    }
    #[inline(always)]
    fn set_address(ctx: *mut bpf_sock_addr, addr: V4) {
        // SAFETY: the context of the running program; the other words stay v4-mapped.
        unsafe { core::ptr::write_volatile(&raw mut (*ctx).user_ip6[3], addr.0) }
    }
}
