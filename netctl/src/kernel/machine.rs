//! Everything of the machine that a pass works with, in one value owned by one thread.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::maps::{MapData, RingBuf};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::{
    attach::Attachments,
    bpf,
    host::{Choice, Host},
    local_ports::Reservation,
    netlink::Netlink,
    netns::Named,
    object::{
        Datapath, ObjectError, Sizes, clsact_markers, pin_folder, reserved_markers, root_folder,
    },
    probe::{self, Facts, ProbeError},
    sysctl::Ipv6Settings,
};
use crate::{
    model::Model,
    reconcile::options::{Attach, Options, Redirect},
};

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(
        "{path} belongs to a netctl daemon that runs already (stop it, purge with its --run and --state, or name another folder by --bpffs)"
    )]
    Busy { path: PathBuf },
    #[error("{what}")]
    Io { what: String, source: io::Error },
}

/// The kernel, opened.
pub struct Machine {
    pub netlink: Netlink,
    pub ipv6: Ipv6Settings,
    pub named: Named,
    pub attachments: Attachments,
    pub local_ports: Reservation,
    pub datapath: Arc<Datapath>,
    pub facts: Facts,
    /// Uplinks carry TCX links, else clsact filters.
    pub tcx: bool,
    /// Programs jump to those of this daemon.
    pub(super) took_over: bool,
    options: Options,
    /// On the folder of the pins: another daemon with folders of its own would reconcile our
    /// objects to its intent.
    _lock: Flock<File>,
}

impl Machine {
    /// Asks the machine for everything that is needed, then loads the programs. Nothing that
    /// carries packets changes here.
    pub fn open(options: &Options) -> Result<(Self, RingBuf<MapData>), MachineError> {
        let mut facts = probe::probe(&options.cgroup)?;
        let tcx = match options.attach {
            Attach::Auto => facts.tcx,
            Attach::Tcx if !facts.tcx => {
                return Err(ProbeError::NoTcx {
                    found: facts.kernel,
                }
                .into());
            }
            Attach::Tcx => true,
            Attach::Clsact => false,
        };
        facts.redirect_peer = match options.redirect {
            Redirect::Auto => facts.redirect_peer,
            Redirect::Peer => true,
            Redirect::Plain => false,
        };
        let failed = |what: String| move |source| MachineError::Io { what, source };
        fs::create_dir_all(&options.run)
            .map_err(failed(format!("making {}", options.run.display())))?;
        let mounted = probe::ensure_bpffs(&options.bpffs)?;
        if mounted {
            fs::write(options.run.join(MOUNTED), "")
                .map_err(failed(format!("writing {}", options.run.display())))?;
        }
        let pins = root_folder(&options.bpffs);
        let found = pins.exists();
        let lock = lock_pins(&pins)?;
        raise_descriptors();
        let sizes = Sizes {
            flows: options.max_flows,
            flows6: options.max_flows6,
            endpoints: options.max_endpoints,
        };
        let (datapath, events) = match Datapath::load(&options.bpffs, sizes, &facts) {
            Ok(loaded) => loaded,
            Err(error) => {
                if !found {
                    give_back(options, &pins, mounted);
                }
                return Err(error.into());
            }
        };
        let attachments = Attachments::adopt(tcx, &options.bpffs, &options.cgroup)
            .map_err(failed("opening the pinned links".into()))?;
        let local_ports = Reservation::adopt(&options.bpffs)
            .map_err(failed("reading which local ports are reserved".into()))?;
        let netlink = Netlink::open().map_err(failed("opening a netlink socket".into()))?;
        let ipv6 = Ipv6Settings::open().map_err(failed("opening the settings of IPv6".into()))?;
        let machine = Self {
            netlink,
            ipv6,
            named: Named::new(&options.run),
            attachments,
            local_ports,
            datapath: Arc::new(datapath),
            facts,
            tcx,
            took_over: false,
            options: options.clone(),
            _lock: lock,
        };
        Ok((machine, events))
    }

