//! Packets that nobody would send, into every TC program by BPF_PROG_TEST_RUN, each judged.
//!
//! A run is a number of *epochs*: each begins from the same maps and settings, which only its own
//! number and the seed decide, so that a finding is shown again by its epoch alone. Threads take
//! epochs in turn; each has a network namespace and maps of its own.
//!
//! Reading order: `scene` (what the programs find), `seeds`, `mutate`, `judge`, `epoch`, `finding`.

mod epoch;
mod finding;
mod judge;
mod mutate;
mod random;
mod scene;
mod seeds;
mod told;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use self::{epoch::PACKETS, scene::Scene};
pub use self::{finding::Finding, random::Random};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Decides every packet.
    pub seed: u64,
    /// Packets, rounded up to whole epochs.
    pub count: u64,
    /// Only this epoch.
    pub epoch: Option<u64>,
    /// At once.
    pub threads: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Those that were made.
    pub packets: u64,
    pub elapsed: Duration,
    /// Packets by program and verdict.
    pub verdicts: BTreeMap<(&'static str, String), u64>,
    /// The first one, if any.
    pub finding: Option<Finding>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = self.packets as f64 / seconds;
        writeln!(
            f,
            "{} packets in {seconds:.1} s, {rate:.0} a second; the kernel takes {} for a test run",
            self.packets,
            self.verdicts.values().sum::<u64>()
        )?;
        for ((program, verdict), count) in &self.verdicts {
            writeln!(f, "  {program:<16} {verdict:<12} {count:>12}")?;
        }
        match &self.finding {
            Some(finding) => write!(f, "{finding}"),
            None => write!(f, "no rule was broken"),
        }
    }
}

/// Runs until the count is reached or something is found.
#[track_caller]
pub fn run(options: Options) -> Report {
    let epochs = options.count.div_ceil(PACKETS);
    let (first, end) = match options.epoch {
        Some(epoch) => (epoch, epoch + 1),
        None => (0, epochs),
    };
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let report = Mutex::new(Report {
        packets: 0,
        elapsed: Duration::ZERO,
        verdicts: BTreeMap::new(),
        finding: None,
    });
    let start = Instant::now();
    let work = || {
        let mut scene = Scene::new();
        let mut verdicts = BTreeMap::new();
        let mut packets = 0;
        while !stop.load(Relaxed) {
            let epoch = next.fetch_add(1, Relaxed);
            if epoch >= end {
                break;
            }
            packets += PACKETS;
            if let Err(finding) = epoch::run(&mut scene, options.seed, epoch, &mut verdicts) {
                stop.store(true, Relaxed);
                let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                report.finding.get_or_insert(*finding);
            }
        }
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.packets += packets;
        for (key, count) in verdicts {
            *report.verdicts.entry(key).or_default() += count;
        }
    };
    // A panicking thread makes the scope panic, which is the report.
    thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.elapsed = start.elapsed();
    report
}
