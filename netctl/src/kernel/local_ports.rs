//! ip_local_reserved_ports: ports that the kernel gives to nobody who lets it choose (bind to 0,
//! connect, listen or sendto without bind). The bind hooks are not asked there.
//!
//! The kernel keeps one set for each network namespace, and an administrator may have a part in
//! it. Which part is ours is written down as folders, `8080` or `9000-9010`, beside the pins:
//! a file system that is lost at the very moment when the kernel's set is.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    netlink::absent_is_done,
    object::reserved_markers,
    port_set::{PortSet, range_name},
    state::LocalPorts,
};

const SYSCTL: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/// The kernel's set, and our part in it.
pub struct Reservation {
    folder: PathBuf,
    ours: PortSet,
    /// The folders that say so.
    recorded: BTreeSet<(u16, u16)>,
}

impl Reservation {
    /// Takes over what an earlier daemon reserved.
    pub fn adopt(bpffs: &Path) -> io::Result<Self> {
        let folder = reserved_markers(bpffs);
        let ours = recorded(&folder)?;
        Ok(Self {
            folder,
            recorded: ours.ranges().into_iter().collect(),
            ours,
        })
    }

    /// What is reserved of the wanted ports, whoever did it, and what we hold besides.
    pub fn observe(&self, wanted: Option<&LocalPorts>) -> io::Result<Option<LocalPorts>> {
        let ports = match wanted {
            Some(wanted) => {
                let besides = self.ours.difference(&wanted.ports);
                read()?.intersection(&wanted.ports).union(&besides)
            }
            None => self.ours.clone(),
        };
        if ports.is_empty() && self.ours.is_empty() {
            return Ok(None);
        }
        let recorded = self.ours.is_empty() || self.folder.exists();
        Ok(Some(LocalPorts { ports, recorded }))
    }

    /// Reserves these, gives back what else is ours, and leaves the rest as it is.
    pub fn put(&mut self, wanted: &PortSet) -> io::Result<()> {
        let held = read()?;
        let obsolete = self.ours.difference(wanted);
        // Written down first: what a crash leaves reserved must be known as ours.
        self.ours = self.ours.union(&wanted.difference(&held));
        self.record()?;
        if obsolete.intersection(&held).is_empty() {
            add(&wanted.difference(&held))?;
        } else {
            replace(&held.difference(&obsolete).union(wanted))?;
        }
        self.ours = self.ours.intersection(wanted);
        self.record()
    }

    /// New folders first: at no moment is less written down than before and after.
    fn record(&mut self) -> io::Result<()> {
        let wanted: BTreeSet<(u16, u16)> = self.ours.ranges().into_iter().collect();
        if !self.folder.exists() {
            self.recorded.clear();
        }
        for range in wanted.difference(&self.recorded) {
            fs::create_dir_all(self.folder.join(range_name(*range)))?;
        }
        for range in self.recorded.difference(&wanted) {
            absent_is_done(fs::remove_dir(self.folder.join(range_name(*range))))?;
        }
        self.recorded = wanted;
        Ok(())
    }
}

/// The kernel answers one read, cut to the buffer's size; a second one finds the end.
fn read() -> io::Result<PortSet> {
    let mut size = 16 * 1024;
    loop {
        let mut buffer = vec![0; size];
        let length = File::open(SYSCTL)?.read(&mut buffer)?;
        if length < size {
            let text = String::from_utf8_lossy(&buffer[..length]);
            return text.parse();
        }
        size *= 4;
    }
}

/// A write at the file's start replaces the set (proc_do_large_bitmap, kernel/sysctl.c).
fn replace(set: &PortSet) -> io::Result<()> {
    write(&format!("{set}\n"), 0)
}

/// A write anywhere else joins it.
fn add(set: &PortSet) -> io::Result<()> {
    if set.is_empty() {
        return Ok(());
    }
    write(&format!("{set}\n"), 1)
}

/// The kernel takes a page at a time and says where it stopped.
fn write(text: &str, offset: u64) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(SYSCTL)?;
    file.write_all_at(text.as_bytes(), offset)
}

fn recorded(folder: &Path) -> io::Result<PortSet> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PortSet::default()),
        entries => entries?,
    };
    let names: Vec<String> = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.join(",").parse()
}
