//! Who talks to whom in the demo, and whom the server must see.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{CLIENT, GATEWAY, PUBLISHED, WEB, screen::Screen};
use crate::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, LAN, Lab},
};

/// Everybody in the demo.
pub(super) struct Cast<'a> {
    pub(super) lab: &'a Lab,
    pub(super) web: &'a Agent,
    pub(super) client: &'a Agent,
}

struct Path<'a> {
    name: &'static str,
    from: &'a Agent,
    to: SocketAddr,
    /// Source address that the server must see.
    seen: Ipv4Addr,
    who: &'static str,
}

/// Asks by HTTP on every path and prints a row for each; true when all were as they should be.
pub(super) fn show(cast: &Cast<'_>, screen: &Screen) -> bool {
    screen.path(None, ["path", "asked for", "source that the server saw"]);
    let mut all = true;
    for path in paths(cast) {
        let answer = path.from.connect(Connect::to(Proto::Http, path.to));
        let (good, seen) = match answer {
            Ok(answer) => {
                let good = answer.seen.ip() == IpAddr::V4(path.seen);
                let who = if good { path.who } else { "wrong" };
                (good, format!("{:<15} {who}", answer.seen.ip()))
            }
            Err(error) => (false, format!("no answer: {error}")),
        };
        screen.path(Some(good), [path.name, &path.to.to_string(), &seen]);
        all &= good;
    }
    all
}

fn paths<'a>(cast: &Cast<'a>) -> [Path<'a>; 7] {
    let path = |name, from, to: (Ipv4Addr, u16), (seen, who)| Path {
        name,
        from,
        to: to.into(),
        seen,
        who,
    };
    let gateway = (GATEWAY, "the gateway: a process of the host");
    [
        path(
            "lan → the host's port",
            cast.lab.lan(),
            (HOST, PUBLISHED),
            (LAN, "its own"),
        ),
        path(
            "host → 127.0.0.1",
            cast.lab.host(),
            (Ipv4Addr::LOCALHOST, PUBLISHED),
            gateway,
        ),
        path(
            "host → its LAN address",
            cast.lab.host(),
            (HOST, PUBLISHED),
            gateway,
        ),
        path(
            "client → web directly",
            cast.client,
            (WEB, 80),
            (CLIENT, "its own"),
        ),
        path(
            "client → the host's port",
            cast.client,
            (HOST, PUBLISHED),
            (CLIENT, "its own"),
        ),
        path(
            "web → its own port of the host",
            cast.web,
            (HOST, PUBLISHED),
            (GATEWAY, "the gateway: it asked itself"),
        ),
        path(
            "web → a server in lan",
            cast.web,
            (LAN, 80),
            (HOST, "the host's: masqueraded"),
        ),
    ]
}
