//! Which BPF programs hang on a cgroup or on an interface (BPF_PROG_QUERY).

use std::{fs::File, io, os::fd::AsRawFd, path::Path};

/// `bpf_attr.query` of linux/bpf.h, as far as it is used.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_count: u32,
    _pad: u32,
    _rest: [u64; 4],
}

const BPF_PROG_QUERY: libc::c_long = 16;
const LIMIT: usize = 64;

/// Attach types of linux/bpf.h that netctl uses, by name.
const CGROUP_HOOKS: &[(&str, u32)] = &[
    ("bind4", 8),
    ("bind6", 9),
    ("connect4", 10),
    ("connect6", 11),
    ("sendmsg4", 14),
    ("sendmsg6", 15),
    ("recvmsg4", 19),
    ("recvmsg6", 20),
    ("getpeername4", 29),
    ("getpeername6", 30),
    ("sock_release", 34),
];
const TCX_INGRESS: u32 = 46;
const TCX_EGRESS: u32 = 47;

fn query(target: u32, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; LIMIT];
    let mut attr = Query {
        target,
        attach_type,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_count: LIMIT as u32,
        ..Query::default()
    };
    // SAFETY: the attribute has the layout of linux/bpf.h and points at `ids`, both alive.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_QUERY,
            &raw mut attr,
            size_of_val(&attr),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(ids[..(attr.prog_count as usize).min(LIMIT)].to_vec())
}

/// Programs on a cgroup: hook and program id.
pub fn cgroup_programs(folder: &Path) -> Vec<(&'static str, u32)> {
    let Ok(folder) = File::open(folder) else {
        return Vec::new();
    };
    let on = |hook: u32| query(folder.as_raw_fd() as u32, hook).unwrap_or_default();
    CGROUP_HOOKS
        .iter()
        .flat_map(|(name, hook)| on(*hook).into_iter().map(|id| (*name, id)))
        .collect()
}

/// TCX programs on an interface of the calling thread's namespace.
pub fn tcx_programs(ifindex: u32) -> Vec<(&'static str, u32)> {
    // Kernels before 6.6 know neither the hook nor any program on it.
    let on = |hook: u32| query(ifindex, hook).unwrap_or_default();
    [("tcx ingress", TCX_INGRESS), ("tcx egress", TCX_EGRESS)]
        .into_iter()
        .flat_map(|(name, hook)| on(hook).into_iter().map(move |id| (name, id)))
        .collect()
}
