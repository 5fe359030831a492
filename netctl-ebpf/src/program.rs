//! How a program of TC begins and ends.

/// Programs of TC. Each runs its walk, and [`crate::drop::finish`] makes the return code of what
/// came of it.
macro_rules! programs {
    ($($(#[$doc:meta])+ $name:ident: $family:ty = $walk:expr;)+) => {
        $(
            $(#[$doc])+
            #[aya_ebpf::macros::classifier]
            #[inline(always)]
            pub(crate) fn $name(ctx: aya_ebpf::programs::TcContext) -> i32 {
                let skb = ctx.skb.skb;
                $crate::drop::finish::<$family>(skb, $walk(skb))
            }
        )+
    };
}
pub(crate) use programs;
