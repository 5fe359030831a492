//! Published ports that refuse whoever is not on a list, and the count of what each has refused.

use std::{os::fd::OwnedFd, path::Path as FilePath, time::Duration};

use super::{
    PUBLISHED,
    docker::{Docker, Proxy},
    netctl::Netctl,
    nft::Nft,
    sh,
};
use crate::{
    agent::Offload,
    bench::worker,
    eventually::eventually,
    lab::{HOST, Lab},
    prog::{XDP_DROP, XDP_PASS, xdp_on},
};

/// Whom the ports are for; the lab's neighbour is not among them.
const LIST: &str = "203.0.113.0/24";
const UPLINK: &str = "up0";
const NEIGHBOURS_END: &str = "lan0";
/// Until netctl's programs are where they belong.
const KEPT: Duration = Duration::from_secs(10);

/// Where netctl's program sits that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// XDP in the driver, as on a network card.
    Driver,
    /// XDP in the stack's receive path, as for a driver that has none: netctl's own choice where
    /// a neighbour's packets may be larger than a page.
    Stack,
    /// TC, netctl's own choice for a veth.
    Tc,
}

impl Place {
    /// Configuration of a netctl that has its program there.
    pub fn config(self) -> &'static str {
        match self {
            Self::Driver | Self::Stack => "[datapath]\nxdp = \"on\"\n",
            Self::Tc => "",
        }
    }
}

/// Where nftables refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NftHook {
    /// In prerouting, before connection tracking.
    Raw,
    /// On the interface, before IP: the earliest that nftables has.
    Ingress,
}

/// Somebody who refuses.
pub enum Guard {
    Netctl(Netctl),
    /// The chain that counts.
    Nft(Nft, String),
    /// Docker's chain for its users' rules, which forwarded packets pass.
    DockerUser(Docker),
    /// An XDP program in the driver that drops whatever comes: a limit.
    Nothing(Lab, OwnedFd),
}

impl Guard {
    pub const NETCTL: &str = Netctl::NAME;
    pub const STACK: &str = "netctl, generic XDP";
    pub const TC: &str = "netctl, TC";
    pub const RAW: &str = "nft set, raw";
    pub const INGRESS: &str = "nft set, ingress";
    pub const DOCKER_USER: &str = "docker, DOCKER-USER";
    pub const NOTHING: &str = "XDP, drops all";

    /// netctl with rules for the UDP port of [`PUBLISHED`].
    pub fn netctl(place: Place) -> Result<Self, String> {
        let bed = Netctl::start(place.config())?;
        with_rules(&bed, place, &format!("web {PUBLISHED}:80/udp"))?;
        merging(&bed.lab);
        Ok(Self::Netctl(bed))
    }

    /// nftables with a set of sources, at that hook.
    pub fn nft(hook: NftHook) -> Result<Self, String> {
        let bed = Nft::start()?;
        merging(&bed.lab);
        let (family, hook) = match hook {
            NftHook::Raw => ("ip", "prerouting priority raw".to_owned()),
            NftHook::Ingress => ("netdev", format!("ingress device {UPLINK} priority 0")),
        };
        let chain = format!("{family} guard early");
        let rules = format!(
            "add table {family} guard
             add set {family} guard allowed {{ type ipv4_addr; flags interval; elements = {{ {LIST} }}; }}
             add chain {chain} {{ type filter hook {hook}; }}
             add rule {chain} iifname {UPLINK} udp dport {PUBLISHED} ip saddr != @allowed counter drop"
        );
        sh(bed.lab.host_place(), &format!("nft '{rules}'"))?;
        Ok(Self::Nft(bed, chain))
    }

    pub fn docker_user(tools: &FilePath) -> Result<Self, String> {
        let bed = Docker::start(Proxy::On, tools)?;
        merging(&bed.lab);
        // As Docker's manual has it.
        let rule = format!("iptables -I DOCKER-USER -i {UPLINK} ! -s {LIST} -j DROP");
        sh(bed.lab.host_place(), &rule)?;
        Ok(Self::DockerUser(bed))
    }

    pub fn nothing() -> Result<Self, String> {
        let lab = Lab::bare();
        let program = xdp(&lab, XDP_DROP)?;
        merging(&lab);
        Ok(Self::Nothing(lab, program))
    }

