//! Configuration file and flags put together, and what they mean on this machine.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use procfs::process::Process;

use crate::{
    cli::Places,
    config::{AttachMode, Config, RedirectMode},
    reconcile::controller::{Attach, Options, Redirect, Timeouts},
};

/// The configuration file with the flags over it.
pub(super) fn load(places: Places, run: Option<PathBuf>) -> Result<Config> {
    let Places {
        config,
        state,
        bpffs,
        cgroup,
    } = places;
    let mut config = Config::load(config.as_deref())?;
    let daemon = &mut config.daemon;
    set(&mut daemon.state, state);
    set(&mut daemon.bpffs, bpffs);
    set(&mut daemon.run, run);
    daemon.cgroup = cgroup.or(daemon.cgroup.take());
    Ok(config)
}

fn set<T>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}

/// What the controller is told.
pub(super) fn options(config: &Config) -> Result<Options> {
    let Config {
        daemon,
        datapath,
        timeouts,
        network: _,
        nat,
        docker,
    } = config;
    let cgroup = match &daemon.cgroup {
        Some(path) => path.clone(),
        None => cgroup_root()?,
    };
    Ok(Options {
        bpffs: daemon.bpffs.clone(),
        cgroup,
        run: daemon.run.clone(),
        uplinks: daemon.uplinks.clone(),
        adopt: docker.adopt,
        attach: match datapath.attach {
            AttachMode::Auto => Attach::Auto,
            AttachMode::Tcx => Attach::Tcx,
            AttachMode::Clsact => Attach::Clsact,
        },
        redirect: match datapath.redirect {
            RedirectMode::Auto => Redirect::Auto,
            RedirectMode::Peer => Redirect::Peer,
            RedirectMode::Plain => Redirect::Plain,
        },
        xdp: datapath.xdp,
        max_flows: datapath.max_flows,
        max_flows6: datapath.max_flows6,
        max_endpoints: datapath.max_endpoints,
        nat_ports: datapath.nat_ports,
        timeouts: Timeouts {
            tcp_established: Duration::from_secs(timeouts.tcp_established),
            tcp_opening: Duration::from_secs(timeouts.tcp_opening),
            tcp_closing: Duration::from_secs(timeouts.tcp_closing),
            udp: Duration::from_secs(timeouts.udp),
            icmp: Duration::from_secs(timeouts.icmp),
            sctp: Duration::from_secs(timeouts.sctp),
            generic: Duration::from_secs(timeouts.generic),
        },
        nat: *nat,
        warnings: timeouts.warnings(),
        resync: Duration::from_secs(daemon.resync_seconds),
    })
}

/// Where the whole cgroup v2 hierarchy is mounted.
fn cgroup_root() -> Result<PathBuf> {
    let mounts = Process::myself()
        .and_then(|process| process.mountinfo())
        .context("the mounts of this machine cannot be read")?;
    let hierarchies = || mounts.0.iter().filter(|mount| mount.fs_type == "cgroup2");
    // A bind mount of a part of it would miss the processes outside.
    let whole = hierarchies().find(|mount| mount.root == "/");
    whole
        .or_else(|| hierarchies().next())
        .map(|mount| mount.mount_point.clone())
        .ok_or_else(|| {
            anyhow!(
                "no cgroup v2 hierarchy is mounted, which host processes reach published ports by; mount one (`mount -t cgroup2 none /sys/fs/cgroup`), or name it by --cgroup"
            )
        })
}
