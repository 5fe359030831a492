//! The command line: words that do not change.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{
    config::{self, defaults},
    model::{Filtering, Mapping},
    version,
};

/// Container networking in eBPF: networks, NAT and published ports without bridge forwarding,
/// iptables or a proxy.
#[derive(Debug, Parser)]
#[command(name = "netctl", version = version::long(), arg_required_else_help = true, subcommand_required = true)]
#[command(
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage.\nAll commands but daemon, docker, purge and completion need a running daemon."
)]
pub struct Cli {
    /// Run folder of the daemon [default: /run/netctl]
    #[arg(
        long,
        env = "NETCTL_RUN",
        hide_env_values = true,
        global = true,
        value_name = "DIR",
        help_heading = "Everywhere"
    )]
    pub run: Option<PathBuf>,
    /// How to print results [default: table]
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, hide_possible_values = true, hide_default_value = true, value_name = "table|json", help_heading = "Everywhere")]
    pub output: Format,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    ///
    /// It keeps the machine as it is wanted and serves the API on RUN/netctl.sock. When it ends,
    /// the datapath goes on in the kernel; `netctl purge` takes that away.
    Daemon(Daemon),
    /// Create, list and remove networks; connect namespaces to them
    #[command(subcommand)]
    Network(Network),
    /// Create, list, remove and enter network namespaces
    #[command(subcommand)]
    Ns(Ns),
    /// Publish ports of namespaces on the host
    #[command(subcommand)]
    Port(Port),
    /// Lead this host from stock Docker to netctl, and back
    #[command(subcommand)]
    Docker(Docker),
    /// List tracked connections
    Flows {
        /// Only those of this namespace
        #[arg(long, value_name = "NS")]
        ns: Option<String>,
    },
    /// Show how many packets were dropped, and why
    Drops,
    /// Show the health of the daemon and of the datapath
    Status,
    /// Print what the next pass would change, without changing it
    Plan,
    /// Take everything of netctl away from this machine
    ///
    /// Networks, namespaces that netctl made, programs, maps, pins and the stored intent. The
    /// daemon ends. Without a daemon the same is done from here.
    Purge(Places),
    /// Print a completion script for a shell
    Completion { shell: Shell },
}

