//! BPF links: attached programs that live on without us and are replaced without a gap.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use bytemuck::{Pod, Zeroable};

use super::{Command, call, info, take_fd};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct CreateAttr {
    program: u32,
    /// An ifindex for TCX and XDP, a directory descriptor for cgroups.
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// Attaches a program; it stays while the descriptor or a pin of it exists.
pub fn create(program: BorrowedFd<'_>, target: u32, attach_type: u32) -> io::Result<OwnedFd> {
    create_with(program, target, attach_type, 0)
}

/// Attaches an XDP program (links: 5.9) in the driver, or where that cannot, in the stack's
/// receive path. EBUSY or EEXIST: the interface has somebody else's.
pub fn create_xdp(program: BorrowedFd<'_>, ifindex: u32) -> io::Result<OwnedFd> {
    create_with(program, ifindex, XDP, XDP_FLAGS_DRV_MODE).or_else(|error| {
        tracing::debug!(ifindex, %error, "no XDP in the driver");
        create_with(program, ifindex, XDP, XDP_FLAGS_SKB_MODE)
    })
}

fn create_with(
    program: BorrowedFd<'_>,
    target: u32,
    attach_type: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    let mut attr = CreateAttr {
        program: program.as_raw_fd() as u32,
        target,
        attach_type,
        flags,
    };
    call(Command::LinkCreate, &mut attr).map(take_fd)
}

/// linux/if_link.h.
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct UpdateAttr {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

/// Replaces the link's program at once: every packet meets the old or the new one.
pub fn update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = UpdateAttr {
        link: link.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        flags: 0,
        old_program: 0,
    };
    call(Command::LinkUpdate, &mut attr)?;
    Ok(())
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct DetachAttr {
    link: u32,
}

/// Takes the program off its hook now, whoever else holds the link.
pub fn detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = DetachAttr {
        link: link.as_raw_fd() as u32,
    };
    call(Command::LinkDetach, &mut attr)?;
    Ok(())
}

/// struct bpf_link_info as far as TCX, XDP and cgroup links fill it in.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    _pad: u32,
    /// TCX: ifindex, attach type. XDP: ifindex. cgroup: id (64 bits), attach type.
    words: [u32; 4],
}

/// BPF_LINK_TYPE_TCX and BPF_LINK_TYPE_XDP.
const ON_INTERFACES: [u32; 2] = [11, 6];

/// What a link does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    pub program: u32,
    /// Interface of a TCX or XDP link, 0 for a cgroup's.
    pub ifindex: u32,
    /// False when the interface or the cgroup is gone, or somebody detached the link by force.
    pub attached: bool,
}

pub fn state(link: BorrowedFd<'_>) -> io::Result<LinkState> {
    let info: LinkInfo = info(link)?;
    let on_interface = ON_INTERFACES.contains(&info.kind);
    // All kinds zero their first word (ifindex, or the cgroup's id) once they are detached.
    let attached = info.words[0] != 0 || (!on_interface && info.words[1] != 0);
    Ok(LinkState {
        program: info.program,
        ifindex: if on_interface { info.words[0] } else { 0 },
        attached,
    })
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct QueryAttr {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    program_ids: u64,
    count: u32,
    _pad: u32,
    program_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// Whether the kernel knows TCX (6.6): asks for the programs of the loopback interface.
pub fn tcx_supported() -> bool {
    match programs_on(1, TCX_INGRESS) {
        Ok(()) => true,
        // No program was ever attached there.
        Err(error) => error.raw_os_error() == Some(libc::ENOENT),
    }
}

/// Asks for the programs on a target; whether the kernel knows such a target at all.
pub fn programs_on(target: u32, attach_type: u32) -> io::Result<()> {
    let mut attr = QueryAttr {
        target,
        attach_type,
        ..QueryAttr::zeroed()
    };
    call(Command::Query, &mut attr).map(drop)
}

/// Numbers of the programs on an interface, in their order; none where the kernel knows no TCX.
pub fn tcx_programs(ifindex: u32, attach_type: u32) -> io::Result<Vec<u32>> {
    // As many as the kernel takes (BPF_MPROG_MAX).
    let mut ids = [0_u32; 64];
    let mut attr = QueryAttr {
        target: ifindex,
        attach_type,
        program_ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        ..QueryAttr::zeroed()
    };
    match call(Command::Query, &mut attr) {
        Ok(_) => Ok(ids[..attr.count as usize].to_vec()),
        // None was ever attached, or no such hook.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// BPF_XDP
pub const XDP: u32 = 37;
/// BPF_TCX_INGRESS
pub const TCX_INGRESS: u32 = 46;
/// BPF_TCX_EGRESS
pub const TCX_EGRESS: u32 = 47;
