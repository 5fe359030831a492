//! The gate before all others: the verifier accepts every program of the object.

use netctl_tests::prog::{LIMIT, load, verify_all};

/// The most that the verifier may go through for one program, on any kernel that is tested.
///
/// The kernel refuses at a million. What stays below 600 thousand has room for what versions do
/// that are not tested: for one program, 5.10 and 6.12 differ by a factor of two, either way.
const BUDGET: u32 = 600_000;

#[test]
fn every_program_loads() {
    let ebpf = load((1024, 1024), |_| true);
    let names: Vec<&str> = ebpf.programs().map(|(name, _)| name).collect();
    for name in [
        "from_container",
        "from_host",
        "from_uplink",
        "xdp_shield",
        "clock",
    ]
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

/// `cargo xtask vm` makes one table of these lines of all kernels.
#[test]
fn every_program_stays_within_the_budget() {
    const { assert!(BUDGET < LIMIT) };
    let all = verify_all();
    println!("verified: program, instructions, looked at by the verifier (at most {BUDGET})");
    for program in &all {
        let (name, length, looked_at) = (&program.name, program.length, program.looked_at);
        println!("verified {name} {length} {looked_at}");
    }
    for program in &all {
        assert!(program.looked_at <= BUDGET, "{program:?}");
    }
    assert!(!all.is_empty());
}
