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
    wire::{Be16, V4, V6},
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

/// The IPv4 address of the call.
#[inline(always)]
fn address4(ctx: *mut bpf_sock_addr) -> V4 {
    // SAFETY: the context of the running program.
    V4(unsafe { core::ptr::read_volatile(&raw const (*ctx).user_ip4) })
}

#[inline(always)]
fn set_address4(ctx: *mut bpf_sock_addr, addr: V4) {
    // SAFETY: the context of the running program.
    unsafe { core::ptr::write_volatile(&raw mut (*ctx).user_ip4, addr.0) }
}

/// The IPv6 address of the call; a v4-mapped one means IPv4 (RFC 4291, section 2.5.5.2).
// VERIFIER: "dereference of modified ctx ptr": each word is read once, at a constant offset,
// before anything is decided by it.
#[inline(always)]
fn address6(ctx: *mut bpf_sock_addr) -> V6 {
    // SAFETY: the context of the running program.
    V6(unsafe {
        [
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[0]),
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[1]),
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[2]),
            core::ptr::read_volatile(&raw const (*ctx).user_ip6[3]),
        ]
    })
}

#[inline(always)]
fn set_address6(ctx: *mut bpf_sock_addr, addr: V6) {
    let [a, b, c, d] = addr.0;
    // SAFETY: the context of the running program.
    unsafe {
        core::ptr::write_volatile(&raw mut (*ctx).user_ip6[0], a);
        core::ptr::write_volatile(&raw mut (*ctx).user_ip6[1], b);
        core::ptr::write_volatile(&raw mut (*ctx).user_ip6[2], c);
        core::ptr::write_volatile(&raw mut (*ctx).user_ip6[3], d);
    }
}
