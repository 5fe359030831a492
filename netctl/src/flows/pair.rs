//! Both halves of a flow as one: state, idle time, lifetime. Pure.

use std::time::Duration;

use netctl_common::{
    flow::{Flow, FlowKey, flags, side},
    packet::proto,
    tcp::TcpState,
    wire::Address,
};

use crate::reconcile::options::Timeouts;

/// The kernel's time base at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub jiffies: u64,
    pub hz: u32,
}

impl Clock {
    /// Time since a moment in jiffies; zero for one that is not over yet.
    pub fn since(&self, jiffies: u64) -> Duration {
        let ticks = self.jiffies.saturating_sub(jiffies);
        Duration::from_millis(ticks.saturating_mul(1000) / u64::from(self.hz.max(1)))
    }
}

/// A flow: the half that opened it, and the other one unless it was lost.
#[derive(Clone, Copy, Debug)]
pub struct Pair<A> {
    /// The first packet's tuple.
    pub key: FlowKey<A>,
    pub original: Flow<A>,
    pub reply: Option<Flow<A>>,
}

impl<A: Address> Pair<A> {
    /// A datagram from outside does not keep a mapping (RFC 4787, REQ-6a): nobody outside can
    /// hold on to a port that its container has forgotten. TCP's two sides answer each other.
    fn last_seen(&self) -> u64 {
        let reply = self.reply.map_or(0, |half| half.last_seen);
        let mapped = self.original.flags & flags::MAPPED != 0 && self.key.proto != proto::TCP;
        if mapped && self.reply.is_some() {
            return if self.key.side == side::INSIDE {
                self.original.last_seen
            } else {
                reply
            };
        }
        self.original.last_seen.max(reply)
    }

    /// State of a TCP connection or an SCTP association; other protocols have none.
    pub fn tcp_state(&self) -> Option<TcpState> {
        let reply = self.reply.map_or(0, |half| half.tcp_seen);
        let has_state = proto::has_connections(self.key.proto);
        has_state.then(|| TcpState::of(self.original.tcp_seen, reply))
    }

    /// Whether the other side has answered. A half writes its time at most once a second, so an
    /// answer shows a second after the flow's beginning at the latest.
    pub fn is_answered(&self) -> bool {
        self.reply
            .is_some_and(|half| half.tcp_seen != 0 || half.last_seen > half.created)
    }

    pub fn idle(&self, clock: Clock) -> Duration {
        clock.since(self.last_seen())
    }

    /// How long it may be idle.
    pub fn timeout(&self, timeouts: &Timeouts) -> Duration {
        match (self.tcp_state(), self.key.proto) {
            (Some(TcpState::Established), proto::SCTP) => timeouts.sctp,
            (Some(TcpState::Established), _) => timeouts.tcp_established,
            (Some(TcpState::Opening), _) => timeouts.tcp_opening,
            (Some(TcpState::Closing), _) => timeouts.tcp_closing,
            (None, proto::ICMP | proto::ICMPV6) => timeouts.icmp,
            (None, proto::UDP) => timeouts.udp,
            (None, _) => timeouts.generic,
        }
    }

    /// Whether it is a connection that both sides have ended.
    pub fn is_over(&self) -> bool {
        let reply = self.reply.map_or(0, |half| half.tcp_seen);
        proto::has_connections(self.key.proto) && TcpState::is_over(self.original.tcp_seen, reply)
    }

    /// Whether the connection still counts as one: not closing, not timed out.
    pub fn is_active(&self, clock: Clock, timeouts: &Timeouts) -> bool {
        self.tcp_state() != Some(TcpState::Closing) && self.idle(clock) < self.timeout(timeouts)
    }
}

#[cfg(test)]
mod tests {
    use netctl_common::{
        tcp::seen,
        wire::{V4, V6},
    };

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        tcp_established: Duration::from_secs(1000),
        tcp_opening: Duration::from_secs(60),
        tcp_closing: Duration::from_secs(70),
        udp: Duration::from_secs(300),
        icmp: Duration::from_secs(30),
        sctp: Duration::from_secs(200),
        generic: Duration::from_secs(600),
    };

    fn pair(proto: u8, original: (u8, u64), reply: Option<(u8, u64)>) -> Pair<V4> {
        let half = |(tcp_seen, last_seen)| Flow {
            tcp_seen,
            last_seen,
            created: 1000,
            ..Flow::default()
        };
        Pair {
            key: FlowKey {
                proto,
                ..FlowKey::default()
            },
            original: half(original),
            reply: reply.map(half),
        }
    }

    #[test]
    fn the_later_half_counts() {
        let clock = Clock {
            jiffies: 100_000,
            hz: 250,
        };
        let udp = pair(proto::UDP, (0, 1000), Some((0, 75_000)));
        assert_eq!(udp.idle(clock), Duration::from_secs(100));
        assert!(udp.is_active(clock, &TIMEOUTS) && udp.is_answered());
        let lost = pair(proto::UDP, (0, 1000), None);
        assert_eq!(lost.idle(clock), Duration::from_secs(396));
        assert!(!lost.is_active(clock, &TIMEOUTS) && !lost.is_answered());
    }

    #[test]
    fn a_connection_is_over_when_both_sides_say_so_or_one_resets_it() {
        let over = |original, reply| pair(proto::TCP, (original, 0), Some((reply, 0))).is_over();
        let alive = seen::SYN | seen::ACK;
        assert!(!over(alive, alive) && !over(alive | seen::FIN, alive));
        assert!(over(alive | seen::FIN, alive | seen::FIN));
        assert!(over(alive, alive | seen::RST));
        assert!(!pair(proto::UDP, (seen::FIN, 0), Some((seen::FIN, 0))).is_over());
    }

    #[test]
    fn tcp_timeouts_follow_the_state() {
        let tcp = |original, reply| {
            pair(proto::TCP, (original, 1000), Some((reply, 1000))).timeout(&TIMEOUTS)
        };
        let established = seen::SYN | seen::ACK;
        assert_eq!(tcp(seen::SYN, 0), TIMEOUTS.tcp_opening);
        assert_eq!(tcp(established, seen::SYN), TIMEOUTS.tcp_established);
        assert_eq!(
            tcp(established | seen::FIN, seen::ACK),
            TIMEOUTS.tcp_closing
        );
        let other = |proto| pair(proto, (established, 1000), Some((established, 1000)));
        assert_eq!(other(proto::SCTP).timeout(&TIMEOUTS), TIMEOUTS.sctp);
        assert_eq!(other(47).timeout(&TIMEOUTS), TIMEOUTS.generic);
        assert_eq!(other(47).tcp_state(), None);
        assert_eq!(
            pair(proto::ICMP, (0, 0), None).timeout(&TIMEOUTS),
            TIMEOUTS.icmp
        );
        let echo6 = Pair {
            key: FlowKey::<V6> {
                proto: proto::ICMPV6,
                ..FlowKey::default()
            },
            original: Flow::default(),
            reply: None,
        };
        assert_eq!(echo6.timeout(&TIMEOUTS), TIMEOUTS.icmp);
    }
}
