//! What holds where the configuration file says nothing.

use std::net::{Ipv4Addr, SocketAddr};

use ipnet::Ipv4Net;

use super::{
    AttachMode, Daemon, Datapath, Docker, Network, PortRange, RedirectMode, Timeouts, XdpMode,
};
use crate::model::ipam::Pool;

/// Default of `daemon.state` and `--state`.
pub const STATE: &str = "/var/lib/netctl";
/// Default of `daemon.run` and `--run`.
pub const RUN: &str = "/run/netctl";
/// Default of `daemon.bpffs` and `--bpffs`.
pub const BPFFS: &str = "/sys/fs/bpf";

impl Default for Daemon {
    fn default() -> Self {
        Self {
            state: STATE.into(),
            run: RUN.into(),
            bpffs: BPFFS.into(),
            cgroup: None,
            metrics: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9469))),
            uplinks: Vec::new(),
            resync_seconds: 30,
        }
    }
}

impl Default for Datapath {
    fn default() -> Self {
        Self {
            attach: AttachMode::Auto,
            redirect: RedirectMode::Auto,
            xdp: XdpMode::Auto,
            max_flows: 524_288,
            max_flows6: 65_536,
            max_endpoints: 16_384,
            nat_ports: None,
        }
    }
}

/// Lowest port that masquerade draws by itself: those below are for services that hold them by
/// name.
const FIRST_USER_PORT: u16 = 1_024;

/// The ports that masquerade draws from where the configuration names none: all on one side of
/// those that the host's own processes draw (ip_local_port_range), on the side that has more. With
/// Linux's own range (32768-60999) 1024 to 32767, 31 744 ports. A port of a service that is
/// published, or that a socket of the host holds, is left out one by one, packet by packet.
pub fn nat_ports((first, last): (u16, u16)) -> PortRange {
    let below = PortRange {
        first: FIRST_USER_PORT,
        last: first.saturating_sub(1).max(FIRST_USER_PORT),
    };
    let above = PortRange {
        first: last.saturating_add(1),
        last: u16::MAX,
    };
    if below.last - below.first >= above.last - above.first {
        below
    } else {
        above
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // As nf_conntrack: 5 days (RFC 5382 asks for at least 2 hours and 4 minutes).
            tcp_established: 432_000,
            // RFC 5382: at least 4 minutes for both; RFC 7857, section 2.1: each its own.
            tcp_opening: 240,
            tcp_closing: 240,
            // RFC 4787 recommends 5 minutes.
            udp: 300,
            // RFC 5508: at least 60 seconds.
            icmp: 60,
            // As nf_conntrack since 6.1: as long as a peer that is gone is looked for, seven
            // heartbeats.
            sctp: 210,
            // As nf_conntrack.
            generic: 600,
        }
    }
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            adopt: false,
            // A socket that nobody asks costs nothing, and Docker may be installed later.
            driver: true,
            socket: "/run/docker.sock".into(),
            ip_masq: true,
            icc: true,
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        // As in Docker's default pools first few large pieces, then many small ones. None of
        // them is one of Docker's (172.17.0.0 to 172.31.255.255, 192.168.0.0/16) or Podman's
        // (10.88.0.0/16, 10.89.0.0/16), so that runtimes side by side do not meet. None is of
        // IPv6: the host's own unique local prefix stands in.
        let pool = |a, b, base, size| Pool {
            base: Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), base).into(),
            size,
        };
        Self {
            pools: vec![
                pool(10, 208, 12, 20),
                pool(10, 224, 12, 24),
                pool(172, 16, 16, 24),
            ],
        }
    }
}