    fn lab(&self) -> &Lab {
        match self {
            Self::Netctl(bed) => &bed.lab,
            Self::Nft(bed, _) => &bed.lab,
            Self::DockerUser(bed) => &bed.lab,
            Self::Nothing(lab, _) => lab,
        }
    }

    /// Packets refused so far, by its own count.
    fn refused(&self) -> Result<f64, String> {
        let host = self.lab().host_place();
        match self {
            Self::Netctl(bed) => {
                let name = "netctl_port_refused_packets_total";
                let labels = ["protocol=\"udp\"", "reason=\"not_allowed\""];
                Ok(bed.lab.scrape().value(name, &labels))
            }
            Self::Nft(_, chain) => nft_counter(host, chain),
            Self::DockerUser(_) => number_in(&sh(host, "iptables -nvxL DOCKER-USER 1")?),
            // Nothing else comes in there.
            Self::Nothing(..) => {
                let text = sh(host, "cat /proc/net/dev")?;
                let counts = text.split_once(&format!("{UPLINK}:")).map(|(_, rest)| rest);
                // Bytes are before packets.
                let packets = counts.and_then(|text| text.trim_start().split_once(' '));
                number_in(packets.map_or("", |(_, rest)| rest))
            }
        }
    }

    /// Refuses for that long what one CPU can send and refuse; packets a second.
    pub fn measure(&self, time: Duration) -> Result<f64, String> {
        flood(self.lab(), time, || self.refused())
    }
}

/// Sends to the published port for that long, and has one CPU do it all; packets a second of those
/// that `count` tells.
pub fn flood(
    lab: &Lab,
    time: Duration,
    count: impl Fn() -> Result<f64, String>,
) -> Result<f64, String> {
    let before = count()?;
    let target = (HOST, PUBLISHED).into();
    let flood = worker::frames(lab.lan_place(), NEIGHBOURS_END, target, time)?;
    let counted = count()? - before;
    // What found no room was not counted, and the sender should have waited; an interface's count
    // has what the two hosts say to each other besides.
    if (counted - flood.sent).abs() > flood.sent / 100.0 {
        return Err(format!("{counted} packets of {} were counted", flood.sent));
    }
    Ok(counted / flood.seconds)
}

/// Has that published port (`web 8080:80/udp`) refuse the lab's neighbour, by netctl's program at
/// that place, for which the bed was configured.
pub fn with_rules(bed: &Netctl, place: Place, port: &str) -> Result<(), String> {
    let lab = &bed.lab;
    let kept = match place {
        Place::Driver => "xdp, native",
        Place::Stack => {
            lab.lan_ip(&format!("link set {NEIGHBOURS_END} mtu 9000"));
            "xdp, generic"
        }
        Place::Tc => "tc (a veth",
    };
    lab.netctl(&format!("port allow {port} --from {LIST}")).ok();
    let mut last = String::new();
    let is_kept = || {
        let status = lab.netctl("status -o json").json();
        last = status["shield"][UPLINK].to_string();
        last.contains(kept).then_some(())
    };
    eventually(KEPT, is_kept).ok_or_else(|| format!("rules are kept by {last}, not {kept}"))
}

/// Somebody's XDP program on the uplink that passes everything.
pub fn pass_by_xdp(lab: &Lab) -> Result<OwnedFd, String> {
    xdp(lab, XDP_PASS)
}

fn xdp(lab: &Lab, verdict: u32) -> Result<OwnedFd, String> {
    xdp_on(lab, UPLINK, verdict).map_err(|error| format!("an XDP program on {UPLINK}: {error}"))
}

/// Has the uplink receive as a network card's driver does.
pub fn merging(lab: &Lab) {
    lab.host().switch(UPLINK, Offload::Merging, true);
}

/// Packets that the one counter of a chain has counted.
pub fn nft_counter(place: &crate::place::Place, chain: &str) -> Result<f64, String> {
    let text = sh(place, &format!("nft list chain {chain}"))?;
    number_in(text.split_once("packets ").map_or("", |(_, rest)| rest))
}

fn number_in(text: &str) -> Result<f64, String> {
    let number = text.split_whitespace().next().map(str::parse);
    match number {
        Some(Ok(number)) => Ok(number),
        _ => Err(format!("no count of packets in {text:?}")),
    }
}
