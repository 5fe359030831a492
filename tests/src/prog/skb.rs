//! The context that BPF_PROG_TEST_RUN takes for a packet.

/// Length of `struct __sk_buff`.
const SIZE: usize = 192;

/// `struct __sk_buff` of linux/bpf.h as bytes: only the fields that a test run may set.
///
/// `ingress` is the interface that the packet was received on, 0 for one of the host's own; 5.10
/// takes nothing else.
pub(super) fn context(ifindex: u32, ingress: u32, gso: Option<(u16, u16)>) -> [u8; SIZE] {
    const INGRESS_IFINDEX: usize = 36;
    const IFINDEX: usize = 40;
    const GSO_SEGS: usize = 164;
    const GSO_SIZE: usize = 176;
    let mut bytes = [0; SIZE];
    let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    put(INGRESS_IFINDEX, ingress);
    put(IFINDEX, ifindex);
    if let Some((segments, size)) = gso {
        put(GSO_SEGS, u32::from(segments));
        put(GSO_SIZE, u32::from(size));
    }
    bytes
}
