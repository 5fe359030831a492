//! The one list of what netctl does otherwise than the kernel's NAT with netavark's rules, and
//! why. Nothing else may differ.

use super::{
    play::Seen,
    script::{Actor, Call, Step, Target},
};
use crate::{agent::Proto, packet::Family};

/// A difference that is intended, or a gap that is known.
pub(super) struct Intended {
    pub(super) name: &'static str,
    /// The step, those before it, what was seen by nftables and by netctl.
    pub(super) applies: fn(&Step, &[Step], &Seen, &Seen) -> bool,
}

/// First match counts.
pub(super) const INTENDED: &[Intended] = &[
    Intended {
        // Docker and netavark show the gateway, and the server cannot tell its clients apart.
        // Towards the container itself netctl does as they do.
        name: "a neighbour is seen with its own address at a published port",
        applies: |step, _, kernel, netctl| {
            asks(step, Actor::Client, Target::Published)
                && caller(kernel) == Some("the gateway")
                && caller(netctl) == Some("client")
                && same_answerer(kernel, netctl)
        },
    },
    Intended {
        // The socket is led to the container at connect(): its packets have the source that the
        // routes give them there.
        name: "a host process is seen as the gateway at a published port",
        applies: |step, _, kernel, netctl| {
            asks(step, Actor::Host, Target::Published)
                && caller(kernel) == Some("the host")
                && caller(netctl) == Some("the gateway")
                && same_answerer(kernel, netctl)
        },
    },
    Intended {
        // What the host's own processes may draw at any moment is not kept, or one of the two
        // would lose its answers (port shadowing).
        name: "a port that the host could draw is moved",
        applies: |step, _, kernel, netctl| {
            matches!(step, Step::Ask(Call { port: 0, .. })) && only_the_port_differs(kernel, netctl)
        },
    },
    Intended {
        // The kernel gives a port back 5 to 120 seconds after a connection's end and at once where
        // its table lets it; netctl keeps it for tcp_closing. Either way the flows are told apart.
        name: "when a port that another had is given again",
        applies: |step, before, kernel, netctl| {
            used_by_another(step, before) && only_the_port_differs(kernel, netctl)
        },
    },
    Intended {
        // RFC 4787, REQ-1: the first of two sockets with one port has it for all destinations, the
        // other one another port for all. The kernel decides anew for each destination.
        name: "which of two sockets with one port has it outside, for all destinations",
        applies: |step, before, kernel, netctl| {
            only_the_port_differs(kernel, netctl)
                && before.iter().any(|one| same_port_of_another(step, one))
        },
    },
    Intended {
        // Its source is the gateway's address, which processes of the host have as well: the port
        // is one that none of them has.
        name: "a container that calls its own published port is seen with another port",
        applies: |step, _, kernel, netctl| {
            asks(step, Actor::Web, Target::Published) && only_the_port_differs(kernel, netctl)
        },
    },
    Intended {
        // A host process is led to the container at connect(), so both are one and the same
        // connection to its kernel: the second one is refused (TCP), or shares the answers (UDP).
        // Nothing of that is the datapath's.
        name: "a fixed port of a host process to a published port and to its backend directly",
        applies: clash,
    },
];

fn asks(step: &Step, who: Actor, whom: Target) -> bool {
    matches!(step, Step::Ask(call) if call.actor == who && call.target == whom)
}

fn caller(seen: &Seen) -> Option<&str> {
    match seen {
        Seen::Answer { caller, .. } => Some(caller),
        _ => None,
    }
}

fn same_answerer(a: &Seen, b: &Seen) -> bool {
    match (a, b) {
        (Seen::Answer { answerer: a, .. }, Seen::Answer { answerer: b, .. }) => a == b,
        _ => false,
    }
}

fn only_the_port_differs(a: &Seen, b: &Seen) -> bool {
    caller(a) == caller(b) && same_answerer(a, b)
}

/// Whether both steps send from one port of two callers.
fn same_port_of_another(a: &Step, b: &Step) -> bool {
    match (a, b) {
        (Step::Ask(a), Step::Ask(b)) => a.actor != b.actor && socket(a) == socket(b),
        _ => false,
    }
}

/// What two callers' sockets collide in.
fn socket(call: &Call) -> (Family, Proto, u16) {
    (call.family, call.proto, call.port)
}

/// Whether netctl gave a host process no answer, and that port was used by one towards the other
/// one of `web` and its published port before. An end of a connection that was refused for that
/// reason is none either.
fn clash(step: &Step, before: &[Step], _kernel: &Seen, netctl: &Seen) -> bool {
    let (Step::Ask(call) | Step::End { call, .. }) = step else {
        return false;
    };
    let is_of_web = |call: &Call| matches!(call.target, Target::Web | Target::Published);
    let lost = matches!(netctl, Seen::Failed(_));
    lost && call.port != 0
        && call.actor == Actor::Host
        && is_of_web(call)
        && before.iter().any(|one| {
            matches!(one, Step::Ask(one)
                if is_of_web(one) && socket(one) == socket(call) && one.actor == Actor::Host)
        })
}

/// Whether somebody else called the same server from the same port before.
fn used_by_another(step: &Step, before: &[Step]) -> bool {
    let Step::Ask(call) = step else {
        return false;
    };
    before.iter().any(|one| {
        same_port_of_another(step, one)
            && matches!(one, Step::Ask(one) if one.target == call.target)
    })
}
