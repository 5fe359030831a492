//! What the host is asked about: its routes and its sockets. With the layouts of the calls.

use core::num::NonZeroU32;

use aya_ebpf::{bindings::__sk_buff, helpers as bpf};
use netctl_common::{packet::proto, wire::Be16};

use crate::{family::Family, host};

/// `BPF_F_CURRENT_NETNS`: the namespace of the packet's interface.
const CURRENT_NETNS: u64 = u64::MAX;

/// `struct bpf_fib_lookup` (64 bytes; linux/bpf.h).
#[repr(C)]
struct Fib {
    family: u8,
    protocol: u8,
    sport: u16,
    dport: u16,
    tot_len: u16,
    ifindex: u32,
    tos: u32,
    /// An IPv4 address is the first word.
    src: [u32; 4],
    dst: [u32; 4],
    vlan: u32,
    macs: [u16; 6],
}

const _: () = assert!(size_of::<Fib>() == 64);

const FIB_SUCCESS: i64 = 0;
const FIB_NO_NEIGH: i64 = 7;
const FIB_FRAG_NEEDED: i64 = 8;

/// Interface by which the host would forward from `iif` to `dst`; `None`: no route, or to the host
/// itself. Whether the packet fits is not asked: the helper counts its Ethernet header as well.
// VERIFIER: "R1 !read_ok": what an absent interface holds must be a number too, hence NonZero.
#[inline(always)]
pub(crate) fn route<A: Family>(
    skb: *mut __sk_buff,
    iif: u32,
    src: A,
    dst: A,
) -> Option<NonZeroU32> {
    let mut fib = Fib {
        family: A::AF,
        protocol: 0,
        sport: 0,
        dport: 0,
        tot_len: 0,
        ifindex: iif,
        tos: 0,
        src: src.words(),
        dst: dst.words(),
        vlan: 0,
        macs: [0; 6],
    };
    // SAFETY: the parameter block is 64 bytes, as the kernel expects from 4.18 on.
    let found = unsafe {
        bpf::generated::bpf_fib_lookup(
            skb.cast(),
            core::ptr::from_mut(&mut fib).cast(),
            size_of::<Fib>() as i32,
            0,
        )
    };
    let out = match found {
        // Too large for the interface is for the caller to find: it tells the MTU.
        FIB_SUCCESS | FIB_FRAG_NEEDED => fib.ifindex,
        // Before d1c362e1dd68 (5.12) the interface is not told when the neighbour is unknown, but
        // the next hop is: in the place of the destination.
        FIB_NO_NEIGH if fib.ifindex == iif => host::onlink(A::from_words(fib.dst)),
        FIB_NO_NEIGH => fib.ifindex,
        _ => 0,
    };
    NonZeroU32::new(out)
}

/// `struct bpf_sock_tuple`; its size tells the family.
#[repr(C)]
struct SockTuple<A> {
    src: A,
    dst: A,
    sport: Be16,
    dport: Be16,
}

/// A socket of the host that would receive a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    None,
    /// It talks to the packet's sender.
    Connected,
    /// It would take packets from anybody.
    Open,
}

/// `enum` of linux/tcp_states.h, as in `bpf_sock::state`.
const TCP_LISTEN: u32 = 10;

/// The socket of the host that would receive a packet of this tuple.
#[inline(always)]
pub(crate) fn find_socket<A: Family>(
    skb: *mut __sk_buff,
    protocol: u8,
    (src, sport): (A, Be16),
    (dst, dport): (A, Be16),
) -> Socket {
    let mut tuple = SockTuple {
        src,
        dst,
        sport,
        dport,
    };
    let size = size_of::<SockTuple<A>>() as u32;
    // SAFETY: the tuple is of the family's size; a socket found is released.
    unsafe {
        let ptr = core::ptr::from_mut(&mut tuple).cast();
        let socket = if protocol == proto::TCP {
            bpf::generated::bpf_skc_lookup_tcp(skb.cast(), ptr, size, CURRENT_NETNS, 0)
        } else if protocol == proto::UDP {
            bpf::generated::bpf_sk_lookup_udp(skb.cast(), ptr, size, CURRENT_NETNS, 0)
        } else {
            return Socket::None;
        };
        if socket.is_null() {
            return Socket::None;
        }
        let connected = if protocol == proto::TCP {
            (*socket).state != TCP_LISTEN
        } else {
            A::peer(socket) == src
        };
        bpf::generated::bpf_sk_release(socket.cast());
        if connected {
            Socket::Connected
        } else {
            Socket::Open
        }
    }
}
