//! The object under test: the very bytes that netctl carries.

use aya::{Ebpf, EbpfLoader, programs::Program as AyaProgram};
use netctl::kernel::probe::has_set_retval;
use procfs::KernelVersion;

use super::maps;

/// Flow entries in a test: few, so that a full table is soon reached.
pub(super) const TEST_FLOWS: u32 = 1024;

/// Loads maps and every program whose name `wanted` accepts, with the constants that the daemon
/// sets on this kernel.
#[track_caller]
pub fn load((flows, mappings): (u32, u32), wanted: impl Fn(&str) -> bool) -> Ebpf {
    let kernel = KernelVersion::current().unwrap();
    let set_retval = u32::from(has_set_retval(&kernel));
    let mut ebpf = EbpfLoader::new()
        .map_max_entries("FLOW4", flows)
        .map_max_entries("FLOW6", flows)
        .map_max_entries("MAPPING4", mappings)
        .map_max_entries("MAPPING6", mappings)
        .override_global("HAVE_SET_RETVAL", &set_retval, true)
        .load(netctl::kernel::object::OBJECT)
        .unwrap_or_else(|error| panic!("load the object: {error:?}"));
    for (name, program) in ebpf.programs_mut() {
        if wanted(name) {
            load_program(name, program);
        }
    }
    ebpf
}

/// Those of the programs that are not loaded yet.
#[track_caller]
pub(super) fn missing<'n>(ebpf: &Ebpf, names: &[&'n str]) -> Vec<&'n str> {
    let is_missing = |name: &&&str| ebpf.program(name).unwrap().fd().is_err();
    names.iter().filter(is_missing).copied().collect()
}

/// Loads programs, and puts those in their places that others jump to.
#[track_caller]
pub(super) fn load_all(ebpf: &mut Ebpf, names: &[&str]) {
    for name in names {
        load_program(name, ebpf.program_mut(name).unwrap());
    }
    maps::connect_jumps(ebpf, names);
}

#[track_caller]
pub(super) fn load_program(name: &str, program: &mut AyaProgram) {
    let loaded = match program {
        AyaProgram::SchedClassifier(program) => program.load(),
        AyaProgram::Xdp(program) => program.load(),
        AyaProgram::CgroupSockAddr(program) => program.load(),
        AyaProgram::CgroupSock(program) => program.load(),
        other => panic!("{name}: unexpected kind {:?}", other.prog_type()),
    };
    if let Err(error) = loaded {
        // The verifier says at the end of its long log why it refused.
        let text = format!("{error:?}");
        let last: Vec<&str> = text.lines().rev().take(12).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        panic!("load {name}:\n{}", last.join("\n"));
    }
}
