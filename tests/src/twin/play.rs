//! Carries a step out in one of the labs, and says what was seen by names instead of addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::script::{Actor, Step, Target};
use crate::{
    agent::{Agent, Connect, Proto},
    bench::bed::{INNER, PUBLISHED},
    lab::{HOST, LAN, Lab, OUTSIDE},
};

/// What is awaited: long for a loaded machine where an answer is sure to come.
const PATIENCE_MS: u64 = 1500;
/// Where none is awaited.
const SHORT_MS: u64 = 150;

/// One lab with its cast.
pub(super) struct Stage<'l> {
    lab: &'l Lab,
    web: Agent,
    client: Agent,
    /// The first two numbers of the containers' addresses.
    net: [u8; 2],
}

/// What the caller saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// An answer: whom the server saw, with his own port or another, and who answered.
    Answer {
        caller: String,
        port_kept: bool,
        answerer: String,
    },
    /// The error's name.
    Failed(String),
    /// Echo answers.
    Echoes(u16),
    /// The connection's end was seen.
    Ended,
}

impl Seen {
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Answer { .. })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer {
                caller,
                port_kept,
                answerer,
            } => {
                let port = if *port_kept { "its own" } else { "another" };
                write!(
                    f,
                    "the server saw {caller} with {port} port; {answerer} answered"
                )
            }
            Self::Failed(error) => write!(f, "{error}"),
            Self::Echoes(count) => write!(f, "{count} echoes"),
            Self::Ended => write!(f, "the end"),
        }
    }
}

impl<'l> Stage<'l> {
    #[track_caller]
    pub(super) fn new(lab: &'l Lab, net: [u8; 2]) -> Self {
        let stage = Self {
            lab,
            web: lab.agent_in("web"),
            client: lab.agent_in("client"),
            net,
        };
        for proto in [Proto::Tcp, Proto::Udp] {
            stage.web.serve(proto, (Ipv4Addr::UNSPECIFIED, INNER));
            for port in [7000, 7010] {
                lab.lan().serve(proto, (Ipv4Addr::UNSPECIFIED, port));
            }
        }
        stage
    }

    fn agent(&self, actor: Actor) -> &Agent {
        match actor {
            Actor::Web => &self.web,
            Actor::Client => &self.client,
            Actor::Lan => self.lab.lan(),
            Actor::Host => self.lab.host(),
        }
    }

    fn inside(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.net[0], self.net[1], 0, last)
    }

    fn target(&self, target: Target) -> (Ipv4Addr, u16) {
        match target {
            Target::Lan => (LAN, 7000),
            Target::LanOther => (LAN, 7010),
            Target::Outside => (OUTSIDE, 7000),
            Target::Closed => (LAN, 7999),
            Target::Published => (HOST, PUBLISHED),
            Target::Web => (self.inside(2), INNER),
        }
    }

    /// The same words in both labs.
    fn name(&self, addr: IpAddr) -> String {
        let known = [
            (self.inside(1), "the gateway"),
            (self.inside(2), "web"),
            (self.inside(3), "client"),
            (HOST, "the host"),
            (LAN, "the neighbour"),
            (OUTSIDE, "the outside"),
        ];
        let found = known.iter().find(|(one, _)| IpAddr::V4(*one) == addr);
        found.map_or_else(|| addr.to_string(), |(_, name)| (*name).to_owned())
    }

    pub(super) fn play(&self, step: &Step) -> Seen {
        match *step {
            Step::Ask {
                actor,
                proto,
                port,
                target,
            } => self.ask(actor, proto, port, target),
            Step::End {
                actor,
                port,
                target,
                reset,
            } => match self
                .agent(actor)
                .finish(&hold(Proto::Tcp, port, target), reset)
            {
                Ok(_bytes) => Seen::Ended,
                Err(error) => Seen::Failed(error),
            },
            Step::Ping { actor, target } => {
                let (addr, _) = self.target(target);
                Seen::Echoes(self.agent(actor).ping(addr, 3, PATIENCE_MS))
            }
        }
    }

    fn ask(&self, actor: Actor, proto: Proto, port: u16, target: Target) -> Seen {
        let to = self.target(target);
        let patience = if target == Target::Closed && proto == Proto::Udp {
            SHORT_MS
        } else {
            PATIENCE_MS
        };
        let mut ask = Connect::to(proto, to).within_ms(patience);
        if port != 0 {
            // The container's own address, or the routes' choice.
            let own = match actor {
                Actor::Web => self.inside(2),
                Actor::Client => self.inside(3),
                Actor::Lan => LAN,
                Actor::Host => Ipv4Addr::UNSPECIFIED,
            };
            ask = ask.from((own, port)).hold(&hold(proto, port, target));
        }
        match self.agent(actor).connect(ask) {
            Ok(answer) => Seen::Answer {
                caller: self.name(answer.seen.ip()),
                port_kept: answer.seen.port() == answer.local.port(),
                answerer: self.peer(answer.peer),
            },
            Err(error) => {
                // A socket that has failed is of no more use.
                self.agent(actor).release(&hold(proto, port, target));
                Seen::Failed(error)
            }
        }
    }

    fn peer(&self, peer: SocketAddr) -> String {
        format!("{}:{}", self.name(peer.ip()), peer.port())
    }
}

/// A connected socket for each port and target.
fn hold(proto: Proto, port: u16, target: Target) -> String {
    format!("{proto:?}-{port}-{target:?}")
}
