//! Who has a peer in protocols whose sockets no helper finds: the CLAIM4/CLAIM6 maps.
//!
//! The key is the [`FlowKey`](crate::flow::FlowKey) of the peer's packets as they come from outside.

use bytemuck::{Pod, Zeroable};

use crate::pod;

/// Values of [`Claim::by`].
pub mod by {
    /// A process or the kernel of the host: packets came that no container had asked for.
    pub const HOST: u32 = 0;
    /// A container.
    pub const CONTAINER: u32 = 1;
}

/// CLAIM value.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Claim {
    /// [`by`].
    pub by: u32,
    /// Low half of the jiffies of the host's last packet, or of the container's flow.
    pub at: u32,
}

pod!(Claim);
