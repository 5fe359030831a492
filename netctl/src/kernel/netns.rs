//! Network namespaces: entering them, and the named ones that netctl makes as ip(8) does.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use crate::model::Netns;

/// Where named namespaces are found, by us as by ip(8).
const NAMED: &str = "/run/netns";

/// Runs `f` inside the namespace.
pub fn run_in<T>(ns: &File, f: impl FnOnce() -> T) -> io::Result<T> {
    let _home = Home::here()?;
    setns(ns.as_fd(), CloneFlags::CLONE_NEWNET)?;
    Ok(f())
}

/// Runs `f` for each item inside the namespace that `open` finds for it.
pub fn visit<T, R>(
    items: Vec<T>,
    open: impl Fn(&T) -> io::Result<File>,
    f: impl Fn(&T) -> io::Result<R>,
) -> io::Result<Vec<(T, io::Result<R>)>> {
    let _home = Home::here()?;
    let enter = |item: &T| {
        setns(open(item)?.as_fd(), CloneFlags::CLONE_NEWNET)?;
        f(item)
    };
    Ok(items
        .into_iter()
        .map(|item| {
            let result = enter(&item);
            (item, result)
        })
        .collect())
}

/// The namespace that this thread is in, and comes back to when this is dropped.
///
/// A thread that goes there and back instead of one of its own for each visit: what a namespace
/// costs is then a few calls, however busy the machine is.
struct Home(File);

impl Home {
    fn here() -> io::Result<Self> {
        File::open("/proc/thread-self/ns/net").map(Self)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // For want of memory at most. Whoever goes on in a sandbox takes it for the host and
        // spoils it; a daemon that is started again puts right what this one has begun.
        if let Err(error) = setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET) {
            tracing::error!(%error, "no way back to the host's network namespace");
            std::process::abort();
        }
    }
}

/// Inode of the namespace behind a path such as /run/netns/x or /proc/1/ns/net.
pub fn inode(path: &Path) -> io::Result<u64> {
    Ok(open(path)?.metadata()?.ino())
}

/// Path of a named namespace.
pub fn named_path(name: &str) -> PathBuf {
    Path::new(NAMED).join(name)
}

/// Opens a network namespace; any other file is refused.
pub fn open(path: &Path) -> io::Result<File> {
    // Not blocking: a path may lead to a FIFO that nobody writes to.
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)?;
    let kind = nix::sys::statfs::fstatfs(&file)?.filesystem_type();
    if kind != nix::sys::statfs::NSFS_MAGIC {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a network namespace",
        ));
    }
    Ok(file)
}

/// Opens a sandbox's namespace, and only that: a path may have come to mean another one.
pub fn open_sandbox(name: &str, netns: &Netns) -> io::Result<File> {
    let (path, inode) = match netns {
        Netns::Named => (named_path(name), None),
        Netns::Path { path, inode } => (path.clone(), Some(*inode)),
    };
    let gone = |how: &str| {
        let path = path.display();
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("{path}, the network namespace of {name}, {how}: remove {name}"),
        )
    };
    let file = open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => gone("is not there any more"),
        // What `ip netns del` leaves while somebody has the file open.
        io::ErrorKind::InvalidInput => gone("is no namespace any more"),
        _ => error,
    })?;
    if inode.is_some_and(|inode| file.metadata().is_ok_and(|found| found.ino() != inode)) {
        return Err(gone("is another one now"));
    }
    Ok(file)
}

/// Named namespaces, and the markers (RUN/netns/NAME with the inode) that tell ours.
pub struct Named {
    markers: PathBuf,
}

impl Named {
    pub fn new(run: &Path) -> Self {
        Self {
            markers: run.join("netns"),
        }
    }

    /// Names of the namespaces that we made and that are still there.
    pub fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.markers) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string()
                && self.is_ours(&name)
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Whether the namespace exists and is the one that we made.
    pub fn is_ours(&self, name: &str) -> bool {
        let marked = fs::read_to_string(self.markers.join(name))
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok());
        marked.is_some() && marked == inode(&named_path(name)).ok()
    }

    /// Marks one that exists as ours: our run folder may have been emptied.
    pub fn adopt(&self, name: &str) -> io::Result<()> {
        let inode = inode(&named_path(name))?;
        fs::create_dir_all(&self.markers)?;
        fs::write(self.markers.join(name), inode.to_string())
    }

    /// Makes a namespace and binds it to its name.
    pub fn create(&self, name: &str) -> io::Result<()> {
        let path = named_path(name);
        if inode(&path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!(
                    "{} was not made by netctl: remove it, choose another name, or attach it with --netns",
                    path.display()
                ),
            ));
        }
        share_folder()?;
        // A file without a namespace is what a removal leaves that was cut short.
        fs::File::create(&path)?;
        bind_new(&path).inspect_err(|_| {
            let _left_for_the_next_try = fs::remove_file(&path);
        })?;
        self.adopt(name)
    }

    /// Removes a namespace that we made; what is not ours stays.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        if self.is_ours(name) {
            let path = named_path(name);
            umount2(&path, MntFlags::MNT_DETACH)?;
            fs::remove_file(&path)?;
        }
        match fs::remove_file(self.markers.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Makes a namespace that the file keeps.
fn bind_new(path: &Path) -> io::Result<()> {
    let _home = Home::here()?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    mount(
        Some("/proc/thread-self/ns/net"),
        path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    Ok(())
}

/// As ip(8) does: the folder is a shared mount, so that every mount namespace sees new names.
fn share_folder() -> io::Result<()> {
    let folder = Path::new(NAMED);
    if folder.metadata().is_err() {
        fs::create_dir_all(folder)?;
    }
    let share = || {
        mount(
            None::<&str>,
            folder,
            None::<&str>,
            // Not of each name below, as ip(8) does: nothing is ever mounted on those.
            MsFlags::MS_SHARED,
            None::<&str>,
        )
    };
    if let Err(error) = share() {
        if error != nix::errno::Errno::EINVAL {
            return Err(error.into());
        }
        // It is no mount point yet.
        mount(
            Some(folder),
            folder,
            None::<&str>,
            MsFlags::MS_BIND | MsFlags::MS_REC,
            None::<&str>,
        )?;
        share()?;
    }
    Ok(())
}
