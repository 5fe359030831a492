//! Finds a compiler that can build `core` for eBPF and that bpf-linker can follow.
//!
//! A compiler qualifies when its standard library's source is there in the same version, and
//! when its LLVM is the one that the pinned bpf-linker works with. The candidates are tried in a
//! fixed order; each that does not qualify says why and what would change that.

use std::{
    cmp::Ordering,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    LINKER_VERSION,
    llvm::{LLVM_MAJOR, find_library},
};

/// A stable toolchain whose LLVM fits, for when nightly's has become too new.
pub const PINNED: &str = "1.95.0";

/// Where a compiler comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A toolchain that rustup manages, by its name.
    Rustup(&'static str),
    /// The compiler in /usr/bin, with the source that the distribution packages for it.
    Distribution,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rustup(name) => write!(f, "rustup's {name}"),
            Self::Distribution => f.write_str("the distribution's /usr/bin/rustc"),
        }
    }
}

/// A compiler that qualifies.
#[derive(Debug)]
pub struct Toolchain {
    origin: Origin,
    bin: PathBuf,
    release: String,
    llvm_version: String,
    llvm_library: PathBuf,
}

/// A candidate that does not qualify.
#[derive(Debug)]
pub struct Rejected {
    pub origin: Origin,
    pub reason: Reason,
}

/// Why a candidate does not qualify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    NotInstalled,
    Unintelligible { answer: String },
    NoCargo,
    LlvmTooOld { version: String },
    LlvmTooNew { version: String },
    NoLlvmLibrary,
    NoSource,
    OtherSource { compiler: String, source: String },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str("not installed"),
            Self::Unintelligible { answer } => {
                write!(f, "its answer to --version is not understood: {answer:?}")
            }
            Self::NoCargo => f.write_str("no cargo beside its rustc"),
            Self::LlvmTooOld { version } | Self::LlvmTooNew { version } => write!(
                f,
                "it has LLVM {version}, and bpf-linker {LINKER_VERSION} needs LLVM {LLVM_MAJOR}"
            ),
            Self::NoLlvmLibrary => write!(f, "its libLLVM.so.{LLVM_MAJOR} is not there"),
            Self::NoSource => f.write_str("the source of core is not there"),
            Self::OtherSource { compiler, source } => write!(
                f,
                "compiler {compiler} and source {source} are not of the same version"
            ),
        }
    }
}

impl Rejected {
    /// What the user can run to make this candidate qualify.
    pub fn remedy(&self) -> String {
        let rustup = |name| {
            format!("`rustup toolchain install {name} --profile minimal --component rust-src`")
        };
        match (&self.origin, &self.reason) {
            (Origin::Rustup("nightly"), Reason::LlvmTooNew { .. }) => {
                format!("use {PINNED} beside it: {}", rustup(PINNED))
            }
            (Origin::Rustup(name), _) => rustup(name),
            (Origin::Distribution, _) => {
                "on Debian `apt-get update && apt-get install rustc-web cargo-web rust-web-src`"
                    .to_owned()
            }
        }
    }
}

/// No candidate qualifies.
#[derive(Debug)]
pub struct NoToolchain(pub Vec<Rejected>);

impl std::error::Error for NoToolchain {}

impl fmt::Display for NoToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no toolchain here can compile eBPF programs")?;
        for rejected in &self.0 {
            let Rejected { origin, reason } = rejected;
            write!(f, "\n  {origin}: {reason}; remedy: {}", rejected.remedy())?;
        }
        Ok(())
    }
}

impl Toolchain {
    /// The first candidate that qualifies.
    pub fn find() -> Result<Self, NoToolchain> {
        let mut rejected = Vec::new();
        for origin in [
            Origin::Rustup("nightly"),
            Origin::Rustup(PINNED),
            Origin::Distribution,
        ] {
            match Self::inspect(origin.clone()) {
                Ok(toolchain) => return Ok(toolchain),
                Err(reason) => rejected.push(Rejected { origin, reason }),
            }
        }
        Err(NoToolchain(rejected))
    }

