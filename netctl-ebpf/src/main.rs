#![no_std]
#![no_main]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

use aya_ebpf::{macros::classifier, programs::TcContext};
#[classifier]
pub fn from_container(_ctx: TcContext) -> i32 {
    -1
}
