//! Raw bpf(2): what aya does not offer or would do differently.
//!
//! Links that are updated in place, batch look-ups, maps as bytes. The attributes are our own
//! structs, as long as the newest field used: the kernel takes missing ones as zero.

pub mod link;
pub mod map;
pub mod program;

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    path::Path,
};

use bytemuck::{Pod, Zeroable};
use nix::NixPath;

/// Commands of bpf(2) used here (include/uapi/linux/bpf.h).
#[derive(Clone, Copy)]
pub(crate) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgramLoad = 5,
    Pin = 6,
    GetPinned = 7,
    TestRun = 10,
    ProgramById = 13,
    GetInfo = 15,
    Query = 16,
    LookupBatch = 24,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkDetach = 34,
}

/// One bpf(2) call; the result is a descriptor or a count, as the command says.
pub(crate) fn call<T: Pod>(command: Command, attr: &mut T) -> io::Result<i64> {
    // SAFETY: the kernel reads and writes at most `size_of::<T>()` bytes of `attr`; pointers in
    // it are to buffers that the caller keeps alive and sized for the command.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_int,
            std::ptr::from_mut(attr),
            size_of::<T>() as libc::c_uint,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Takes a descriptor that a command has just returned.
pub(crate) fn take_fd(result: i64) -> OwnedFd {
    // SAFETY: a fresh descriptor from the kernel that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(result as i32) }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct PinAttr {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Pins an object below a bpffs.
pub fn pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    path.with_nix_path(|path| {
        let mut attr = PinAttr {
            path: path.as_ptr() as u64,
            fd: fd.as_raw_fd() as u32,
            flags: 0,
        };
        call(Command::Pin, &mut attr)
    })??;
    Ok(())
}

/// Opens a pinned object.
pub fn get_pinned(path: &Path) -> io::Result<OwnedFd> {
    let fd = path.with_nix_path(|path| {
        let mut attr = PinAttr {
            path: path.as_ptr() as u64,
            fd: 0,
            flags: 0,
        };
        call(Command::GetPinned, &mut attr)
    })??;
    Ok(take_fd(fd))
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct InfoAttr {
    fd: u32,
    len: u32,
    info: u64,
}

/// BPF_OBJ_GET_INFO_BY_FD: fills in as much of `T` as the kernel knows.
pub(crate) fn info<T: Pod>(fd: BorrowedFd<'_>) -> io::Result<T> {
    let mut info = T::zeroed();
    let mut attr = InfoAttr {
        fd: fd.as_raw_fd() as u32,
        len: size_of::<T>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    call(Command::GetInfo, &mut attr)?;
    Ok(info)
}

/// struct bpf_prog_info up to the name.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    lengths: [u32; 2],
    instructions: [u64; 2],
    load_time: u64,
    user: u32,
    map_count: u32,
    maps: u64,
    name: [u8; 16],
}

/// The kernel's number of a program.
pub fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(info::<ProgramInfo>(program)?.id)
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ByIdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
    _pad: u32,
}

/// Name of a program, which the kernel cuts to 15 characters, by its number.
pub fn program_name(id: u32) -> io::Result<String> {
    let mut attr = ByIdAttr {
        id,
        ..ByIdAttr::zeroed()
    };
    let program = call(Command::ProgramById, &mut attr).map(take_fd)?;
    let name = info::<ProgramInfo>(program.as_fd())?.name;
    let end = name.iter().position(|byte| *byte == 0);
    Ok(String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned())
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct TestRunAttr {
    fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

/// Runs a TC program once on an empty packet.
pub fn run_once(program: BorrowedFd<'_>) -> io::Result<()> {
    // An Ethernet header is the least that the kernel takes; some kernels want the IP header too.
    let packet = [0_u8; 64];
    let mut attr = TestRunAttr {
        fd: program.as_raw_fd() as u32,
        data_size_in: packet.len() as u32,
        data_in: packet.as_ptr() as u64,
        repeat: 1,
        ..TestRunAttr::zeroed()
    };
    call(Command::TestRun, &mut attr)?;
    Ok(())
}
