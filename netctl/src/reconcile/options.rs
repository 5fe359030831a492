//! What the daemon was told about this machine, as the reconciler needs it.

use std::{path::PathBuf, time::Duration};

use crate::config::{Nat, PortRange, XdpMode};

/// How programs are attached to uplinks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Attach {
    /// TCX where the kernel has it, clsact filters elsewhere.
    #[default]
    Auto,
    Tcx,
    Clsact,
}

/// How a packet gets into a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Redirect {
    /// `Peer` where that counts right in the container, `Plain` elsewhere.
    #[default]
    Auto,
    /// `bpf_redirect_peer`: in the softirq that it came in by.
    Peer,
    /// `bpf_redirect` to the host's side of the veth: by another one.
    Plain,
}

/// How long a flow without packets lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    pub tcp_established: Duration,
    /// Before the handshake is complete; of SCTP, too (RFC 5382, REQ-5; RFC 7857, section 2.1).
    pub tcp_opening: Duration,
    /// After a FIN or RST, or what SCTP has in their place.
    pub tcp_closing: Duration,
    pub udp: Duration,
    pub icmp: Duration,
    /// An SCTP association.
    pub sctp: Duration,
    /// Protocols without ports.
    pub generic: Duration,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Mount point of a bpffs (mounted there when it is not).
    pub bpffs: PathBuf,
    /// Root of the cgroup v2 hierarchy.
    pub cgroup: PathBuf,
    pub run: PathBuf,
    /// Names of the only uplinks; empty: every interface that is neither loopback, nor ours, nor
    /// a part of another one.
    pub uplinks: Vec<String>,
    /// Docker's networks are adopted: what it makes is no uplink.
    pub adopt: bool,
    pub attach: Attach,
    pub redirect: Redirect,
    /// On which uplinks rules of published ports are kept by XDP.
    pub xdp: XdpMode,
    /// Flows that FLOW4 has room for.
    pub max_flows: u32,
    /// Flows that FLOW6 has room for.
    pub max_flows6: u32,
    pub max_endpoints: u32,
    /// Source ports that masquerade draws from; None: see [`crate::config::defaults::nat_ports`].
    pub nat_ports: Option<PortRange>,
    pub timeouts: Timeouts,
    /// Of networks that say nothing.
    pub nat: Nat,
    /// What of the configuration works less well than it could, for a person.
    pub warnings: Vec<String>,
    /// How often the whole machine is looked at without any reason.
    pub resync: Duration,
}
