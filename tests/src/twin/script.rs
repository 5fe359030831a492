//! Random scripts of flows: who calls whom from which port, and how it ends.

use std::fmt;

use crate::{
    agent::{End, Proto},
    fuzz::Random,
    packet::Family,
};

/// Somebody who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Web,
    Client,
    Lan,
    Host,
}

/// Somebody who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The neighbour's server, by its own address.
    Lan,
    /// Another server of the neighbour's.
    LanOther,
    /// The same by an address beyond.
    Outside,
    /// A port where nobody listens.
    Closed,
    /// The published port by the host's address.
    Published,
    /// The container's own address.
    Web,
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub actor: Actor,
    pub family: Family,
    pub proto: Proto,
    /// 0: the kernel's choice, and a socket of its own each time.
    pub port: u16,
    pub target: Target,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asks by a socket bound to that port. A held socket is used again; a TCP connection that is
    /// not there is opened.
    Ask(Call),
    /// Ends a TCP connection.
    End { call: Call, how: End },
    /// Three echo requests.
    Ping {
        actor: Actor,
        family: Family,
        identifier: u16,
        target: Target,
    },
    /// What does the NAT is started anew: netctl's daemon, the kernel's rules.
    Restart,
}

/// Few, so that they collide: outside what the kernel draws from, one of them privileged.
const PORTS: [u16; 4] = [4000, 4001, 500, 9000];
/// Few for the same reason.
const IDENTIFIERS: [u16; 3] = [7, 8, 4000];

/// Makes the script of a seed.
pub(super) fn script(seed: u64, steps: usize) -> Vec<Step> {
    let mut random = Random::new(seed, 0x7717);
    let mut script: Vec<Step> = Vec::with_capacity(steps);
    while script.len() < steps {
        let actor = *random.pick(&[
            Actor::Web,
            Actor::Client,
            Actor::Client,
            Actor::Lan,
            Actor::Host,
        ]);
        let family = *random.pick(&Family::BOTH);
        let target = target(actor, &mut random);
        let step = match random.below(12) {
            0 if random.once_in(6) => Step::Restart,
            0 | 1 => Step::Ping {
                actor,
                family,
                identifier: *random.pick(&IDENTIFIERS),
                target,
            },
            2..=4 => match earlier(&script, &mut random) {
                Some(step) => step,
                None => continue,
            },
            _ => Step::Ask(Call {
                actor,
                family,
                proto: *random.pick(&[Proto::Tcp, Proto::Udp]),
                port: if random.once_in(6) {
                    0
                } else {
                    *random.pick(&PORTS)
                },
                target,
            }),
        };
        script.push(step);
        // From the very port of a connection that has just ended.
        if let Step::End { call, .. } = step
            && random.once_in(2)
        {
            script.push(Step::Ask(call));
        }
    }
    script
}

fn target(actor: Actor, random: &mut Random) -> Target {
    let targets: &[Target] = match actor {
        Actor::Web | Actor::Client => &[
            Target::Lan,
            Target::LanOther,
            Target::Outside,
            Target::Closed,
            Target::Published,
            Target::Web,
        ],
        Actor::Lan => &[Target::Published],
        Actor::Host => &[Target::Published, Target::Web],
    };
    *random.pick(targets)
}

/// Ends a connection of one of the last steps, or asks there once more.
fn earlier(script: &[Step], random: &mut Random) -> Option<Step> {
    let recent = &script[script.len().saturating_sub(12)..];
    let asks: Vec<Call> = recent
        .iter()
        .filter_map(|step| match step {
            Step::Ask(call) if call.port != 0 => Some(*call),
            _ => None,
        })
        .collect();
    if asks.is_empty() {
        return None;
    }
    let call = *random.pick(&asks);
    Some(if call.proto == Proto::Tcp && !random.once_in(3) {
        let how = *random.pick(&[End::Close, End::Half, End::Reset]);
        Step::End { call, how }
    } else {
        Step::Ask(call)
    })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(Call {
                actor,
                family,
                proto,
                port,
                target,
            }) => write!(
                f,
                "{actor:?}:{port} asks {target:?} by {proto:?} and {family:?}"
            ),
            Self::End { call, how } => {
                let Call {
                    actor,
                    family,
                    port,
                    target,
                    ..
                } = call;
                let how = match how {
                    End::Close => "closes",
                    End::Half => "asks over and closes",
                    End::Reset => "resets",
                };
                write!(
                    f,
                    "{actor:?}:{port} {how} its connection to {target:?} by {family:?}"
                )
            }
            Self::Ping {
                actor,
                family,
                identifier,
                target,
            } => write!(
                f,
                "{actor:?} pings {target:?} by {family:?} as {identifier}"
            ),
            Self::Restart => write!(f, "the NAT is started anew"),
        }
    }
}
