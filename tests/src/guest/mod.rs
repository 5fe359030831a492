//! The inside of a virtual machine that `cargo xtask vm` boots: runs the tests of one executable
//! and tells the outside of every line, over a serial port that nothing else writes to.
//!
//! Line by line, the first word says what it is:
//!
//! ```text
//! kernel RELEASE   uname -r; first, and only when the machine is set up
//! list TEST        a test that the executable has and the plan wants
//! out LINE         a line of the executable's output
//! exit STATUS      how the executable ended: `0`, another code, or `signal N`; the last line
//! fault TEXT       something that is no test's fault; the last line
//! ```
//!
//! **Invariant**: without `exit`, the outside knows that something is missing, and which tests.

mod machine;
mod plan;
mod tests;

use std::{
    env,
    fs::File,
    io::{self, Write},
    process::Command,
};

use nix::{
    sys::{
        reboot::{RebootMode, reboot},
        wait::wait,
    },
    unistd::Pid,
};

pub use plan::Plan;

/// The serial port of the report; the console is the first one.
const REPORT: &str = "/dev/ttyS1";

/// Where lines go.
pub struct Report(File);

impl Report {
    fn line(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes())
    }
}

/// What process 1 does: sets the machine up, has a child run the plan, buries whoever has no
/// parent any more, and switches the machine off. Returns only if that fails.
pub fn be_init() -> io::Error {
    if let Err(error) = machine::set_up().and_then(|()| wait_for_worker()) {
        // The console is all that is left.
        eprintln!("guest: {error}");
    }
    match reboot(RebootMode::RB_POWER_OFF) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}

fn wait_for_worker() -> io::Result<()> {
    let worker = Command::new(env::current_exe()?).arg(WORK).spawn()?;
    let worker = Pid::from_raw(worker.id() as i32);
    while wait()?.pid() != Some(worker) {}
    Ok(())
}

/// Argument of the process that runs the plan.
pub const WORK: &str = "work";

/// Runs the plan and reports.
pub fn work() -> io::Result<()> {
    let mut report = Report(machine::open_serial(REPORT)?);
    carry_out(&mut report).or_else(|error| report.line(&format!("fault {error}")))
}

fn carry_out(report: &mut Report) -> io::Result<()> {
    let plan = Plan::read()?;
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    report.line(&format!("kernel {}", release.trim()))?;
    tests::run(&plan, report)
}
