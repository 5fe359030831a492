//! Carries a step out in one of the labs, and says what was seen by names instead of addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::script::{Actor, Call, Step, Target};
use crate::{
    agent::{Agent, Connect, End, Proto},
    bench::bed::{INNER, PUBLISHED, sh},
    lab::{HOST, HOST6, LAN, LAN6, Lab, OUTSIDE, OUTSIDE6},
    packet::Family,
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
    /// Of the containers' addresses: 172.NET.0.0/16 and fd00:NET::/64.
    net: u8,
    /// Starts what does the NAT anew.
    restart: &'l dyn Fn(),
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
    /// The connection's end was seen, after an answer or without one.
    Ended { answered: bool },
    /// Nothing was looked at.
    Nothing,
}

impl Seen {
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Echoes(3))
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
            Self::Ended { answered: true } => write!(f, "an answer and the end"),
            Self::Ended { answered: false } => write!(f, "the end"),
            Self::Nothing => write!(f, "nothing"),
        }
    }
}

/// Errors about closed ports come as often as they are asked for: by the kernel's defaults the
/// seventh within a second does not, and the twins are not equally fast.
const UNLIMITED: &str = "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit";

impl<'l> Stage<'l> {
    #[track_caller]
    pub(super) fn new(lab: &'l Lab, net: u8, restart: &'l dyn Fn()) -> Self {
        let stage = Self {
            lab,
            web: lab.agent_in("web"),
            client: lab.agent_in("client"),
            net,
            restart,
        };
        sh(lab.lan_place(), UNLIMITED).unwrap_or_else(|error| panic!("{error}"));
        for proto in [Proto::Tcp, Proto::Udp] {
            for family in Family::BOTH {
                let any = family.pick(
                    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    Ipv6Addr::UNSPECIFIED.into(),
                );
                stage.web.serve(proto, (any, INNER));
                for port in [7000, 7010] {
                    lab.lan().serve(proto, (any, port));
                }
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

    fn inside(&self, family: Family, last: u8) -> IpAddr {
        // fd00:18 is written with the decimal digits of 18.
        let net = u16::from(self.net / 10 * 16 + self.net % 10);
        family.pick(
            Ipv4Addr::new(172, self.net, 0, last).into(),
            Ipv6Addr::new(0xfd00, net, 0, 0, 0, 0, 0, last.into()).into(),
        )
    }

    fn target(&self, family: Family, target: Target) -> (IpAddr, u16) {
        let lan = family.pick(LAN.into(), LAN6.into());
        match target {
            Target::Lan => (lan, 7000),
            Target::LanOther => (lan, 7010),
            Target::Outside => (family.pick(OUTSIDE.into(), OUTSIDE6.into()), 7000),
            Target::Closed => (lan, 7999),
            Target::Published => (family.pick(HOST.into(), HOST6.into()), PUBLISHED),
            Target::Web => (self.inside(family, 2), INNER),
        }
    }

    /// The same words in both labs.
    fn name(&self, addr: IpAddr) -> String {
        let family = if addr.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        let known = [
            (self.inside(family, 1), "the gateway"),
            (self.inside(family, 2), "web"),
            (self.inside(family, 3), "client"),
            (family.pick(HOST.into(), HOST6.into()), "the host"),
            (family.pick(LAN.into(), LAN6.into()), "the neighbour"),
            (family.pick(OUTSIDE.into(), OUTSIDE6.into()), "the outside"),
        ];
        let found = known.iter().find(|(one, _)| *one == addr);
        found.map_or_else(|| addr.to_string(), |(_, name)| (*name).to_owned())
    }

    pub(super) fn play(&self, step: &Step) -> Seen {
        match *step {
            Step::Ask(call) => self.ask(call),
            Step::End { call, how } => match self.agent(call.actor).finish(&hold(call), how) {
                Ok(bytes) => Seen::Ended {
                    answered: how == End::Half && bytes > 0,
                },
                Err(error) => Seen::Failed(error),
            },
            Step::Ping {
                actor,
                family,
                identifier,
                target,
            } => {
                let (addr, _) = self.target(family, target);
                let agent = self.agent(actor);
                Seen::Echoes(agent.ping_as(Some(identifier), addr, 3, PATIENCE_MS))
            }
            Step::Restart => {
                (self.restart)();
                Seen::Nothing
            }
        }
    }

    fn ask(&self, call: Call) -> Seen {
        let Call {
            actor,
            family,
            proto,
            port,
            target,
        } = call;
        let to = self.target(family, target);
        let patience = if target == Target::Closed && proto == Proto::Udp {
            SHORT_MS
        } else {
            PATIENCE_MS
        };
        let mut ask = Connect::to(proto, to).within_ms(patience);
        if port != 0 {
            // The container's own address, or the routes' choice.
            let own = match actor {
                Actor::Web => self.inside(family, 2),
                Actor::Client => self.inside(family, 3),
                Actor::Lan => family.pick(LAN.into(), LAN6.into()),
                Actor::Host => {
                    family.pick(Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into())
                }
            };
            ask = ask.from((own, port)).hold(&hold(call));
        }
        match self.agent(actor).connect(ask) {
            Ok(answer) => Seen::Answer {
                caller: self.name(answer.seen.ip()),
                port_kept: answer.seen.port() == answer.local.port(),
                answerer: self.peer(answer.peer),
            },
            Err(error) => {
                // A socket that has failed is of no more use.
                self.agent(actor).release(&hold(call));
                Seen::Failed(error)
            }
        }
    }

    fn peer(&self, peer: SocketAddr) -> String {
        format!("{}:{}", self.name(peer.ip()), peer.port())
    }
}

/// A connected socket for each port and target.
fn hold(call: Call) -> String {
    let Call {
        family,
        proto,
        port,
        target,
        ..
    } = call;
    format!("{family:?}-{proto:?}-{port}-{target:?}")
}
