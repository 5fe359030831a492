//! What tests over more than one hop share: the usual topology with a machine behind a router,
//! and the ends of a path in either family.

use std::net::IpAddr;

use netctl_tests::lab::{FAR, FAR6, Far, HOST, HOST6, LAN, LAN6, OUTSIDE, OUTSIDE6};

use crate::usual::{GATEWAY, GATEWAY6, Usual};

/// Everybody's address in one family.
pub(crate) struct Ends {
    pub(crate) family: u8,
    pub(crate) gateway: IpAddr,
    pub(crate) host: IpAddr,
    pub(crate) router: IpAddr,
    pub(crate) far: IpAddr,
    /// Of the router's loopback, or what it refuses (`Lab::refuse_outside`).
    pub(crate) outside: IpAddr,
    /// Bytes of the IP header.
    pub(crate) header: usize,
    /// Types of "time exceeded" and "too big" with its code.
    pub(crate) exceeded: u8,
    pub(crate) too_big: (u8, u8),
    pub(crate) port_unreachable: (u8, u8),
}

/// Of both families.
pub(crate) fn ends() -> [Ends; 2] {
    [
        Ends {
            family: 4,
            gateway: GATEWAY.into(),
            host: HOST.into(),
            router: LAN.into(),
            far: FAR.into(),
            outside: OUTSIDE.into(),
            header: 20,
            exceeded: 11,
            too_big: (3, 4),
            port_unreachable: (3, 3),
        },
        Ends {
            family: 6,
            gateway: GATEWAY6.into(),
            host: HOST6.into(),
            router: LAN6.into(),
            far: FAR6.into(),
            outside: OUTSIDE6.into(),
            header: 40,
            exceeded: 3,
            too_big: (2, 0),
            port_unreachable: (1, 4),
        },
    ]
}

/// The far machine, with the echo servers that the neighbour has, too.
pub(crate) fn far(usual: &Usual) -> Far {
    let far = usual.lab.add_far();
    far.agent.serve_all(7000);
    far.agent.serve_all6(7000);
    far
}
