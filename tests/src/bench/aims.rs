//! What the benchmark is to show: a ratio of medians of one run, or a bound, for each.

use serde::Serialize;

use super::{
    bed::{direct::Direct, docker::Docker, guard::Guard, netctl::Netctl},
    load::Load,
    result::Outcome,
    rows::{crowd, endpoints, memory, publish, refused, traffic, unruled, walks},
    worker::Cpus,
};

/// An aim and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Aim {
    pub name: String,
    /// How many times better than the peer; for a bound, how many times below it.
    pub ratio: Option<f64>,
    pub target: f64,
    pub met: bool,
}

/// Both ends on one CPU: what is compared is the CPU time of a round trip.
const CPUS: Cpus = Cpus::One;

/// All aims whose rows were measured.
pub fn check(outcomes: &[Outcome]) -> Vec<Aim> {
    let mut aims = Vec::new();
    for (row, load, own, other, target) in RATIOS {
        let name = traffic::name(load, CPUS);
        if let Some(outcome) = find(outcomes, row, &name) {
            aims.push(aim(
                format!("{row}, {}: {own} vs {other}", load.name()),
                outcome.ratio(own, other),
                target,
            ));
        }
    }
    for (row, name, own, other, target) in NAMED {
        if let Some(outcome) = find(outcomes, row, name) {
            let ratio = outcome.ratio(own, other);
            aims.push(aim(
                format!("{row}, {name}: {own} vs {other}"),
                ratio,
                target,
            ));
        }
    }
    for (row, name, bound, unit) in bounds() {
        if let Some(outcome) = find(outcomes, row, &name) {
            let found = outcome.median(Netctl::NAME);
            // A value of nothing is below every bound.
            let ratio = found.map(|found| bound / found.max(bound / 1e3));
            aims.push(aim(
                format!("{row}, {name}: at most {bound} {unit}"),
                ratio,
                1.0,
            ));
        }
    }
    for outcome in outcomes {
        let created = endpoints::ROW == outcome.measure.row
            && outcome.measure.name.starts_with("create 100 ")
            && outcome.measure.name.contains(endpoints::SERIAL)
            && outcome.measure.name.ends_with("rate");
        if created {
            let ratio = outcome.median(Netctl::NAME).map(|rate| rate / 200.0);
            let name = format!("{}: at least 200/s", outcome.measure.name);
            aims.push(aim(name, ratio, 1.0));
        }
    }
    aims
}

fn aim(name: String, ratio: Option<f64>, target: f64) -> Aim {
    Aim {
        name,
        ratio,
        target,
        met: ratio.is_some_and(|ratio| ratio >= target),
    }
}

fn find<'o>(outcomes: &'o [Outcome], row: &str, name: &str) -> Option<&'o Outcome> {
    outcomes
        .iter()
        .find(|outcome| outcome.measure.row == row && outcome.measure.name == name)
}

type Ratio = (&'static str, Load, &'static str, &'static str, f64);

const RATIOS: [Ratio; 26] = [
    (traffic::SAME, Load::Rr, Netctl::NAME, Direct::NAME, 0.95),
    (traffic::SAME, Load::Crr, Netctl::NAME, Direct::NAME, 0.95),
    (
        traffic::SAME,
        Load::Stream,
        Netctl::NAME,
        Direct::NAME,
        0.97,
    ),
    (
        traffic::SAME,
        Load::Rr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.2,
    ),
    (
        traffic::SAME,
        Load::Crr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.4,
    ),
    (
        traffic::PUBLISHED,
        Load::Rr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.2,
    ),
    (
        traffic::PUBLISHED,
        Load::Crr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.5,
    ),
    (
        traffic::PUBLISHED,
        Load::Udp,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.5,
    ),
    (crowd::ROW, Load::Crr, crowd::MANY, crowd::ONE, 0.97),
    (
        traffic::OUTSIDE,
        Load::Rr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.2,
    ),
    (
        traffic::OUTSIDE,
        Load::Crr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.4,
    ),
    (
        traffic::LOOPBACK,
        Load::Rr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        2.5,
    ),
    (
        traffic::LOOPBACK,
        Load::Crr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        3.0,
    ),
    (
        traffic::LOOPBACK,
        Load::Stream,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.5,
    ),
    (
        traffic::LOOPBACK,
        Load::Rr,
        Netctl::NAME,
        traffic::DIRECT_ADDRESS,
        0.97,
    ),
    (
        traffic::LOOPBACK,
        Load::Crr,
        Netctl::NAME,
        traffic::DIRECT_ADDRESS,
        0.97,
    ),
    (
        traffic::LOOPBACK,
        Load::Stream,
        Netctl::NAME,
        traffic::DIRECT_ADDRESS,
        0.97,
    ),
    (
        traffic::OWN,
        Load::Rr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        2.5,
    ),
    (
        traffic::OWN,
        Load::Crr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        3.0,
    ),
    (unruled::ROW, Load::Crr, Guard::NETCTL, unruled::EMPTY, 0.97),
    (unruled::ROW, Load::Crr, Guard::TC, unruled::NO_RULE, 0.97),
    (
        unruled::ROW,
        Load::Stream,
        Guard::TC,
        unruled::NO_RULE,
        0.97,
    ),
    // The same against an Engine without docker-proxy, for which nobody set an aim: not to lose.
    (
        traffic::PUBLISHED,
        Load::Crr,
        Netctl::NAME,
        Docker::WITHOUT_PROXY,
        1.0,
    ),
    (
        traffic::LOOPBACK,
        Load::Crr,
        Netctl::NAME,
        Docker::WITHOUT_PROXY,
        1.0,
    ),
    (
        traffic::OWN,
        Load::Crr,
        Netctl::NAME,
        Docker::WITHOUT_PROXY,
        1.0,
    ),
    (
        traffic::NEIGHBOUR,
        Load::Crr,
        Netctl::NAME,
        Docker::WITH_PROXY,
        1.0,
    ),
];

/// Rows whose measurements are no load's.
const NAMED: [(&str, &str, &str, &str, f64); 3] = [
    // Nobody set an aim: not to lose against the best that users have today.
    (
        refused::ROW,
        refused::RATE,
        Guard::NETCTL,
        Guard::INGRESS,
        1.0,
    ),
    // "Nothing measurable" is what two runs of the same differ by.
    (
        unruled::ROW,
        unruled::FRAMES,
        Guard::NETCTL,
        unruled::NO_RULE,
        0.97,
    ),
    (
        unruled::ROW,
        unruled::FRAMES,
        Guard::TC,
        unruled::NO_RULE,
        0.97,
    ),
];

/// Row, name, largest value, unit.
fn bounds() -> Vec<(&'static str, String, f64, &'static str)> {
    let mut bounds = vec![
        (publish::ROW, publish::singles(1_000), 1_000.0, "ms"),
        (publish::ROW, publish::requests(1_000), 1_000.0, "ms"),
        (publish::ROW, publish::range(10_000), 50.0, "ms"),
        (memory::ROW, memory::RANGE.to_owned(), 1.0, "MiB"),
    ];
    for walk in walks::TRANSLATED {
        bounds.push((walks::ROW, walk.to_owned(), 150.0, "ns"));
    }
    for before in [200, 1_000] {
        let how = format!("{}, {before} there before", endpoints::SERIAL);
        let name = endpoints::name("create", 100, &how, "p99");
        bounds.push((endpoints::ROW, name, 50.0, "ms"));
    }
    bounds
}
