//! Finds a compiler that can build `core` for eBPF and that bpf-linker can follow.
//!
//! A compiler qualifies when its standard library's source is there in the same version, and
//! when its LLVM is the one that the pinned bpf-linker works with. The candidates are tried in a
//! fixed order; each that does not qualify says why and what would change that.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::llvm::{LLVM_MAJOR, find_library};

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
    pub reason: String,
    pub remedy: String,
}

/// No candidate qualifies.
#[derive(Debug)]
pub struct NoToolchain(pub Vec<Rejected>);

impl std::error::Error for NoToolchain {}

impl fmt::Display for NoToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no toolchain here can compile eBPF programs")?;
        for Rejected {
            origin,
            reason,
            remedy,
        } in &self.0
        {
            write!(f, "\n  {origin}: {reason}; remedy: {remedy}")?;
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
            match Self::inspect(origin) {
                Ok(toolchain) => return Ok(toolchain),
                Err(reason) => rejected.push(reason),
            }
        }
        Err(NoToolchain(rejected))
    }

    fn inspect(origin: Origin) -> Result<Self, Rejected> {
        let reject = |reason: String, remedy: String| Rejected {
            origin: origin.clone(),
            reason,
            remedy,
        };
        let obtain = match &origin {
            Origin::Rustup(name) => {
                format!("`rustup toolchain install {name} --profile minimal --component rust-src`")
            }
            Origin::Distribution => {
                "on Debian `apt-get update && apt-get install rustc-web cargo-web rust-web-src`"
                    .to_owned()
            }
        };

        let (Some(sysroot), Some(about)) = (
            ask(&origin, &["--print", "sysroot"]),
            ask(&origin, &["--version", "--verbose"]),
        ) else {
            return Err(reject("not installed".to_owned(), obtain));
        };
        let sysroot = PathBuf::from(sysroot.trim());
        let Some((release, llvm_version)) = versions(&about) else {
            return Err(reject(
                format!("its answer to --version is not understood: {about:?}"),
                obtain,
            ));
        };

        let bin = sysroot.join("bin");
        if !bin.join("cargo").is_file() {
            return Err(reject(format!("no cargo in {}", bin.display()), obtain));
        }
        let source = sysroot.join("lib/rustlib/src/rust");
        if !source.join("library/core/src/lib.rs").is_file() {
            return Err(reject(
                format!("no source of core in {}", source.display()),
                obtain,
            ));
        }
        // rustup's source has no such file, but rustup keeps the two together by itself.
        if let Ok(version) = fs::read_to_string(source.join("src/version"))
            && version.trim() != release
        {
            return Err(reject(
                format!(
                    "compiler {release} and source {} are not of the same version",
                    version.trim()
                ),
                obtain,
            ));
        }

        let major = llvm_version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        if major != Some(LLVM_MAJOR) {
            return Err(reject(
                format!(
                    "it has LLVM {llvm_version}, and bpf-linker {} needs LLVM {LLVM_MAJOR}",
                    crate::LINKER_VERSION
                ),
                match major {
                    Some(major) if major < LLVM_MAJOR => "update it".to_owned(),
                    _ => format!(
                        "a newer bpf-linker, or `rustup toolchain install {PINNED} \
                         --profile minimal --component rust-src`"
                    ),
                },
            ));
        }
        let Some(llvm_library) = find_library(&sysroot) else {
            return Err(reject(
                format!("no libLLVM.so.{LLVM_MAJOR} below {}", sysroot.display()),
                obtain,
            ));
        };
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
        format!("{origin} {release} (LLVM {llvm_version})")
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

/// The compiler's and its LLVM's version, from `rustc --version --verbose`.
fn versions(about: &str) -> Option<(String, String)> {
    let after = |key: &str| about.lines().find_map(|line| line.strip_prefix(key));
    Some((
        after("release: ")?.to_owned(),
        after("LLVM version: ")?.to_owned(),
    ))
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
            Some(("1.97.0-nightly".to_owned(), "22.1.4".to_owned()))
        );
        assert_eq!(versions("no compiler"), None);
    }

    #[test]
    fn every_rejection_is_told_with_its_remedy() {
        let error = NoToolchain(vec![Rejected {
            origin: Origin::Rustup("nightly"),
            reason: "it has LLVM 23.1".to_owned(),
            remedy: "a newer bpf-linker".to_owned(),
        }]);
        assert_eq!(
            error.to_string(),
            "no toolchain here can compile eBPF programs\n  \
             rustup's nightly: it has LLVM 23.1; remedy: a newer bpf-linker"
        );
    }
}