    fn inspect(origin: Origin) -> Result<Self, Reason> {
        let (Some(sysroot), Some(about)) = (
            ask(&origin, &["--print", "sysroot"]),
            ask(&origin, &["--version", "--verbose"]),
        ) else {
            return Err(Reason::NotInstalled);
        };
        let sysroot = PathBuf::from(sysroot.trim());
        let Some((release, llvm_version, llvm_major)) = versions(&about) else {
            return Err(Reason::Unintelligible { answer: about });
        };
        let bin = sysroot.join("bin");
        if !bin.join("cargo").is_file() {
            return Err(Reason::NoCargo);
        }
        // Before the source, which is of no use to a compiler that the linker cannot follow.
        match llvm_major.cmp(&LLVM_MAJOR) {
            Ordering::Less => {
                return Err(Reason::LlvmTooOld {
                    version: llvm_version,
                });
            }
            Ordering::Greater => {
                return Err(Reason::LlvmTooNew {
                    version: llvm_version,
                });
            }
            Ordering::Equal => {}
        }
        let llvm_library = find_library(&sysroot).ok_or(Reason::NoLlvmLibrary)?;
        let source = sysroot.join("lib/rustlib/src/rust");
        if !source.join("library/core/src/lib.rs").is_file() {
            return Err(Reason::NoSource);
        }
        // Debian packages compiler and source apart; each of rustup's toolchains holds its own.
        if origin == Origin::Distribution
            && let Ok(version) = fs::read_to_string(source.join("src/version"))
            && version.trim() != release
        {
            return Err(Reason::OtherSource {
                compiler: release,
                source: version.trim().to_owned(),
            });
        }
        Ok(Self {
            origin,
            bin,
            release,
            llvm_version,
            llvm_library,
        })
    }

    /// One line for the user.
    pub fn describe(&self) -> String {
        let Self {
            origin,
            release,
            llvm_version,
            ..
        } = self;
        format!("{origin}: rustc {release} (LLVM {llvm_version})")
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub fn cargo(&self) -> PathBuf {
        self.bin.join("cargo")
    }

    pub fn rustc(&self) -> PathBuf {
        self.bin.join("rustc")
    }

    /// Clippy's cargo front end, which need not be installed.
    pub fn cargo_clippy(&self) -> PathBuf {
        self.bin.join("cargo-clippy")
    }

    pub(crate) fn llvm_library(&self) -> &Path {
        &self.llvm_library
    }
}

/// What the candidate's rustc prints, if there is such a candidate.
fn ask(origin: &Origin, args: &[&str]) -> Option<String> {
    let mut rustc = match origin {
        // Not `rustc +NAME`: that may download a toolchain without being asked.
        Origin::Rustup(name) => {
            let mut rustup = Command::new("rustup");
            rustup.args(["run", name, "rustc"]);
            rustup
        }
        Origin::Distribution => Command::new("/usr/bin/rustc"),
    };
    let output = rustc
        .args(args)
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// From `rustc --version --verbose`: the compiler's version, its LLVM's, and the latter's major.
fn versions(about: &str) -> Option<(String, String, u32)> {
    let after = |key: &str| about.lines().find_map(|line| line.strip_prefix(key));
    let llvm = after("LLVM version: ")?;
    let major = llvm.split('.').next()?.parse().ok()?;
    Some((after("release: ")?.to_owned(), llvm.to_owned(), major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_rustc() {
        let about = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\n\
                     release: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        assert_eq!(
            versions(about),
            Some(("1.97.0-nightly".to_owned(), "22.1.4".to_owned(), 22))
        );
        assert_eq!(versions("no compiler"), None);
    }

    #[test]
    fn every_rejection_is_told_with_its_remedy() {
        let error = NoToolchain(vec![Rejected {
            origin: Origin::Rustup("nightly"),
            reason: Reason::LlvmTooNew {
                version: "23.1.0".to_owned(),
            },
        }]);
        assert_eq!(
            error.to_string(),
            "no toolchain here can compile eBPF programs\n  \
             rustup's nightly: it has LLVM 23.1.0, and bpf-linker 0.10.3 needs LLVM 22; \
             remedy: use 1.95.0 beside it: \
             `rustup toolchain install 1.95.0 --profile minimal --component rust-src`"
        );
    }
}
