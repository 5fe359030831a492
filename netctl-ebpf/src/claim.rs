//! Port shadowing where no socket can be looked up: SCTP, and protocols without ports.
//!
//! A packet that no container has asked for is the host's, and so is its peer for some time: no
//! container's flow takes the host's answers away. What a container had first stays the
//! containers', or a peer that goes on sending while a container is made anew would be lost to it.
//! Of the host's own packets nothing is seen on their way out, so a host that begins to talk to a
//! container's peer, in its protocol, is shadowed as long as the container's flow lasts.

use netctl_common::{
    claim::{Claim, by},
    flow::side,
};

use crate::{family::Family, flow::NewFlow, helpers, maps::settings, packet::Packet};

/// A packet from outside is the host's.
#[inline(always)]
pub(crate) fn by_host<A: Family>(packet: &Packet<A>) {
    let key = packet.key(side::OUTSIDE);
    let at = helpers::now() as u32;
    if let Some(claim) = A::claims().get_ptr_mut(&key) {
        // SAFETY: a live value, one word of it.
        unsafe { (*claim).at = at };
        return;
    }
    let claim = Claim { by: by::HOST, at };
    // Without room for it the host is not protected; an LRU map has room.
    let _noted = A::claims().insert(&key, &claim, 0);
}

/// Whether the replies of the flow would be the host's: for as long after the host's last packet as
/// a container's flow would last.
#[inline(always)]
pub(crate) fn is_hosts<A: Family>(new: &NewFlow<A>) -> bool {
    let lasts = settings().map_or(0, |s| s.generic_seconds.wrapping_mul(s.hz));
    // SAFETY: a live value.
    let claim = A::claims()
        .get_ptr(&new.reply)
        .map(|claim| unsafe { *claim });
    claim.is_some_and(|claim| {
        let age = (helpers::now() as u32).wrapping_sub(claim.at);
        claim.by == by::HOST && age < lasts
    })
}

/// A container has the flow's peer.
#[inline(always)]
pub(crate) fn by_container<A: Family>(new: &NewFlow<A>) {
    let claim = Claim {
        by: by::CONTAINER,
        at: helpers::now() as u32,
    };
    let _noted = A::claims().insert(&new.reply, &claim, 0);
}
