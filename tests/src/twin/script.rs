//! Random scripts of flows: who calls whom from which port, and how it ends.

use std::fmt;

use crate::{agent::Proto, fuzz::Random};

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

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asks by a socket bound to that port (0: the kernel's choice, a socket of its own each
    /// time). A held socket is used again; a TCP connection that is not there is opened.
    Ask {
        actor: Actor,
        proto: Proto,
        port: u16,
        target: Target,
    },
    /// Ends a TCP connection: by a FIN and waiting for the other's, or by an RST.
    End {
        actor: Actor,
        port: u16,
        target: Target,
        reset: bool,
    },
    /// Three echo requests.
    Ping { actor: Actor, target: Target },
}

/// Few, so that they collide: outside what the kernel draws from, one of them privileged.
const PORTS: [u16; 4] = [4000, 4001, 500, 9000];

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
        let target = target(actor, &mut random);
        let step = match random.below(12) {
            0 => Step::Ping { actor, target },
            1..=3 => match earlier(&script, &mut random) {
                Some(step) => step,
                None => continue,
            },
            _ => Step::Ask {
                actor,
                proto: *random.pick(&[Proto::Tcp, Proto::Udp]),
                port: if random.once_in(6) {
                    0
                } else {
                    *random.pick(&PORTS)
                },
                target,
            },
        };
        script.push(step);
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
    let asks: Vec<&Step> = recent
        .iter()
        .filter(|step| matches!(step, Step::Ask { port: 1.., .. }))
        .collect();
    if asks.is_empty() {
        return None;
    }
    let step = **random.pick(&asks);
    match step {
        Step::Ask {
            actor,
            proto: Proto::Tcp,
            port,
            target,
        } if !random.once_in(3) => Some(Step::End {
            actor,
            port,
            target,
            reset: random.once_in(2),
        }),
        step => Some(step),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask {
                actor,
                proto,
                port,
                target,
            } => write!(f, "{actor:?}:{port} asks {target:?} by {proto:?}"),
            Self::End {
                actor,
                port,
                target,
                reset,
            } => {
                let how = if *reset { "resets" } else { "closes" };
                write!(f, "{actor:?}:{port} {how} its connection to {target:?}")
            }
            Self::Ping { actor, target } => write!(f, "{actor:?} pings {target:?}"),
        }
    }
}
