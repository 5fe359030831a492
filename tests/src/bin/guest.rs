//! Process 1 of a machine that `cargo xtask vm` boots; see `netctl_tests::guest`.

use std::process::ExitCode;

use netctl_tests::guest;

fn main() -> ExitCode {
    let failed = if std::process::id() == 1 {
        format!("the machine does not switch off: {}", guest::be_init())
    } else if std::env::args().nth(1).as_deref() == Some(guest::WORK) {
        match guest::work() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => error.to_string(),
        }
    } else {
        "only `cargo xtask vm` starts this, as process 1 of a virtual machine".to_owned()
    };
    eprintln!("guest: {failed}");
    ExitCode::FAILURE
}
