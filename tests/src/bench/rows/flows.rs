//! The flow table: what a new flow costs, and what many of them cost the others.

use std::{fs, time::Duration};

use super::super::{
    bed::{Bed, Path, netctl::Netctl, nft::Nft, sh},
    load::Load,
    result::{Better, Measure, Outcome, Series},
    runner::Effort,
    worker::{self, Cpus},
};
use crate::place::Place;

pub const ROW: &str = "flow table";

/// Of the sweeps that are looked at: the daemon makes one every five seconds.
const SWEEPS: u32 = 2;
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// One peer with a number of flows.
struct Found {
    new_per_second: f64,
    round_trips: f64,
    /// CPU milliseconds of one sweep.
    sweep: Option<f64>,
}

pub fn outcomes(effort: Effort) -> Vec<Outcome> {
    let counts: &[u32] = if effort.quick {
        &[1_000, 100_000]
    } else {
        &[1_000, 100_000, 500_000]
    };
    let mut outcomes = Vec::new();
    for count in counts {
        let peers = vec![
            (Netctl::NAME, netctl(*count, effort)),
            (Nft::NAME, nft(*count, effort)),
        ];
        outcomes.extend(show(*count, &peers));
    }
    outcomes
}

fn netctl(count: u32, effort: Effort) -> Result<Found, String> {
    let bed = Netctl::start("[datapath]\nmax_flows = 2097152\n")?;
    let mut found = fill(&bed, bed.lab.lan_place(), count, effort)?;
    let text = bed.lab.scrape();
    let flows = text.value("netctl_flows", &[]);
    if flows < f64::from(count) {
        return Err(format!("only {flows} flows of {count} are there"));
    }
    let before = cpu_milliseconds(bed.lab.daemon_pid())?;
    // The one pause of the benchmark: sweeps come by the clock.
    std::thread::park_timeout(SWEEP_INTERVAL * SWEEPS);
    let after = cpu_milliseconds(bed.lab.daemon_pid())?;
    found.sweep = Some((after - before) / f64::from(SWEEPS));
    Ok(found)
}

fn nft(count: u32, effort: Effort) -> Result<Found, String> {
    let limit = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").unwrap_or_default();
    if limit.trim().parse::<u32>().is_ok_and(|limit| limit < count) {
        return Err(format!(
            "nf_conntrack_max is {} here, for all namespaces together",
            limit.trim()
        ));
    }
    let bed = Nft::start()?;
    let found = fill(&bed, bed.lab.lan_place(), count, effort)?;
    let path = "/proc/sys/net/netfilter/nf_conntrack_count";
    let there = sh(bed.lab.host_place(), &format!("cat {path}"))?;
    match there.trim().parse::<u32>() {
        Ok(there) if there >= count => Ok(found),
        _ => Err(format!("only {} flows of {count} are there", there.trim())),
    }
}

/// Makes the flows by one datagram each from the LAN, then measures beside them.
fn fill(bed: &dyn Bed, lan: &Place, count: u32, effort: Effort) -> Result<Found, String> {
    let route = bed.route(Path::Published).ok_or("it has no such way")?;
    let new_per_second = worker::fill(lan, &route, count)?;
    let mut rates = Vec::new();
    for _ in 0..effort.rounds {
        rates.push(worker::measure(Load::Rr, &route, Cpus::One, effort.time)?);
    }
    let round_trips = super::super::result::median(&rates).ok_or("no rounds")?;
    Ok(Found {
        new_per_second,
        round_trips,
        sweep: None,
    })
}

/// User and system time of proc_pid_stat(5), in hundredths of a second.
fn cpu_milliseconds(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // The command may hold anything; what counts comes after it.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<f64>);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) * 10.0),
        _ => Err(format!("{path} cannot be read")),
    }
}

fn show(count: u32, peers: &[(&'static str, Result<Found, String>)]) -> Vec<Outcome> {
    type Pick = fn(&Found) -> Option<f64>;
    let quantities: [(&str, &'static str, Better, Pick); 3] = [
        ("new flows", "1/s", Better::Higher, |f| {
            Some(f.new_per_second)
        }),
        ("RR, 1 CPU", "round trips/s", Better::Higher, |f| {
            Some(f.round_trips)
        }),
        ("CPU of a sweep", "ms", Better::Lower, |f| f.sweep),
    ];
    quantities
        .into_iter()
        .map(|(what, unit, better, pick)| Outcome {
            measure: Measure {
                row: ROW,
                name: format!("{count} flows: {what}"),
                unit,
                better,
            },
            series: peers
                .iter()
                .map(|(peer, found)| (*peer, found.as_ref().map(pick)))
                // The kernel's conntrack collects its garbage where no process shows it.
                .filter(|(_, found)| *found != Ok(None))
                .map(|(peer, found)| Series {
                    peer,
                    values: found.ok().flatten().into_iter().collect(),
                    missing: found.err().cloned(),
                })
                .collect(),
        })
        .collect()
}
