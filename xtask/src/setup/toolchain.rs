//! A compiler for the eBPF target.

use anyhow::{Context as _, Result};
use netctl_ebpf_builder::{NoToolchain, Origin, Reason, Rejected, Toolchain};

use super::apt;
use crate::cmd::Cmd;

/// Compiler, cargo and the source of the standard library. From Debian's security updates,
/// where they are as new as Firefox needs them; Debian's `rustc` is far too old.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Makes sure that some toolchain qualifies. Takes the least that it can: the source for a
/// compiler that is already there before a second compiler.
pub(crate) fn ensure() -> Result<Toolchain> {
    let missing = match Toolchain::find() {
        Ok(toolchain) => return Ok(toolchain),
        Err(missing) => missing,
    };
    eprintln!("{missing}");
    if add_source(&missing)
        && let Ok(toolchain) = Toolchain::find()
    {
        return Ok(toolchain);
    }
    if apt::is_debian() {
        // /usr/bin comes after rustup's folder in PATH, and where it does not, rustup is not
        // in use: whatever `cargo` means to the user, it goes on meaning that.
        let installed = apt::install(&PACKAGES);
        return match (Toolchain::find(), installed) {
            (Ok(toolchain), _) => Ok(toolchain),
            (Err(missing), Err(error)) => Err(error).with_context(|| missing.to_string()),
            (Err(missing), Ok(())) => Err(missing.into()),
        };
    }
    Err(missing.into())
}

/// Adds the source to rustup's toolchains that lack nothing else. Without a network this fails,
/// and then another route may still be open.
fn add_source(missing: &NoToolchain) -> bool {
    missing.0.iter().any(|rejected| match rejected {
        Rejected {
            origin: Origin::Rustup(name),
            reason: Reason::NoSource,
        } => {
            eprintln!("adding the component rust-src to rustup's {name}");
            Cmd::new("rustup")
                .args(["component", "add", "rust-src", "--toolchain", name])
                .run()
                .inspect_err(|error| eprintln!("trying another way: {error:#}"))
                .is_ok()
        }
        _ => false,
    })
}
