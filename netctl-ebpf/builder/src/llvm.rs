//! The LLVM library that bpf-linker loads when it runs.
//!
//! bpf-linker takes the first file whose name begins with `libLLVM` in the folders of
//! LD_LIBRARY_PATH. Where several versions stand side by side that is often the wrong one, on
//! which it panics. So it gets a folder of its own that holds one link, to the library of the
//! very compiler whose bitcode it will read.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, Result};

/// The LLVM that the pinned bpf-linker is made for: it can read no newer compiler's bitcode, and
/// the library that it loads has to be of this version.
pub const LLVM_MAJOR: u32 = 22;

/// A compiler's own LLVM library: a rustup toolchain keeps it in `lib`, a distribution in one of
/// the system's library folders.
pub(crate) fn find_library(sysroot: &Path) -> Option<PathBuf> {
    let mut folders = vec![sysroot.join("lib"), sysroot.join("lib64")];
    if let Ok(entries) = fs::read_dir(sysroot.join("lib")) {
        folders.extend(
            entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.to_string_lossy().ends_with("-linux-gnu")),
        );
    }
    folders.push(sysroot.join(format!("lib/llvm-{LLVM_MAJOR}/lib")));
    folders.iter().find_map(|folder| library_in(folder))
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let prefix = format!("libLLVM.so.{LLVM_MAJOR}.");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        // A link whose package has been removed is not a library.
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop()
}

/// A folder that holds one link to one LLVM library and nothing else.
pub(crate) struct LinkFolder {
    path: PathBuf,
}

impl LinkFolder {
    /// Makes or corrects the folder below `tools`.
    pub(crate) fn create(tools: &Path, library: &Path) -> Result<Self> {
        let path = tools.join("llvm");
        let link = path.join("libLLVM.so");
        if fs::read_link(&link).is_ok_and(|target| target == library) {
            return Ok(Self { path });
        }
        fs::create_dir_all(&path).with_context(|| format!("create folder {}", path.display()))?;
        // Renamed into place from outside the folder, so that a linker that runs at the same
        // time sees either the old link or the new one, and never two.
        let fresh = tools.join(format!(".libLLVM.{}", process::id()));
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove {}", fresh.display()));
            }
            _ => {}
        }
        symlink(library, &fresh)
            .and_then(|()| fs::rename(&fresh, &link))
            .with_context(|| format!("link {} to {}", link.display(), library.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
