//! The daemon's configuration file: TOML, every key optional, none unknown.
//!
//! What a user wrote, with defaults filled in; flags of `netctl daemon` go over it (`cmd::daemon`).

pub mod defaults;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use netctl_common::endpoint::ENDPOINT_SLOTS;
use serde::{Deserialize, Deserializer, de::Error as _};
use thiserror::Error;

use crate::model::{Filtering, Mapping, ipam::Pool};

/// Where the file is looked for when none is named; it need not exist there.
pub const DEFAULT_PATH: &str = "/etc/netctl/netctl.toml";

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub daemon: Daemon,
    pub datapath: Datapath,
    pub timeouts: Timeouts,
    pub network: Network,
    pub nat: Nat,
    pub docker: Docker,
}

/// Places and listeners.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Daemon {
    /// Folder of the state that outlives a reboot.
    pub state: PathBuf,
    /// Folder of the socket, the lock and the namespaces' markers.
    pub run: PathBuf,
    pub bpffs: PathBuf,
    /// None: the cgroup v2 root as /proc/self/mounts shows it.
    #[serde(deserialize_with = "empty_is_none")]
    pub cgroup: Option<PathBuf>,
    /// None: no metrics server.
    #[serde(deserialize_with = "address_or_empty")]
    pub metrics: Option<SocketAddr>,
    /// Empty: every interface that is neither loopback nor ours.
    pub uplinks: Vec<String>,
    /// How often the machine is looked at even if nothing was reported.
    pub resync_seconds: u64,
}

/// Sizes and ways of the eBPF programs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Datapath {
    pub attach: AttachMode,
    pub redirect: RedirectMode,
    pub xdp: XdpMode,
    /// IPv4 flows that there is room for.
    pub max_flows: u32,
    /// IPv6 flows that there is room for.
    pub max_flows6: u32,
    pub max_endpoints: u32,
    /// None: beside ip_local_port_range ([`defaults::nat_ports`]).
    #[serde(deserialize_with = "range_or_auto")]
    pub nat_ports: Option<PortRange>,
}

/// How programs are attached to uplinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachMode {
    /// TCX where the kernel has it (6.6), clsact below.
    #[default]
    Auto,
    Tcx,
    Clsact,
}

/// How packets get into containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedirectMode {
    /// Peer where containers' counters stay right with it (6.1), plain below.
    #[default]
    Auto,
    Peer,
    Plain,
}

/// Whether uplinks get an XDP program while there are rules of published ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver where it can, else in the stack's receive path; but none on a veth, which
    /// stops to take large segments as soon as it has one.
    #[default]
    Auto,
    /// On every uplink with Ethernet frames.
    On,
    /// The TC program keeps the rules: slower to refuse, and free for everybody else.
    Off,
}

/// An inclusive range, written `first-last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    /// What is wrong with drawing masqueraded ports from it, when the host's processes draw from
    /// the other one (inclusive).
    pub fn warning(self, (first, last): (u16, u16)) -> Option<String> {
        let Self {
            first: own,
            last: end,
        } = self;
        (own <= last && first <= end).then(|| format!(
            "datapath.nat_ports = {own}-{end} overlaps net.ipv4.ip_local_port_range ({first}-{last}): a process of the host may draw the port of a container's flow and get its answers; choose ranges that do not meet"
        ))
    }
}

/// Seconds without a packet after which a flow is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    pub tcp_established: u64,
    /// Before the handshake is complete.
    pub tcp_opening: u64,
    /// After a FIN or RST.
    pub tcp_closing: u64,
    pub udp: u64,
    pub icmp: u64,
    /// An association that both sides have taken up.
    pub sctp: u64,
    /// Protocols without ports.
    pub generic: u64,
}

/// How networks are masqueraded that say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nat {
    pub mapping: Mapping,
    pub filtering: Filtering,
}

/// The Docker Engine of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Docker {
    /// Serve its bridge networks as they are.
    pub adopt: bool,
    /// Be its network driver and its IPAM driver `netctl`.
    pub driver: bool,
    /// Its API's UNIX socket.
    pub socket: PathBuf,
    /// Containers of the network `bridge` (docker0) are masqueraded. The Engine does not tell:
    /// with `"iptables": false` it says no, whatever its `ip-masq` is.
    pub ip_masq: bool,
    /// Containers of the network `bridge` may talk to each other directly. With `"iptables":
    /// false` the Engine does not start with an `icc` of its own that says no.
    pub icc: bool,
}

/// What networks get that say nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    pub pools: Vec<Pool>,
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("config file {path}: cannot be read; see who may read it, or name another one by --config", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("config file {path}{place}: {reason}", path = .path.display())]
    Syntax {
        path: PathBuf,
        place: String,
        reason: String,
    },
    #[error("config file {path}: {key} = {value}: {reason}", path = .path.display())]
    Value {
        path: PathBuf,
        key: &'static str,
        value: String,
        reason: &'static str,
    },
}

