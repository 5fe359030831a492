//! netctl's datapath: see README.md for the walk of a packet through these programs.
#![no_std]
#![no_main]
// The verifier's stack is 512 bytes for the whole chain: everything inlines into its hook.
#![allow(
    clippy::inline_always,
    reason = "a call that is not inlined becomes a BPF subprogram with a stack frame of its own"
)]
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "a key passed by value is copied once more onto the small stack"
)]

mod arp;
mod bucket;
mod claim;
mod clock;
mod cut;
mod drop;
mod family;
mod flood;
mod flow;
mod forward;
mod fragment;
mod held;
mod helpers;
mod hooks;
mod host;
mod icmp;
mod lookup;
mod mapping;
mod maps;
mod masquerade;
mod nd;
mod offload;
mod packet;
mod port_stats;
mod program;
mod publish;
mod rewrite;
mod shield;
mod sock;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Unreachable: nothing here can panic, or the verifier would refuse the loop.
    loop {}
}

/// The kernel offers its GPL-only helpers to programs under this licence string.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
