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
    lab::Lab,
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
    /// XDP in the driver.
    Driver,
    /// XDP in the stack's receive path, as for a driver that has none: netctl's own choice where
    /// a neighbour's packets may be larger than a page.
    Stack,
    /// TC, since somebody else's XDP program has the hook: one that passes everything.
    Tc,
}

/// Somebody who refuses.
pub enum Guard {
    Netctl(Netctl, Option<OwnedFd>),
    /// A set of sources in prerouting, before connection tracking.
    Raw(Nft),
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
    pub const DOCKER_USER: &str = "docker, DOCKER-USER";
    pub const NOTHING: &str = "XDP, drops all";

    /// netctl with rules for the UDP port of [`PUBLISHED`].
    pub fn netctl(place: Place) -> Result<Self, String> {
        let bed = Netctl::start("")?;
        let other = with_rules(&bed, place, &format!("web {PUBLISHED}:80/udp"))?;
        merging(&bed.lab);
        Ok(Self::Netctl(bed, other))
    }

    pub fn raw() -> Result<Self, String> {
        let bed = Nft::start()?;
        merging(&bed.lab);
        let rules = format!(
            "add table ip guard
             add set ip guard allowed {{ type ipv4_addr; flags interval; elements = {{ {LIST} }}; }}
             add chain ip guard early {{ type filter hook prerouting priority raw; }}
             add rule ip guard early iifname {UPLINK} udp dport {PUBLISHED} ip saddr != @allowed counter drop"
        );
        sh(bed.lab.host_place(), &format!("nft '{rules}'"))?;
        Ok(Self::Raw(bed))
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
        let program = xdp_on(&lab, UPLINK, XDP_DROP).map_err(|error| error.to_string())?;
        merging(&lab);
        Ok(Self::Nothing(lab, program))
    }

    fn lab(&self) -> &Lab {
        match self {
            Self::Netctl(bed, _) => &bed.lab,
            Self::Raw(bed) => &bed.lab,
            Self::DockerUser(bed) => &bed.lab,
            Self::Nothing(lab, _) => lab,
        }
    }

    /// Packets refused so far, by its own count.
    fn refused(&self) -> Result<f64, String> {
        let host = self.lab().host_place();
        match self {
            Self::Netctl(bed, _) => {
                let name = "netctl_port_refused_packets_total";
                let labels = ["protocol=\"udp\"", "reason=\"not_allowed\""];
                Ok(bed.lab.scrape().value(name, &labels))
            }
            Self::Raw(_) => {
                let text = sh(host, "nft list chain ip guard early")?;
                number_in(text.split_once("packets ").map_or("", |(_, rest)| rest))
            }
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
        let before = self.refused()?;
        let target = (crate::lab::HOST, PUBLISHED).into();
        let flood = worker::frames(self.lab().lan_place(), NEIGHBOURS_END, target, time)?;
        let refused = self.refused()? - before;
        // What found no room was not refused, and the sender should have waited; the limit's
        // count has what the two hosts say to each other besides.
        if (refused - flood.sent).abs() > flood.sent / 100.0 {
            return Err(format!("{refused} packets of {} were refused", flood.sent));
        }
        Ok(refused / flood.seconds)
    }
}

/// Has that published port (`web 8080:80/udp`) refuse the lab's neighbour, by netctl's program at
/// that place; the program that is in the way of another place.
pub fn with_rules(bed: &Netctl, place: Place, port: &str) -> Result<Option<OwnedFd>, String> {
    let lab = &bed.lab;
    let mut other = None;
    let kept = match place {
        Place::Driver => "xdp, native",
        Place::Stack => {
            lab.lan_ip(&format!("link set {NEIGHBOURS_END} mtu 9000"));
            "xdp, generic"
        }
        Place::Tc => {
            let program = xdp_on(lab, UPLINK, XDP_PASS);
            other = Some(program.map_err(|error| error.to_string())?);
            "tc (another"
        }
    };
    lab.netctl(&format!("port allow {port} --from {LIST}")).ok();
    let mut last = String::new();
    let is_kept = || {
        let status = lab.netctl("status -o json").json();
        last = status["shield"][UPLINK].to_string();
        last.contains(kept).then_some(())
    };
    eventually(KEPT, is_kept).ok_or_else(|| format!("rules are kept by {last}, not {kept}"))?;
    Ok(other)
}

/// Has the uplink receive as a network card's driver does.
fn merging(lab: &Lab) {
    lab.host().switch(UPLINK, Offload::Merging, true);
}

fn number_in(text: &str) -> Result<f64, String> {
    let number = text.split_whitespace().next().map(str::parse);
    match number {
        Some(Ok(number)) => Ok(number),
        _ => Err(format!("no count of packets in {text:?}")),
    }
}