impl Config {
    /// Reads the named file, or the default one if there is one.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file),
            Err(e) if path.is_none() && e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read {
                path: file.to_owned(),
                source,
            }),
        }
    }

    /// Parses and checks a file's text.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| ConfigError::Syntax {
            path: path.to_owned(),
            place: e.span().map_or_else(String::new, |span| {
                let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
                format!(", line {line}")
            }),
            reason: e.message().to_owned(),
        })?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let bad = |key, value: String, reason| {
            Err(ConfigError::Value {
                path: path.to_owned(),
                key,
                value,
                reason,
            })
        };
        let resync = ("daemon.resync_seconds", self.daemon.resync_seconds);
        let timeouts = self
            .timeouts
            .each()
            .map(|(key, seconds, ..)| (key, seconds));
        for (key, seconds) in [resync].into_iter().chain(timeouts) {
            if seconds == 0 {
                return bad(key, "0".into(), "must be at least one second");
            }
        }
        for (key, entries) in [
            ("datapath.max_flows", self.datapath.max_flows),
            ("datapath.max_flows6", self.datapath.max_flows6),
            ("datapath.max_endpoints", self.datapath.max_endpoints),
        ] {
            if entries == 0 {
                return bad(key, "0".into(), "must be at least 1");
            }
        }
        if self.docker.adopt && !self.docker.socket.is_absolute() {
            let socket = self.docker.socket.display().to_string();
            return bad(
                "docker.socket",
                socket,
                "must be the absolute path of a UNIX socket, such as /run/docker.sock",
            );
        }
        let endpoints = self.datapath.max_endpoints;
        if endpoints > ENDPOINT_SLOTS {
            let reason = "must be at most 65536";
            return bad("datapath.max_endpoints", endpoints.to_string(), reason);
        }
        for pool in &self.network.pools {
            let text = format!("{} / {}", pool.base, pool.size);
            if pool.base != pool.base.trunc() {
                return bad(
                    "network.pools",
                    text,
                    "the base has host bits set; clear them",
                );
            }
            let (longest, reason) = match pool.base {
                IpNet::V4(_) => (30, "size is a prefix length from the base's to 30"),
                IpNet::V6(_) => (126, "size is a prefix length from the base's to 126"),
            };
            if pool.size < pool.base.prefix_len() || !(8..=longest).contains(&pool.size) {
                return bad("network.pools", text, reason);
            }
        }
        Ok(())
    }
}

impl Timeouts {
    /// Each with its key, the least that the RFCs ask of a NAT, and which one does.
    pub fn each(&self) -> [(&'static str, u64, u64, &'static str); 7] {
        [
            (
                "timeouts.tcp_established",
                self.tcp_established,
                7_440,
                "RFC 5382, REQ-5",
            ),
            (
                "timeouts.tcp_opening",
                self.tcp_opening,
                240,
                "RFC 5382, REQ-5",
            ),
            (
                "timeouts.tcp_closing",
                self.tcp_closing,
                240,
                "RFC 5382, REQ-5",
            ),
            ("timeouts.udp", self.udp, 120, "RFC 4787, REQ-5"),
            ("timeouts.icmp", self.icmp, 60, "RFC 5508, REQ-2"),
            // Heartbeats come every 30 seconds and up to 60 more (RFC 9260, sections 8.3 and 16).
            ("timeouts.sctp", self.sctp, 90, "RFC 9260, section 8.3"),
            ("timeouts.generic", self.generic, 120, "RFC 4787, REQ-5"),
        ]
    }

    /// Those that are shorter than a peer may rely on: allowed, as an administrator may know
    /// better, but not in silence.
    pub fn warnings(&self) -> Vec<String> {
        let short = self
            .each()
            .into_iter()
            .filter(|(_, seconds, least, _)| seconds < least);
        short
            .map(|(key, seconds, least, rfc)| {
                format!(
                    "{key} = {seconds}: {rfc} asks for at least {least} seconds, and connections that rely on it will break"
                )
            })
            .collect()
    }
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

/// Parses a metrics address; empty switches the server off.
pub fn parse_metrics(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_not_an_address| {
        format!("{text:?} is not ADDRESS:PORT; write for example 127.0.0.1:9469, or \"\" for none")
    })
}

fn address_or_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    parse_metrics(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn range_or_auto<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PortRange>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == AUTO {
        return Ok(None);
    }
    PortRange::deserialize(serde::de::value::StringDeserializer::new(text)).map(Some)
}

/// What a key says to leave the choice to netctl.
const AUTO: &str = "auto";

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split_once('-')
            .and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)))
            .filter(|&(first, last)| first != 0 && first <= last)
            .map(|(first, last)| Self { first, last })
            .ok_or_else(|| {
                D::Error::custom(format!(
                    "{text:?} is not a range of ports; write for example \"1024-32767\""
                ))
            })
    }
}

#[cfg(test)]
mod tests;
