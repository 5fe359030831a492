//! The one way to declare a type that crosses the kernel boundary.

/// Marks `repr(C)` types as map keys or values.
///
/// The `bytemuck::Pod` derive (or, for generic types, a size assertion beside the declaration)
/// proves that there is no padding; only then is `aya::Pod` implemented for userspace.
#[macro_export]
macro_rules! pod {
    ($($t:ty),+ $(,)?) => {$(
        const _: fn() = || {
            fn assert_pod<T: $crate::pod::Pod>() {}
            assert_pod::<$t>();
        };
        #[cfg(feature = "user")]
        // SAFETY: `bytemuck::Pod` holds (asserted above): any bit pattern is valid, no padding.
        unsafe impl ::aya::Pod for $t {}
    )+};
}

pub use bytemuck::{Pod, Zeroable};
