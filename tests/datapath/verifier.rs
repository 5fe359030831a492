//! The gate before all others: the verifier accepts every program of the object.

use netctl_tests::prog::load;

#[test]
fn every_program_loads() {
    let ebpf = load(1024, |_| true);
    let mut programs: Vec<(&str, u32)> = ebpf
        .programs()
        .map(|(name, program)| {
            let info = program.info().unwrap();
            (name, info.verified_instruction_count().unwrap_or(0))
        })
        .collect();
    programs.sort_unstable();
    println!("{:<20} {:>12}", "program", "instructions");
    for (name, instructions) in &programs {
        println!("{name:<20} {instructions:>12}");
        // The verifier's own limit is a million; kernels before 6.x walk more states for the
        // same program, so keep well away from it.
        assert!(*instructions < 500_000, "{name}: {instructions}");
    }
    let names: Vec<&str> = programs.iter().map(|(name, _)| *name).collect();
    for name in ["from_container", "from_host", "from_uplink", "clock"]
        .into_iter()
        .chain(netctl_common::jump::ALL.iter().map(|(_, name)| *name))
    {
        assert!(names.contains(&name), "{name} is missing");
    }
    for hook in ["connect", "sendmsg", "recvmsg", "getpeername", "bind"] {
        for family in ["4", "6"] {
            let name = format!("sock_{hook}{family}");
            assert!(names.contains(&name.as_str()), "{name} is missing");
        }
    }
}
