//! What a test takes that not every kernel has.
//!
//! A test that cannot mean anything on a kernel must not pass there. It ends with a panic whose
//! message begins with [`NOT_RUN`]: `cargo xtask vm` shows such tests apart, with the reason;
//! anywhere else they are failures, since that machine was to have everything.

use std::{
    fmt::Display,
    fs::{self, ReadDir},
    io::ErrorKind,
    path::Path,
};

use procfs::KernelVersion;

/// How the panic's message begins; xtask looks for it in the test's output.
pub const NOT_RUN: &str = "not run: ";

/// Ends the test: it cannot be run here for that reason.
#[track_caller]
pub fn not_run(reason: impl Display) -> ! {
    panic!("{NOT_RUN}{reason}")
}

/// Ends the test on a kernel older than that: before, there is no `what`.
#[track_caller]
pub fn since((major, minor): (u8, u8), what: &str) {
    let kernel = KernelVersion::current().unwrap();
    if (kernel.major, kernel.minor) < (major, minor) {
        not_run(format_args!("{what}: since Linux {major}.{minor}"));
    }
}

/// A folder of the tests' source, which a kernel's machine (`cargo xtask vm`) does not have.
///
/// Panics where it cannot be read for another reason.
#[track_caller]
pub fn source(folder: &Path) -> ReadDir {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            not_run("the tests run without their source, and there is nothing to compare with")
        }
        entries => entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())),
    }
}
