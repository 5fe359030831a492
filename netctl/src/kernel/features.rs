//! Preflight: whether the kernel was built with what netctl is made of. Each part is tried, in a
//! network namespace that nobody else sees and that ends with the trial: what a module has to
//! bring, the kernel loads for it, and no configuration file of a kernel is believed.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    thread,
};

use netctl_common::wire::Mac;
use nix::sched::{CloneFlags, unshare};

use super::{
    bpf::{link, program},
    netlink::{
        Netlink,
        filter::Direction,
        link::{NewBridge, NewVeth},
    },
    state::Hook,
};

/// A part of the kernel that is not there, or not for us.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refuses {what} ({})", remedy(option, source))]
pub struct Missing {
    what: &'static str,
    /// The option that the kernel has to be built with.
    option: &'static str,
    source: io::Error,
}

fn remedy(option: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        "start the daemon as root or by its systemd unit; before Linux 5.11, without a limit of locked memory (LimitMEMLOCK=infinity)".to_owned()
    } else {
        format!("boot a kernel with {option}, or install its module")
    }
}

fn missing(what: &'static str, option: &'static str) -> impl FnOnce(io::Error) -> Missing {
    move |source| Missing {
        what,
        option,
        source,
    }
}

/// Tries everything; the first part that is missing. `cgroup` is a cgroup v2 folder.
pub fn check(cgroup: &Path) -> Result<(), Missing> {
    raise_memlock();
    let program = program::pass().map_err(missing("eBPF programs", "CONFIG_BPF_SYSCALL"))?;
    let on_cgroup = File::open(cgroup).and_then(|folder| {
        link::programs_on(folder.as_raw_fd() as u32, Hook::SockConnect4.attach_type())
    });
    on_cgroup.map_err(missing("eBPF programs on cgroups", "CONFIG_CGROUP_BPF"))?;
    // A thread of its own, which takes the namespace with it.
    match thread::spawn(move || in_own_namespace(&program)).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Interfaces of the trial. A new namespace may have others than the loopback one: the modules of
/// tunnels make one in each (tunl0, sit0, gre0), by the lowest numbers.
const BRIDGE: u32 = 1 << 24;
const VETH: u32 = BRIDGE + 1;
const PEER: u32 = BRIDGE + 2;
const MTU: u32 = 1500;

/// Before Linux 5.11, programs and maps count as locked memory, of which a process has little. Where
/// that may not be raised, the first program tells.
pub fn raise_memlock() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
    if let Err(error) = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY) {
        tracing::debug!(%error, "RLIMIT_MEMLOCK stays");
    }
}

fn in_own_namespace(program: &OwnedFd) -> Result<(), Missing> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(io::Error::from)
        .map_err(missing("network namespaces", "CONFIG_NET_NS"))?;
    let (mut netlink, namespace) = open().map_err(missing(
        "rtnetlink in a new network namespace",
        "CONFIG_NET_NS",
    ))?;
    let bridge = NewBridge {
        index: BRIDGE,
        name: "bridge",
        mac: Mac([2, 0, 0, 0, 0, 1]),
        mtu: MTU,
    };
    netlink
        .add_bridge(&bridge)
        .map_err(missing("bridge interfaces", "CONFIG_BRIDGE"))?;
    let veth = NewVeth {
        index: VETH,
        name: "veth",
        mtu: MTU,
        peer_index: PEER,
        peer_name: "peer",
        peer_mac: Mac([2, 0, 0, 0, 0, 2]),
        peer_netns: Some(namespace.as_fd()),
    };
    netlink
        .add_veth(&veth)
        .map_err(missing("veth interfaces", "CONFIG_VETH"))?;
    netlink.add_clsact(VETH).map_err(missing(
        "clsact queueing discipline",
        "CONFIG_NET_SCH_INGRESS",
    ))?;
    netlink
        .put_filter(VETH, Direction::Ingress, program.as_fd(), "pass")
        .map_err(missing("eBPF filters on interfaces", "CONFIG_NET_CLS_BPF"))
}

fn open() -> io::Result<(Netlink, File)> {
    // /proc/self would be the process's first thread, which is elsewhere.
    Ok((Netlink::open()?, File::open("/proc/thread-self/ns/net")?))
}
