//! A wire between two tun interfaces: what a kernel sends into one end comes out of the other.
//!
//! So both ends are ordinary interfaces without an Ethernet header, with a real stack behind each.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::AsRawFd as _,
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, setns};

use super::protocol::Segments;

/// linux/if_tun.h.
const TUNSETIFF: libc::Ioctl = 0x4004_54ca;
const TUNSETOFFLOAD: libc::Ioctl = 0x4004_54d0;
const TUN_F_CSUM: libc::c_ulong = 0x01;
const TUN_F_TSO4: libc::c_ulong = 0x02;
const TUN_F_TSO6: libc::c_ulong = 0x04;

/// Lays a wire between `name` here and `far_name` in another network namespace. It lasts as long
/// as this process and both interfaces.
pub(super) fn lay(name: &str, far: &Path, far_name: &str, segments: Segments) -> io::Result<()> {
    let far = File::open(far)?;
    let here = open(name, segments)?;
    // A thread's namespace is for good.
    let there = thread::scope(|scope| {
        let opened = scope.spawn(|| {
            setns(far, CloneFlags::CLONE_NEWNET)?;
            open(far_name, segments)
        });
        opened
            .join()
            .map_err(|_panic| io::Error::other("the far end panicked"))?
    })?;
    carry(here.try_clone()?, there.try_clone()?);
    carry(there, here);
    Ok(())
}

/// Makes a tun interface. Packets that are several go through the wire with what tells of them
/// (struct virtio_net_hdr), if they may.
fn open(name: &str, segments: Segments) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: all zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let mut flags = libc::IFF_TUN | libc::IFF_NO_PI;
    if segments == Segments::Large {
        flags |= libc::IFF_VNET_HDR;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: the request lives for the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) })?;
    if segments == Segments::Large {
        let offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
        // SAFETY: plain integers.
        check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETOFFLOAD, offload) })?;
    }
    Ok(file)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// One direction, until an end is gone.
fn carry(mut from: File, mut to: File) {
    thread::spawn(move || {
        let mut packet = vec![0_u8; 65_536 + 64];
        while let Ok(length) = from.read(&mut packet) {
            // An end that is down takes nothing, as on any wire.
            let _lost = to.write_all(&packet[..length]);
        }
    });
}
