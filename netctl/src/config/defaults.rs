//! What holds where the configuration file says nothing.

use std::net::{Ipv4Addr, SocketAddr};

use ipnet::Ipv4Net;

use super::{AttachMode, Daemon, Datapath, Docker, Network, PortRange, RedirectMode, Timeouts};
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
            max_flows: 524_288,
            max_flows6: 65_536,
            max_endpoints: 16_384,
            // Below Linux's default ip_local_port_range (32768-60999) and above what services use.
            nat_ports: PortRange {
                first: 16_384,
                last: 32_767,
            },
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // As nf_conntrack: 5 days (RFC 5382 asks for at least 2 hours and 4 minutes).
            tcp_established: 432_000,
            // RFC 5382: at least 4 minutes.
            tcp_transitory: 240,
            // RFC 4787 recommends 5 minutes.
            udp: 300,
            // RFC 5508: at least 60 seconds.
            icmp: 60,
        }
    }
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            adopt: false,
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
