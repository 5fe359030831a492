//! A Linux bridge and nftables rules in netavark's manner: one DNAT rule for each port, jumped to
//! from prerouting and output, masquerade for what leaves and for hairpins by a mark.

use super::{
    Bed, Cast, Path, Route, forget_ended_connections, route_of,
    routed::{WEB, bridged, with_ipv6},
    sh,
};
use crate::{lab::Lab, packet::Family};

pub struct Nft {
    pub lab: Lab,
    cast: Cast,
}

impl Nft {
    pub const NAME: &str = "bridge+nft";

    pub fn start() -> Result<Self, String> {
        let (lab, cast) = bridged()?;
        let bed = Self { lab, cast };
        bed.rules(0)?;
        forget_ended_connections(bed.lab.host_place())?;
        Ok(bed)
    }

    /// The same with IPv6 in the same manner (NAT66).
    pub fn dual_stack() -> Result<Self, String> {
        let bed = Self::start()?;
        with_ipv6(&bed.lab)?;
        bed.load(&table(Family::V6, 0))?;
        Ok(bed)
    }

    /// Rules for the published port behind those of `others` other ports.
    pub fn rules(&self, others: u16) -> Result<(), String> {
        self.load(&table(Family::V4, others))
    }

    fn load(&self, rules: &str) -> Result<(), String> {
        let file = self.lab.scratch().join("rules.nft");
        std::fs::write(&file, rules).map_err(|error| error.to_string())?;
        sh(self.lab.host_place(), &format!("nft -f {}", file.display())).map(drop)
    }
}

/// The table of a family, in place of what is there of it.
fn table(family: Family, others: u16) -> String {
    let web = WEB.to_string();
    let (name, ip, subnet, loopback, web, group) = family.pick(
        (
            "netavark",
            "ip",
            "172.20.0.0/16",
            "127.0.0.1",
            &*web,
            "224.0.0.0/4",
        ),
        (
            "netavark6",
            "ip6",
            "fd00:20::/64",
            "::1",
            "[fd00:20::2]",
            "ff00::/8",
        ),
    );
    let others = (20_000..20_000 + others).map(|port| ("tcp", port));
    let own = ["tcp", "udp"].map(|protocol| (protocol, super::PUBLISHED));
    let mut ports = String::new();
    for (protocol, port) in others.chain(own) {
        for source in [subnet, loopback] {
            ports.push_str(&format!(
                "{ip} saddr {source} {protocol} dport {port} meta mark set mark or 0x2000\n"
            ));
        }
        ports.push_str(&format!("{protocol} dport {port} dnat {ip} to {web}:80\n"));
    }
    format!(
        "table inet {name}\n\
         delete table inet {name}\n\
         table inet {name} {{\n\
         chain ports {{\n{ports}}}\n\
         chain prerouting {{ type nat hook prerouting priority dstnat; fib daddr type local jump ports; }}\n\
         chain output {{ type nat hook output priority -100; fib daddr type local jump ports; }}\n\
         chain postrouting {{ type nat hook postrouting priority srcnat;\n\
         meta mark & 0x2000 == 0x2000 masquerade\n\
         {ip} saddr {subnet} {ip} daddr {subnet} accept\n\
         {ip} saddr {subnet} {ip} daddr != {group} masquerade\n}}\n\
         chain forward {{ type filter hook forward priority filter;\n\
         ct state invalid drop\n\
         {ip} daddr {subnet} ct state established,related accept\n\
         {ip} saddr {subnet} accept\n}}\n\
         }}\n"
    )
}

impl Bed for Nft {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn route(&self, path: Path) -> Option<Route> {
        Some(route_of(&self.lab, &self.cast, path))
    }
}
