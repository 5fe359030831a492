//! Programs on their hooks: links that are pinned and updated in place, or clsact filters.
//!
//! Interfaces of our own carry clsact filters: nobody else has a claim on them, a filter goes with
//! its interface, and attaching one does not wait for packets in flight as a TCX link does, which
//! would be most of what a new endpoint costs. Uplinks, where other people's programs live beside
//! ours, carry TCX links where the kernel has them. Cgroups and XDP have nothing but links.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use super::{
    bpf::{self, link},
    names::OurLink,
    netlink::{Netlink, absent_is_done, filter::Direction},
    object::{Loaded, clsact_markers, pin_folder},
    state::{Attachment, Hook, HookKind},
};

/// Everything attached.
///
/// The descriptors are held although the pins alone would keep the links: when somebody removes
/// the pins, no program leaves its hook, and the next pass pins again.
pub struct Attachments {
    /// On uplinks.
    tcx: bool,
    folder: PathBuf,
    cgroup: File,
    /// Interfaces of others that have a clsact qdisc of ours, or had one when they went.
    qdiscs: BTreeSet<u32>,
    /// The folders that say so to the next daemon, named by ifindex.
    markers: PathBuf,
    links: HashMap<(Hook, u32), OwnedFd>,
}

impl Attachments {
    /// Opens the links that an earlier daemon pinned, and reads which qdiscs it added.
    pub fn adopt(tcx: bool, bpffs: &Path, cgroup: &Path) -> io::Result<Self> {
        let folder = pin_folder(bpffs).join("links");
        fs::create_dir_all(&folder)?;
        let mut links = HashMap::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            match name.to_str().and_then(Hook::from_pin_name) {
                Some(key) => {
                    links.insert(key, bpf::get_pinned(&entry.path())?);
                }
                None => tracing::warn!(path = %entry.path().display(), "not one of our links"),
            }
        }
        let markers = clsact_markers(bpffs);
        Ok(Self {
            tcx,
            folder,
            cgroup: File::open(cgroup)?,
            qdiscs: marked(&markers)?,
            markers,
            links,
        })
    }

    /// Hooks that have a link of ours, dead or alive.
    pub fn held(&self) -> impl Iterator<Item = (Hook, u32)> {
        self.links.keys().copied()
    }

    /// Programs of our XDP links, by interface.
    pub fn xdp_programs(&self) -> io::Result<BTreeMap<u32, u32>> {
        let links = self.links.iter();
        let xdp = links.filter(|((hook, _), _)| hook.kind() == HookKind::Xdp);
        let states = xdp.map(|((_, ifindex), fd)| Ok((*ifindex, link::state(fd.as_fd())?)));
        let states: Vec<_> = states.collect::<io::Result<_>>()?;
        let attached = states.into_iter().filter(|(_, state)| state.attached);
        Ok(attached
            .map(|(ifindex, state)| (ifindex, state.program))
            .collect())
    }

    pub fn observe(
        &self,
        netlink: &mut Netlink,
        hook: Hook,
        ifindex: u32,
        program: &Loaded,
    ) -> io::Result<Option<Attachment>> {
        if let Some(direction) = self.filter(hook) {
            let added = self.qdiscs.contains(&ifindex);
            let found = netlink.filter_program(ifindex, direction, hook.program())?;
            let found = found.map(|id| Attachment {
                current: id == program.id,
                // A filter holds its program by itself; its qdisc may be ours to remove.
                pinned: !added || self.marker(ifindex).exists(),
            });
            let gone = found.is_none() && added;
            if gone && netlink.link(ifindex)?.is_none() {
                // To be detached: what tells of the qdisc is left.
                return Ok(Some(Attachment {
                    current: false,
                    pinned: false,
                }));
            }
            return Ok(found);
        }
        let Some(fd) = self.links.get(&(hook, ifindex)) else {
            return Ok(None);
        };
        let state = link::state(fd.as_fd())?;
        Ok(Some(Attachment {
            current: state.attached && state.program == program.id,
            pinned: self.pin_path(hook, ifindex).symlink_metadata().is_ok(),
        }))
    }

    pub fn attach(
        &mut self,
        netlink: &mut Netlink,
        hook: Hook,
        ifindex: u32,
        program: &Loaded,
    ) -> io::Result<()> {
        if let Some(direction) = self.filter(hook) {
            self.put_filter(netlink, hook, ifindex, direction, program)?;
            // The daemon before this one may have used TCX.
            return self.drop_link(hook, ifindex);
        }
        let path = self.pin_path(hook, ifindex);
        let alive = match self.links.get(&(hook, ifindex)) {
            Some(fd) => {
                let state = link::state(fd.as_fd())?;
                if state.attached && state.program != program.id {
                    link::update(fd.as_fd(), program.as_fd())?;
                }
                state.attached
            }
            None => false,
        };
        if !alive {
            remove_file(&path)?;
            let program = program.as_fd();
            let fd = match hook.kind() {
                HookKind::Tc(_) => link::create(program, ifindex, hook.attach_type()),
                HookKind::Xdp => link::create_xdp(program, ifindex),
                HookKind::Cgroup(_) => {
                    let cgroup = self.cgroup.as_raw_fd() as u32;
                    link::create(program, cgroup, hook.attach_type())
                }
            }?;
            self.links.insert((hook, ifindex), fd);
            if let HookKind::Tc(direction) = hook.kind() {
                // The daemon before this one may have used clsact.
                self.remove_filter(netlink, ifindex, direction)?;
            }
        }
        if path.symlink_metadata().is_err()
            && let Some(fd) = self.links.get(&(hook, ifindex))
        {
            fs::create_dir_all(&self.folder)?;
            bpf::pin(fd.as_fd(), &path)?;
        }
        Ok(())
    }

    pub fn detach(&mut self, netlink: &mut Netlink, hook: Hook, ifindex: u32) -> io::Result<()> {
        if let Some(direction) = self.filter(hook) {
            self.remove_filter(netlink, ifindex, direction)?;
        }
        self.drop_link(hook, ifindex)
    }

    /// Direction of the clsact filter that carries the hook's program, `None` where a link does.
    fn filter(&self, hook: Hook) -> Option<Direction> {
        match hook.kind() {
            HookKind::Tc(direction) if !(self.tcx && hook.is_on_uplinks()) => Some(direction),
            HookKind::Tc(_) | HookKind::Xdp | HookKind::Cgroup(_) => None,
        }
    }

    fn put_filter(
        &mut self,
        netlink: &mut Netlink,
        hook: Hook,
        ifindex: u32,
        direction: Direction,
        program: &Loaded,
    ) -> io::Result<()> {
        // Links of our own take their qdisc with them.
        if netlink.add_clsact(ifindex)? && OurLink::from_ifindex(ifindex).is_none() {
            self.qdiscs.insert(ifindex);
        }
        if self.qdiscs.contains(&ifindex) {
            fs::create_dir_all(self.marker(ifindex))?;
        }
        netlink.put_filter(ifindex, direction, program.as_fd(), hook.program())
    }

    /// With it the qdisc that we added for our filters, once it has none of ours.
    fn remove_filter(
        &mut self,
        netlink: &mut Netlink,
        ifindex: u32,
        direction: Direction,
    ) -> io::Result<()> {
        netlink.delete_filter(ifindex, direction)?;
        if self.qdiscs.contains(&ifindex) && netlink.release_clsact(ifindex)? {
            absent_is_done(fs::remove_dir(self.marker(ifindex)))?;
            self.qdiscs.remove(&ifindex);
        }
        Ok(())
    }

    /// Detached at once: closing alone would leave that to whoever else holds the link.
    fn drop_link(&mut self, hook: Hook, ifindex: u32) -> io::Result<()> {
        remove_file(&self.pin_path(hook, ifindex))?;
        if let Some(fd) = self.links.remove(&(hook, ifindex)) {
            match link::detach(fd.as_fd()) {
                // Its interface is gone already, or the kernel leaves detaching to the close.
                Err(error)
                    if !matches!(
                        error.raw_os_error(),
                        Some(libc::ENOLINK | libc::EOPNOTSUPP | libc::EINVAL)
                    ) =>
                {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn marker(&self, ifindex: u32) -> PathBuf {
        self.markers.join(ifindex.to_string())
    }

    /// Interfaces of others that have a clsact qdisc of ours, or had one when they went.
    pub fn qdiscs(&self) -> impl Iterator<Item = u32> {
        self.qdiscs.iter().copied()
    }

    fn pin_path(&self, hook: Hook, ifindex: u32) -> PathBuf {
        self.folder.join(hook.pin_name(ifindex))
    }
}

fn marked(markers: &Path) -> io::Result<BTreeSet<u32>> {
    let entries = match fs::read_dir(markers) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(found)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
