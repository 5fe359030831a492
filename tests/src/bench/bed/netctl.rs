//! netctl, by its defaults.

use std::net::Ipv4Addr;

use super::{Bed, Cast, Path, Route, route_of, same_conditions_in};
use crate::bench::interrupt;
use crate::lab::Lab;

const WEB: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);

pub struct Netctl {
    pub lab: Lab,
    cast: Cast,
}

impl Netctl {
    pub const NAME: &str = "netctl";

    pub fn start(config: &str) -> Result<Self, String> {
        Self::with(config, "", "")
    }

    /// With IPv6: fd00:18::/64, with the last numbers of IPv4.
    pub fn dual_stack(config: &str) -> Result<Self, String> {
        Self::with(config, "--subnet fd00:18::/64", "--ip6 fd00:18::2")
    }

    fn with(config: &str, subnet6: &str, web6: &str) -> Result<Self, String> {
        interrupt::check()?;
        let lab = Lab::with_config(config);
        let web = format!("--ip {WEB} {web6} -p 8080:80/tcp -p 8080:80/udp");
        lab.populate(
            &format!("app --subnet 172.18.0.0/16 {subnet6}"),
            &[("web", &web), ("client", "")],
        );
        let cast = Cast::named(&lab, WEB);
        same_conditions_in(&lab, &cast)?;
        Ok(Self { lab, cast })
    }
}

impl Bed for Netctl {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn route(&self, path: Path) -> Option<Route> {
        Some(route_of(&self.lab, &self.cast, path))
    }
}
