//! The peers: each a lab of its own with the same cast and the same ways between them, carried by
//! something else.

pub mod direct;
pub mod docker;
pub mod guard;
pub mod netctl;
pub mod nft;
pub mod routed;

use std::net::{Ipv4Addr, SocketAddr};

use super::worker::Cpus;
use crate::{
    lab::{HOST, LAN, Lab, netns_path},
    place::Place,
};

/// Host port that `web`'s port is published on.
pub const PUBLISHED: u16 = 8080;
/// Where servers listen.
pub const INNER: u16 = 80;
/// What clients draw ports from: as many as a second of connections needs, and the same for all.
const CLIENT_PORTS: &str = "40000 49999";

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Container to container, same network.
    Same,
    /// LAN to the published port.
    Published,
    /// Container to the LAN.
    Outside,
    /// Host process to 127.0.0.1 and the published port.
    Loopback,
    /// Host process to the container's own address.
    Direct,
    /// Container to its own published port by the host's address.
    Own,
    /// Container to its neighbour's published port by the host's address.
    Neighbour,
}

/// Both ends of a load.
pub struct Route {
    pub client: Place,
    pub server: Place,
    /// What the client connects to.
    pub target: SocketAddr,
    /// What the server binds.
    pub listen: SocketAddr,
}

/// Members of a network: `web` has published ports.
pub struct Cast {
    pub web: Place,
    pub client: Place,
    pub web_addr: Ipv4Addr,
}

impl Cast {
    /// That of named namespaces `web` and `client`.
    fn named(lab: &Lab, web_addr: Ipv4Addr) -> Self {
        let place = |name| lab.host_place().in_netns(&netns_path(name));
        Self {
            web: place("web"),
            client: place("client"),
            web_addr,
        }
    }
}

/// One peer, ready for traffic.
pub trait Bed {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// The way, where it has one.
    fn route(&self, path: Path) -> Option<Route>;

    /// Keeps helper processes on these CPUs.
    fn pin(&self, cpus: Cpus) -> Result<(), String> {
        let _everybody_is_in_the_kernel = cpus;
        Ok(())
    }
}

/// A bed, or why there is none.
pub type Started = Result<Box<dyn Bed>, String>;

/// The ways of a lab whose host serves containers.
fn route_of(lab: &Lab, cast: &Cast, path: Path) -> Route {
    let host = || lab.host_place().clone();
    let published = |addr: Ipv4Addr| SocketAddr::from((addr, PUBLISHED));
    let inner = |addr: Ipv4Addr| SocketAddr::from((addr, INNER));
    let (client, server, target) = match path {
        Path::Same => (cast.client.clone(), &cast.web, inner(cast.web_addr)),
        Path::Published => (lab.lan_place().clone(), &cast.web, published(HOST)),
        Path::Outside => (cast.client.clone(), lab.lan_place(), inner(LAN)),
        Path::Loopback => (host(), &cast.web, published(Ipv4Addr::LOCALHOST)),
        Path::Direct => (host(), &cast.web, inner(cast.web_addr)),
        Path::Own => (cast.web.clone(), &cast.web, published(HOST)),
        Path::Neighbour => (cast.client.clone(), &cast.web, published(HOST)),
    };
    Route {
        client,
        server: server.clone(),
        target,
        listen: (Ipv4Addr::UNSPECIFIED, INNER).into(),
    }
}

/// Gives clients of these places the same ports to draw from, and servers no memory of ended
/// connections: by TIME_WAIT a server would refuse another client that a NAT gives the same
/// source, for the second until the client asks again.
fn same_conditions_in(lab: &Lab, cast: &Cast) -> Result<(), String> {
    same_conditions(&[&cast.web, &cast.client, lab.host_place(), lab.lan_place()])
}

/// See [`same_conditions_in`].
fn same_conditions(places: &[&Place]) -> Result<(), String> {
    for place in places {
        let folder = "/proc/sys/net/ipv4";
        let ports = format!("echo {CLIENT_PORTS} > {folder}/ip_local_port_range");
        sh(
            place,
            &format!("{ports}\necho 0 > {folder}/tcp_max_tw_buckets"),
        )?;
    }
    Ok(())
}

/// Has conntrack forget ended connections after seconds instead of minutes: its table is one for
/// all namespaces, and a peer must not suffer from what was measured before it.
fn forget_ended_connections(host: &Place) -> Result<(), String> {
    let path = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait";
    sh(host, &format!("echo 5 > {path}")).map(drop)
}

/// Runs a shell script there; its output.
pub fn sh(place: &Place, script: &str) -> Result<String, String> {
    let output = place
        .command("sh")
        .args(["-e", "-c", script])
        .output()
        .map_err(|error| format!("sh: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!("{script}: {}", error.trim()))
    }
}
