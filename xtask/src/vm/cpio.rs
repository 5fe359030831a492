//! An archive that the kernel unpacks as its first file system: cpio in its "newc" form
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Not compressed: unpacking would
//! take an emulated processor longer than copying.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Files by their paths in the image, without a leading slash.
#[derive(Clone, Default)]
pub(super) struct Files(BTreeMap<String, Entry>);

#[derive(Clone)]
enum Entry {
    Folder,
    /// A file of this machine, with its permissions.
    Copy(PathBuf),
    Text(String),
    Link(String),
}

impl Files {
    pub(super) fn copy(&mut self, path: &str, from: &Path) {
        self.add(path, Entry::Copy(from.to_owned()));
    }

    pub(super) fn text(&mut self, path: &str, text: String) {
        self.add(path, Entry::Text(text));
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.add(path, Entry::Link(target.to_owned()));
    }

    pub(super) fn folder(&mut self, path: &str) {
        self.add(path, Entry::Folder);
    }

    fn add(&mut self, path: &str, entry: Entry) {
        let path = path.trim_start_matches('/');
        // A folder comes before what is in it: the kernel makes none by itself, and the order
        // of a map of paths is that.
        for (at, _) in path.match_indices('/') {
            let parent = path[..at].to_owned();
            self.0.entry(parent).or_insert(Entry::Folder);
        }
        self.0.insert(path.to_owned(), entry);
    }

    /// Writes the archive.
    pub(super) fn write(&self, to: &Path) -> Result<()> {
        let file = File::create(to).with_context(|| format!("make {}", to.display()))?;
        let mut out = BufWriter::new(file);
        for (number, (path, entry)) in (1..).zip(&self.0) {
            let (mode, content) = entry
                .read()
                .with_context(|| format!("put {path} into the image"))?;
            out.write_all(&record(number, mode, path, &content))?;
        }
        out.write_all(&record(0, 0, "TRAILER!!!", &[]))?;
        out.flush()
            .with_context(|| format!("write {}", to.display()))
    }
}

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

impl Entry {
    fn read(&self) -> Result<(u32, Vec<u8>)> {
        Ok(match self {
            Self::Folder => (FOLDER, Vec::new()),
            Self::Link(target) => (LINK, target.clone().into_bytes()),
            Self::Text(text) => (FILE | 0o644, text.clone().into_bytes()),
            Self::Copy(from) => {
                let failed = || format!("read {}", from.display());
                let mode = fs::metadata(from)
                    .with_context(failed)?
                    .permissions()
                    .mode();
                let content = fs::read(from).with_context(failed)?;
                (FILE | (mode & 0o777), content)
            }
        })
    }
}

/// Thirteen numbers of eight hexadecimal digits, then name and content, each to a multiple of 4.
fn record(number: u32, mode: u32, path: &str, content: &[u8]) -> Vec<u8> {
    let (links, name_length) = (1, path.len() as u32 + 1);
    let length = content.len() as u32;
    let mut bytes = b"070701".to_vec();
    // inode, mode, owner, group, links, time, size, device and special device (major, minor
    // each), length of the name, no checksum.
    for field in [
        number,
        mode,
        0,
        0,
        links,
        0,
        length,
        0,
        0,
        0,
        0,
        name_length,
        0,
    ] {
        bytes.extend(format!("{field:08x}").bytes());
    }
    bytes.extend(path.bytes());
    bytes.push(0);
    pad(&mut bytes);
    bytes.extend(content);
    pad(&mut bytes);
    bytes
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_as_the_kernel_reads_it() {
        let bytes = record(1, FILE | 0o644, "a/b", b"hello");
        let header = "0707010000000100\
                      0081a4000000000000000000000001000000000000000500000000000000000000\
                      0000000000000000000400000000";
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with(header), "{text}");
        // 110 bytes of header, 4 of name, 5 of content.
        assert_eq!(&bytes[110..], b"a/b\0\0\0hello\0\0\0");
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut files = Files::default();
        files.text("/lib/x/y", String::new());
        files.text("lib-other", String::new());
        let paths: Vec<&str> = files.0.keys().map(String::as_str).collect();
        assert_eq!(paths, ["lib", "lib-other", "lib/x", "lib/x/y"]);
    }
}
