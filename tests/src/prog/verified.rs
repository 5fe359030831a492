//! What the verifier has to say of each program: how much it looked at.
//!
//! The kernel tells `verified_insns` of a loaded program since 5.16 only; the statistics that end
//! its log (BPF_LOG_STATS, Linux 5.2) have the same number everywhere. aya shows no log of a load
//! that went well, so the programs are loaded here once more, from the object that aya parses.

use std::{
    collections::HashSet,
    ffi::CStr,
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use aya::maps::Map;
use aya_obj::{
    Object, ProgramSection,
    generated::{bpf_attach_type, bpf_insn, bpf_prog_type},
};

use super::object;

/// One program, as the verifier saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub name: String,
    /// Instructions of the program.
    pub length: usize,
    /// Instructions that the verifier went through, on all paths; the kernel's limit is
    /// [`LIMIT`] (BPF_COMPLEXITY_LIMIT_INSNS, Linux 5.2).
    pub looked_at: u32,
}

/// The most that any kernel goes through before it refuses a program.
pub const LIMIT: u32 = 1_000_000;

/// Loads every program of the object and throws it away again. Sorted by name; panics when one
/// is refused.
#[track_caller]
pub fn verify_all() -> Vec<Verified> {
    // aya's maps, in which the constants of the programs are set as the daemon sets them.
    let ebpf = object::load((object::TEST_FLOWS, object::TEST_FLOWS), |_| false);
    let mut parsed = Object::parse(netctl::kernel::object::OBJECT).unwrap();
    let maps = parsed.maps.clone();
    let fds = maps
        .iter()
        .map(|(name, map)| (name.as_str(), map_fd(&ebpf, name), map));
    let sections = parsed.functions.keys().map(|(section, _)| *section);
    let sections: HashSet<usize> = sections.collect();
    parsed
        .relocate_maps(fds, &sections.iter().copied().collect())
        .unwrap();
    parsed
        .relocate_calls(&sections.iter().copied().collect())
        .unwrap();
    let mut all: Vec<Verified> = parsed
        .programs
        .iter()
        .map(|(name, program)| {
            let code = &parsed.functions[&program.function_key()].instructions;
            let (kind, hook) = kind(name, &program.section);
            let log = load(kind, hook, code, &program.license)
                .unwrap_or_else(|(error, log)| panic!("load {name}: {error}\n{log}"));
            Verified {
                name: name.clone(),
                length: code.len(),
                looked_at: looked_at(&log)
                    .unwrap_or_else(|| panic!("{name}: no statistics in the log: {log:?}")),
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[track_caller]
fn map_fd(ebpf: &aya::Ebpf, name: &str) -> RawFd {
    let map = ebpf.map(name).unwrap_or_else(|| panic!("no map {name}"));
    match map {
        Map::Array(map)
        | Map::HashMap(map)
        | Map::LpmTrie(map)
        | Map::LruHashMap(map)
        | Map::PerCpuArray(map)
        | Map::PerCpuHashMap(map)
        | Map::ProgramArray(map)
        | Map::RingBuf(map) => map.fd().as_fd().as_raw_fd(),
        other => panic!("map {name} is of a kind that is not known here: {other:?}"),
    }
}

#[track_caller]
fn kind(name: &str, section: &ProgramSection) -> (bpf_prog_type, Option<bpf_attach_type>) {
    match section {
        ProgramSection::SchedClassifier => (bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS, None),
        ProgramSection::Xdp { .. } => (
            bpf_prog_type::BPF_PROG_TYPE_XDP,
            Some(bpf_attach_type::BPF_XDP),
        ),
        ProgramSection::CgroupSockAddr { attach_type } => (
            bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
            Some((*attach_type).into()),
        ),
        other => panic!("{name} is of a kind that is not known here: {other:?}"),
    }
}

/// `bpf_attr` of BPF_PROG_LOAD (linux/bpf.h), up to the last field used.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LOG_STATS: u32 = 4;

/// The verifier's log, with the error where it refuses.
fn load(
    kind: bpf_prog_type,
    hook: Option<bpf_attach_type>,
    code: &[bpf_insn],
    license: &CStr,
) -> Result<String, (io::Error, String)> {
    let mut log = vec![0_u8; 1 << 16];
    let attr = LoadAttr {
        prog_type: kind as u32,
        insn_cnt: code.len() as u32,
        insns: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: BPF_LOG_STATS,
        log_size: log.len() as u32,
        log_buf: log.as_mut_ptr() as u64,
        expected_attach_type: hook.map_or(0, |hook| hook as u32),
        ..LoadAttr::default()
    };
    // SAFETY: the attribute has the layout of linux/bpf.h; what it points at outlives the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const attr,
            size_of_val(&attr),
        )
    };
    let error = io::Error::last_os_error();
    let text = CStr::from_bytes_until_nul(&log).unwrap_or_default();
    let text = text.to_string_lossy().into_owned();
    if fd < 0 {
        return Err((error, text));
    }
    // SAFETY: a descriptor that the kernel has just made; nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(fd as RawFd) });
    Ok(text)
}

/// `processed 5419 insns (limit 1000000) max_states_per_insn 4 …`
fn looked_at(log: &str) -> Option<u32> {
    let (_, rest) = log.split_once("processed ")?;
    rest.split(' ').next()?.parse().ok()
}