/// Where things are kept; what is not given comes from the configuration file.
#[derive(Clone, Debug, Default, Args)]
pub struct Places {
    /// Configuration file [default: /etc/netctl/netctl.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the stored intent [default: /var/lib/netctl]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// BPF file system, mounted there if it is not [default: /sys/fs/bpf]
    #[arg(long, value_name = "DIR")]
    pub bpffs: Option<PathBuf>,
    /// Root of the cgroup v2 hierarchy [default: where it is mounted]
    #[arg(long, value_name = "DIR")]
    pub cgroup: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Daemon {
    #[command(flatten)]
    pub places: Places,
    /// Interface towards the outside; may be repeated [default: all but loopback and netctl's own]
    #[arg(long = "uplink", value_name = "IF")]
    pub uplinks: Vec<String>,
    /// Address of the metrics server, "" for none [default: 127.0.0.1:9469]
    #[arg(long, value_name = "ADDR", value_parser = metrics)]
    pub metrics: Option<Metrics>,
}

/// An address, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics(pub Option<SocketAddr>);

fn metrics(text: &str) -> Result<Metrics, String> {
    config::parse_metrics(text).map(Metrics)
}

#[derive(Debug, Subcommand)]
pub enum Network {
    /// Create a network
    Create(NetworkCreate),
    /// List networks
    Ls,
    /// Show a network and its members
    Inspect { name: String },
    /// Remove networks that nobody uses
    Rm {
        /// What to remove; one that cannot be removed does not keep the others
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Connect a namespace to a network
    Connect {
        /// Name of the network
        net: String,
        /// Name of the namespace
        ns: String,
        /// Its IPv4 address [default: a free one]
        #[arg(long)]
        ip: Option<String>,
        /// Its IPv6 address [default: a free one]
        #[arg(long)]
        ip6: Option<String>,
    },
    /// Disconnect a namespace from a network
    Disconnect { net: String, ns: String },
}

#[derive(Debug, Args)]
pub struct NetworkCreate {
    /// Name of the network: 1 to 64 letters, digits, "_", "." and "-"
    pub name: String,
    /// Addresses of the network, once for each family [default: a free subnet of the configured
    /// pools; for IPv6 a unique local /64]
    #[arg(long, value_name = "CIDR")]
    pub subnet: Vec<String>,
    /// The host's address in the network, once for each family [default: the first]
    #[arg(long, value_name = "IP")]
    pub gateway: Vec<String>,
    /// Part of the subnet that addresses are chosen from, once for each family [default: all of it]
    #[arg(long, value_name = "CIDR")]
    pub ip_range: Vec<String>,
    /// Whether members have IPv4 addresses
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub ipv4: bool,
    /// Whether members have IPv6 addresses, too; an IPv6 subnet says so by itself
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub ipv6: bool,
    /// MTU of the members' interfaces [default: the uplinks']
    #[arg(long, value_name = "N")]
    pub mtu: Option<u32>,
    /// No way out of the network, and none in
    #[arg(long)]
    pub internal: bool,
    /// Members keep their own source address on the way out
    #[arg(long)]
    pub no_masquerade: bool,
    /// Members cannot reach each other directly
    #[arg(long)]
    pub no_icc: bool,
    /// Whether a member's port is one outside, whomever it talks to (RFC 4787) [default: as
    /// configured]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub nat_mapping: Option<Mapping>,
    /// Who may send to a member's port outside (RFC 4787) [default: as configured]
    #[arg(long, value_enum, value_name = "WHO")]
    pub nat_filtering: Option<Filtering>,
}

#[derive(Debug, Subcommand)]
pub enum Ns {
    /// Create a network namespace, or take one over
    ///
    /// Without --netns and --pid a named one is made, which `ip netns exec NAME` enters, too.
    Create(NsCreate),
    /// List namespaces
    Ls,
    /// Show a namespace, its addresses and its published ports
    Inspect { name: String },
    /// Remove namespaces with their published ports
    Rm {
        /// What to remove; one that cannot be removed does not keep the others
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Run a command inside a namespace; its exit status is passed on
    Exec {
        /// Name of the namespace
        name: String,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
pub struct NsCreate {
    /// Name of the namespace: 1 to 64 letters, digits, "_", "." and "-"
    pub name: String,
    /// Network to connect it to
    #[arg(long, value_name = "NET")]
    pub network: Option<String>,
    /// Its IPv4 address [default: a free one]
    #[arg(long, requires = "network")]
    pub ip: Option<String>,
    /// Its IPv6 address [default: a free one]
    #[arg(long, requires = "network")]
    pub ip6: Option<String>,
    /// Its MAC address [default: derived from the address]
    #[arg(long, requires = "network")]
    pub mac: Option<String>,
    /// Publish a port: [hostIP:][hostPort[-end]:]port[-end][/tcp|udp|sctp]; may be repeated
    #[arg(short, long = "publish", value_name = "SPEC")]
    pub publish: Vec<String>,
    /// Take over the namespace at this path
    #[arg(long, value_name = "PATH", conflicts_with = "pid")]
    pub netns: Option<PathBuf>,
    /// Take over the namespace of this process
    #[arg(long)]
    pub pid: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum Port {
    /// Publish ports of a namespace
    ///
    /// SPEC is [hostIP:][hostPort[-end]:]port[-end][/tcp|udp|sctp], an IPv6 hostIP in [brackets].
    /// Without a host IP every address of the host has the port, without a host port a free one
    /// is chosen and printed. All of the SPECs are published, or none.
    Add {
        /// Name of the namespace
        ns: String,
        /// Published ports
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<String>,
    },
    /// Withdraw published ports
    ///
    /// A SPEC may leave out what is not needed to tell one published port from the others.
    Rm {
        /// Name of the namespace
        ns: String,
        /// Published ports
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<String>,
    },
    /// Say who may use published ports from outside, and how fast
    ///
    /// Checked on the uplinks, by the host port as it was published, before anything else is done
    /// with a packet. Clients on this host and other containers are not asked. What is not given
    /// stays as it is.
    Allow {
        /// Name of the namespace or container
        ns: String,
        /// Published ports, as for `rm`
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<String>,
        /// Addresses, subnets and interfaces that are let in, "any" for everybody; may be repeated
        #[arg(long, value_name = "SRC[,SRC]", value_delimiter = ',')]
        from: Vec<String>,
        /// Most new connections and packets of each source: 20conn/s,1000pkt/s (s, min or h), or
        /// "none"
        #[arg(long, value_name = "LIMIT[,LIMIT]")]
        limit: Option<String>,
        /// Take back what was said; labels of a container count again
        #[arg(long, conflicts_with_all = ["from", "limit"])]
        clear: bool,
    },
    /// List published ports
    Ls,
}

#[derive(Debug, Subcommand)]
pub enum Docker {
    /// Tell what has to be changed for netctl to serve Docker's networks
    ///
    /// Changes nothing. Looks at daemon.json and the Engine, at firewalls and what they and the
    /// Engine have left, at other container networks and at the kernel. Exit status 0: nothing has
    /// to be changed; 1: something has, and the exact lines are printed.
    Check(DockerFiles),
    /// Switch the Engine's own rules and proxies off, and netctl's adoption on
    ///
    /// Writes daemon.json and netctl.toml, keeping what is there, with copies beside them.
    /// Restarts nothing, and says what has to be restarted.
    Enable(DockerSwitch),
    /// Take back what `docker enable` changed
    Disable(DockerSwitch),
}

/// Files of `netctl docker`.
#[derive(Clone, Debug, Args)]
pub struct DockerFiles {
    /// The Engine's configuration [default: /etc/docker/daemon.json]
    #[arg(long, value_name = "FILE")]
    pub daemon_json: Option<PathBuf>,
    /// netctl's configuration [default: /etc/netctl/netctl.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that files are looked for below: of an image, or of a test
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
}

#[derive(Debug, Args)]
pub struct DockerSwitch {
    #[command(flatten)]
    pub files: DockerFiles,
    /// Show what would change, as a diff, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl Cli {
    /// Run folder that the daemon is looked for in.
    pub fn run_folder(&self) -> PathBuf {
        self.run.clone().unwrap_or_else(|| defaults::RUN.into())
    }
}

#[cfg(test)]
mod tests;
