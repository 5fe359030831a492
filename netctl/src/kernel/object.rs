//! The eBPF object: loaded anew at every start, over the maps that the last daemon left.

use std::{
    collections::HashMap,
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{MapData, RingBuf},
    programs::{Program, ProgramError},
};
use netctl_common::{LAYOUT_VERSION, event::Clock, jump};

use super::{
    bpf::{self, map::Map},
    probe::{self, Facts},
    state::Hook,
    tables::{Table, kept},
};

pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netctl-ebpf.o"));

/// The program that reads the kernel's clocks, on no hook.
const CLOCK: &str = "clock";

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("preparing {path}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("loading the eBPF object's maps")]
    Object(#[source] Box<EbpfError>),
    #[error("the kernel refused the program {name}")]
    Program {
        name: String,
        source: Box<ProgramError>,
    },
    #[error("the eBPF object has no program {0}: build netctl and its programs from one source")]
    NoProgram(&'static str),
    #[error("opening the map {name}")]
    Map { name: String, source: io::Error },
    #[error(
        "the pinned map {path} has another layout ({found}): it belongs to another build; remove it (its connections are lost) and start again"
    )]
    Layout { path: PathBuf, found: String },
    #[error("reading the kernel's clock with the program clock")]
    Clock(#[source] io::Error),
    #[error("CONFIG_HZ could not be told from the kernel's clocks")]
    Hz,
}

/// Sizes of maps that depend on configuration.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of IPv4.
    pub flows: u32,
    pub flows6: u32,
    pub endpoints: u32,
}

impl Sizes {
    fn entries(self) -> [(&'static str, u32); 7] {
        [
            // Each flow has an entry for each direction.
            (kept::FLOW4, self.flows.saturating_mul(2)),
            (kept::FLOW6, self.flows6.saturating_mul(2)),
            // And each mapping has two; many flows rest on one, or on none.
            (kept::MAPPING4, (self.flows / 2).max(1024)),
            (kept::MAPPING6, (self.flows6 / 2).max(1024)),
            (Table::Fdb.name(), self.endpoints),
            // An endpoint's own address, and what its container has where ports lead to it.
            (Table::Neigh4.name(), self.endpoints.saturating_mul(2)),
            (Table::Neigh6.name(), self.endpoints.saturating_mul(2)),
        ]
    }
}

/// A loaded program.
pub struct Loaded {
    fd: OwnedFd,
    pub id: u32,
}

impl AsFd for Loaded {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Programs and maps in the kernel.
pub struct Datapath {
    maps: HashMap<&'static str, Map>,
    programs: HashMap<String, Loaded>,
    folder: PathBuf,
    pub warnings: Vec<String>,
}

/// Folder of everything that is ours on the bpffs. Beside the pins of a layout it has markers of
/// what we changed on the machine, folders as well, that outlast the layout: true for as long as
/// the machine is up, whatever becomes of the run folder.
pub fn root_folder(bpffs: &Path) -> PathBuf {
    bpffs.join("netctl")
}

/// Folder of this layout's pins.
pub fn pin_folder(bpffs: &Path) -> PathBuf {
    root_folder(bpffs).join(format!("v{LAYOUT_VERSION}"))
}

/// Clsact qdiscs that we added, by interface index.
pub fn clsact_markers(bpffs: &Path) -> PathBuf {
    root_folder(bpffs).join("clsact")
}

/// Local ports that we reserved, by range.
pub fn reserved_markers(bpffs: &Path) -> PathBuf {
    root_folder(bpffs).join("reserved")
}

impl Datapath {
    /// Loads every program over the pinned maps; nothing is attached yet.
    pub fn load(
        bpffs: &Path,
        sizes: Sizes,
        facts: &Facts,
    ) -> Result<(Self, RingBuf<MapData>), ObjectError> {
        let folder = pin_folder(bpffs).join("maps");
        fs::create_dir_all(&folder).map_err(|source| ObjectError::Folder {
            path: folder.clone(),
            source,
        })?;
        let warnings = check_pins(&folder, sizes)?;
        let mut loader = EbpfLoader::new();
        for name in names() {
            loader.map_pin_path(name, folder.join(name));
        }
        for (name, entries) in sizes.entries() {
            loader.map_max_entries(name, entries);
        }
        // Constant for the verifier, which prunes what an older kernel does not have.
        let set_retval = u32::from(facts.set_retval);
        loader.override_global("HAVE_SET_RETVAL", &set_retval, true);
        let mut object = loader
            .load(OBJECT)
            .map_err(|error| ObjectError::Object(Box::new(error)))?;
        #[cfg(feature = "log")]
        show_log(&mut object);
        let programs = load_programs(&mut object)?;
        let events = object
            .take_map(kept::EVENTS)
            .map(RingBuf::try_from)
            .ok_or_else(|| ObjectError::Map {
                name: kept::EVENTS.into(),
                source: io::ErrorKind::NotFound.into(),
            })?
            .map_err(|error| ObjectError::Object(Box::new(error.into())))?;
        let mut maps = HashMap::new();
        for name in names() {
            let opened = bpf::get_pinned(&folder.join(name)).and_then(Map::new);
            let map = opened.map_err(|source| ObjectError::Map {
                name: name.into(),
                source,
            })?;
            maps.insert(name, map);
        }
        let datapath = Self {
            maps,
            programs,
            folder,
            warnings,
        };
        Ok((datapath, events))
    }