    /// The host's own network, read anew.
    pub fn host(&mut self, model: &Model) -> io::Result<Host> {
        let choice = Choice {
            only: &self.options.uplinks,
            adopted: &model.adopted_bridges(),
            others: &model.others,
            no_docker: self.options.adopt,
            xdp: &self.attachments.xdp_programs()?,
        };
        let mut host = Host::read(&mut self.netlink, choice)?;
        host.xdp_mode = self.options.xdp;
        host.view.no_ipv6 = self.ipv6.missing()?;
        Ok(host)
    }

    /// Removes pins that layouts before this one left: their programs come off their hooks.
    pub fn sweep_old_layouts(&self) -> io::Result<()> {
        let bpffs = &self.options.bpffs;
        let kept = [
            pin_folder(bpffs),
            clsact_markers(bpffs),
            reserved_markers(bpffs),
        ];
        for entry in fs::read_dir(root_folder(bpffs))? {
            let path = entry?.path();
            if !kept.contains(&path) {
                detach_all(&path.join("links"))?;
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }

    /// After everything was reconciled to nothing: the folders, and the bpffs if we mounted it.
    pub fn remove_traces(&self) -> io::Result<()> {
        let bpffs = &self.options.bpffs;
        let pins = pin_folder(bpffs);
        for folder in [
            pins.join("links"),
            pins.join("maps"),
            pins,
            clsact_markers(bpffs),
            reserved_markers(bpffs),
            root_folder(bpffs),
        ] {
            remove_empty(&folder)?;
        }
        let run = &self.options.run;
        remove_empty(&run.join("netns"))?;
        if run.join(MOUNTED).exists() {
            nix::mount::umount2(&self.options.bpffs, nix::mount::MntFlags::MNT_DETACH)?;
            fs::remove_file(run.join(MOUNTED))?;
        }
        Ok(())
    }
}

/// Makes the folder of all pins and takes the lock that says who reconciles them.
fn lock_pins(pins: &Path) -> Result<Flock<File>, MachineError> {
    let failed = |source| MachineError::Io {
        what: format!("the folder of pins, {}", pins.display()),
        source,
    };
    fs::create_dir_all(pins).map_err(failed)?;
    let folder = File::open(pins).map_err(failed)?;
    Flock::lock(folder, FlockArg::LockExclusiveNonblock).map_err(|(_folder, errno)| match errno {
        Errno::EWOULDBLOCK => MachineError::Busy {
            path: pins.to_owned(),
        },
        errno => failed(errno.into()),
    })
}

/// Takes back what a start that failed has pinned and mounted.
fn give_back(options: &Options, pins: &Path, mounted: bool) {
    let mut result = fs::remove_dir_all(pins);
    if mounted {
        let unmounted = nix::mount::umount2(&options.bpffs, nix::mount::MntFlags::MNT_DETACH);
        result = result
            .and(unmounted.map_err(io::Error::from))
            .and(fs::remove_file(options.run.join(MOUNTED)));
    }
    if let Err(error) = result {
        tracing::warn!(%error, pins = %pins.display(), "a failed start left something behind");
    }
}

/// Marker in the run folder: we mounted the bpffs.
const MOUNTED: &str = "bpffs-mounted";

fn remove_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn detach_all(links: &Path) -> io::Result<()> {
    use std::os::fd::AsFd as _;
    let Ok(entries) = fs::read_dir(links) else {
        return Ok(());
    };
    for entry in entries {
        let link = bpf::get_pinned(&entry?.path())?;
        if let Err(error) = bpf::link::detach(link.as_fd()) {
            tracing::debug!(%error, "an old link is left to its removal");
        }
    }
    Ok(())
}

/// Each link that is held is a descriptor: one for an uplink, and after a daemon that attached to
/// its own interfaces by links as well, one for each endpoint.
fn raise_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays");
    }
}