    pub fn map(&self, name: &str) -> io::Result<&Map> {
        self.maps
            .get(name)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no map {name}")))
    }

    pub fn table(&self, table: Table) -> io::Result<&Map> {
        self.map(table.name())
    }

    pub fn program(&self, hook: Hook) -> io::Result<&Loaded> {
        self.named(hook.program())
    }

    fn named(&self, name: &str) -> io::Result<&Loaded> {
        self.programs
            .get(name)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no program {name}")))
    }

    /// Whether a map's pin is there.
    pub fn is_pinned(&self, name: &str) -> bool {
        self.folder.join(name).symlink_metadata().is_ok()
    }

    /// Pins a map again from the descriptor that we hold.
    pub fn pin(&self, name: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        bpf::pin(self.map(name)?.as_fd(), &self.folder.join(name))
    }

    pub fn unpin(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What the kernel's clocks say now.
    pub fn clock(&self) -> io::Result<Clock> {
        bpf::run_once(self.named(CLOCK)?.as_fd())?;
        let value = self.map(kept::CLOCK)?.lookup(&0_u32.to_ne_bytes())?;
        value
            .and_then(|value| bytemuck::try_pod_read_unaligned(&value).ok())
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// CONFIG_HZ, measured.
    pub fn hz(&self) -> Result<u32, ObjectError> {
        let first = self.clock().map_err(ObjectError::Clock)?;
        if let Some(hz) = probe::hz_from_clock(first.jiffies, first.monotonic_ns) {
            return Ok(hz);
        }
        // Long enough that one tick more or less does not matter even at 100 Hz.
        const INTERVAL_NS: u64 = 400_000_000;
        loop {
            wait_a_little().map_err(ObjectError::Clock)?;
            let now = self.clock().map_err(ObjectError::Clock)?;
            let passed = now.monotonic_ns.saturating_sub(first.monotonic_ns);
            if passed >= INTERVAL_NS {
                let ticks = now.jiffies.saturating_sub(first.jiffies);
                return probe::hz_from_interval(ticks, passed).ok_or(ObjectError::Hz);
            }
        }
    }

    /// Has programs jump to those of this daemon. Before the first of them is attached, and not
    /// earlier: from here on packets pass by programs of both daemons, and the tables of this one
    /// must be filled. What they leave for each other is in maps that both have.
    pub fn take_over(&self) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        let jumps = self.map(kept::JUMP)?;
        for (place, name) in jump::ALL {
            let fd = self.named(name)?.fd.as_raw_fd() as u32;
            jumps
                .update(&place.to_ne_bytes(), &fd.to_ne_bytes())
                .map_err(|error| {
                    io::Error::new(error.kind(), format!("the jump to {name}: {error}"))
                })?;
        }
        Ok(())
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    Table::ALL.into_iter().map(Table::name).chain(kept::PINNED)
}

fn load_programs(object: &mut Ebpf) -> Result<HashMap<String, Loaded>, ObjectError> {
    let hooks = Hook::INTERFACE.into_iter().chain(Hook::CGROUP);
    let mut programs = HashMap::new();
    for name in hooks
        .map(Hook::program)
        .chain(jump::ALL.iter().map(|(_, name)| *name))
        .chain([CLOCK])
    {
        // A hook's program is also jumped to where others come back to it.
        if programs.contains_key(name) {
            continue;
        }
        let program = object
            .program_mut(name)
            .ok_or(ObjectError::NoProgram(name))?;
        let loaded = load_program(program).map_err(|error| ObjectError::Program {
            name: name.into(),
            source: Box::new(error),
        })?;
        programs.insert(name.to_owned(), loaded);
    }
    Ok(programs)
}

fn load_program(program: &mut Program) -> Result<Loaded, ProgramError> {
    let fd = match program {
        Program::SchedClassifier(program) => {
            program.load()?;
            program.fd()?
        }
        Program::CgroupSockAddr(program) => {
            program.load()?;
            program.fd()?
        }
        Program::Xdp(program) => {
            program.load()?;
            program.fd()?
        }
        _ => return Err(ProgramError::UnexpectedProgramType),
    };
    let fd = fd
        .as_fd()
        .try_clone_to_owned()
        .map_err(ProgramError::IOError)?;
    let id = bpf::program_id(fd.as_fd()).map_err(ProgramError::IOError)?;
    Ok(Loaded { fd, id })
}

/// Compares what is pinned with what the object wants: the loader would take anything.
///
/// Contents that we write ourselves are made anew, and filled before the new programs take over.
/// Flows are kept as they are, whatever size was asked for.
fn check_pins(folder: &Path, sizes: Sizes) -> Result<Vec<String>, ObjectError> {
    let object = aya_obj::Object::parse(OBJECT)
        .map_err(|error| ObjectError::Object(Box::new(error.into())))?;
    let sizes: HashMap<&str, u32> = sizes.entries().into_iter().collect();
    let mut warnings = Vec::new();
    for name in names() {
        let path = folder.join(name);
        let (Ok(fd), Some(wanted)) = (bpf::get_pinned(&path), object.maps.get(name)) else {
            continue;
        };
        let found = Map::new(fd)
            .map_err(|source| ObjectError::Map {
                name: name.into(),
                source,
            })?
            .info;
        let same_layout = found.kind == wanted.map_type()
            && found.key_size == wanted.key_size()
            && found.value_size == wanted.value_size();
        let entries = sizes.get(name).copied().unwrap_or(wanted.max_entries());
        if same_layout && found.max_entries == entries {
            continue;
        }
        let is_state = kept::PINNED.contains(&name);
        if !same_layout && is_state {
            return Err(ObjectError::Layout {
                path,
                found: format!("{found:?}"),
            });
        }
        if name == kept::FLOW4 || name == kept::FLOW6 {
            warnings.push(format!(
                "the flow table {name} keeps its room for {} flows, {} asked for: the new size takes effect at the next boot, or after `netctl purge`, which removes networks, namespaces and ports as well",
                found.max_entries / 2,
                entries / 2
            ));
            continue;
        }
        if name == kept::MAPPING4 || name == kept::MAPPING6 {
            // Sized by the flow table, which keeps its size.
            continue;
        }
        if is_state {
            warnings.push(format!("map {name} was made anew with {entries} entries"));
        }
        fs::remove_file(&path).map_err(|source| ObjectError::Folder { path, source })?;
    }
    Ok(warnings)
}

fn wait_a_little() -> io::Result<()> {
    use nix::poll::{PollTimeout, poll};
    poll(&mut [], PollTimeout::from(50_u8))?;
    Ok(())
}

#[cfg(feature = "log")]
fn show_log(object: &mut Ebpf) {
    match aya_log::EbpfLogger::init(object) {
        Ok(logger) => {
            // SAFETY: the logger owns its ring buffer's descriptor as long as the task has it.
            let reader = unsafe {
                tokio::io::unix::AsyncFd::register_with_interest(
                    logger,
                    tokio::io::Interest::READABLE,
                )
            };
            let Ok(mut reader) = reader else { return };
            tokio::spawn(async move {
                while let Ok(mut ready) = reader.readable_mut().await {
                    ready.get_inner_mut().flush();
                    ready.clear_ready();
                }
            });
        }
        Err(error) => tracing::warn!(%error, "the eBPF object has no log"),
    }
}
