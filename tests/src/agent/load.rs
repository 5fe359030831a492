//! Background traffic that notices every loss: HTTP with keep-alive, HTTP with new connections,
//! and a UDP probe at 1 kHz.

use std::{
    collections::HashSet,
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Proto,
    client::http_get,
    socket::{self, errno_name},
};
use crate::patience::patient;

/// A lost answer shows as a failure after this long; TCP repairs a lost packet much sooner.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Pause between two requests of one worker, so that workers share two cores with the rest. As
/// the interval of probes, it grows with the patience: a slow machine gets less to do.
const REQUEST_PAUSE: Duration = Duration::from_millis(4);
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

/// What to send, each target with one worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// One connection each, request after request.
    pub keep_alive: Vec<SocketAddr>,
    /// One connection for each request.
    pub connections: Vec<SocketAddr>,
    /// 1 kHz to a UDP echo server.
    pub probes: Vec<SocketAddr>,
    /// Ends by itself after that long.
    pub limit_ms: u64,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    pub requests: u64,
    pub connections: u64,
    pub failures: u64,
    pub resets: u64,
    /// The first few failures in words.
    pub reasons: Vec<String>,
    pub probes_sent: u64,
    pub probes_lost: u64,
    /// Longest wait for any one answer.
    pub max_gap_ms: u64,
}

impl LoadReport {
    /// Nothing failed, was reset or lost.
    pub fn is_clean(&self) -> bool {
        self.failures == 0 && self.resets == 0 && self.probes_lost == 0
    }

    fn failed(&mut self, what: &str, target: SocketAddr, error: &io::Error) {
        let name = errno_name(error);
        self.failures += 1;
        self.resets += u64::from(name == "ECONNRESET" || name == "ECONNREFUSED");
        if self.reasons.len() < 8 {
            self.reasons.push(format!("{what} {target}: {name}"));
        }
    }

    fn waited(&mut self, since: Instant) {
        let gap = since.elapsed().as_millis() as u64;
        self.max_gap_ms = self.max_gap_ms.max(gap);
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.connections += other.connections;
        self.failures += other.failures;
        self.resets += other.resets;
        self.probes_sent += other.probes_sent;
        self.probes_lost += other.probes_lost;
        self.max_gap_ms = self.max_gap_ms.max(other.max_gap_ms);
        self.reasons.extend(other.reasons.iter().cloned());
        self.reasons.truncate(8);
    }
}

/// Workers that run until they are stopped or their time is over.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    total: Arc<Mutex<LoadReport>>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Until {
    stop: Arc<AtomicBool>,
    end: Instant,
}

impl Until {
    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.end
    }
}

impl Running {
    pub(super) fn start(load: &Load) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let total = Arc::new(Mutex::new(LoadReport::default()));
        let until = Until {
            stop: stop.clone(),
            end: Instant::now() + patient(Duration::from_millis(load.limit_ms)),
        };
        let kinds: [(&[SocketAddr], Worker); 3] = [
            (&load.keep_alive, keep_alive),
            (&load.connections, new_connections),
            (&load.probes, probe),
        ];
        let workers = kinds
            .iter()
            .flat_map(|(targets, work)| targets.iter().map(move |target| (*target, *work)))
            .map(|(target, work)| {
                let (until, total) = (until.clone(), total.clone());
                thread::spawn(move || {
                    let mut report = LoadReport::default();
                    work(target, &until, &mut report);
                    if let Ok(mut total) = total.lock() {
                        total.add(&report);
                    }
                })
            })
            .collect();
        Self {
            stop,
            total,
            workers,
        }
    }

    pub(super) fn stop(self) -> LoadReport {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            if worker.join().is_err() {
                return LoadReport {
                    failures: 1,
                    reasons: vec!["a worker panicked".to_owned()],
                    ..LoadReport::default()
                };
            }
        }
        self.total
            .lock()
            .map(|total| total.clone())
            .unwrap_or_default()
    }
}

type Worker = fn(SocketAddr, &Until, &mut LoadReport);

fn keep_alive(target: SocketAddr, until: &Until, report: &mut LoadReport) {
    let mut connection: Option<TcpStream> = None;
    while !until.over() {
        let begin = Instant::now();
        let stream = match connection.take().map_or_else(
            || {
                report.connections += 1;
                socket::stream(Proto::Tcp, target, None, patient(ANSWER_LIMIT))
            },
            Ok,
        ) {
            Ok(stream) => stream,
            Err(error) => {
                report.failed("connect to", target, &error);
                thread::park_timeout(patient(REQUEST_PAUSE * 10));
                continue;
            }
        };
        match http_get(&stream, "/", false) {
            Ok(_) => {
                report.requests += 1;
                connection = Some(stream);
            }
            Err(error) => report.failed("kept connection to", target, &error),
        }
        report.waited(begin);
        thread::park_timeout(patient(REQUEST_PAUSE));
    }
}

fn new_connections(target: SocketAddr, until: &Until, report: &mut LoadReport) {
    while !until.over() {
        let begin = Instant::now();
        let answer = socket::stream(Proto::Tcp, target, None, patient(ANSWER_LIMIT))
            .and_then(|stream| http_get(&stream, "/", true));
        report.connections += 1;
        match answer {
            Ok(_) => report.requests += 1,
            Err(error) => report.failed("new connection to", target, &error),
        }
        report.waited(begin);
        thread::park_timeout(patient(REQUEST_PAUSE));
    }
}

fn probe(target: SocketAddr, until: &Until, report: &mut LoadReport) {
    let client = match socket::udp(&target, None, patient(PROBE_INTERVAL))
        .and_then(|client| client.connect(target).map(|()| client))
    {
        Ok(client) => client,
        Err(error) => return report.failed("udp socket to", target, &error),
    };
    socket::roomy(&client);
    let mut open: HashSet<u64> = HashSet::new();
    let mut buffer = [0_u8; 64];
    let (mut number, mut next, mut last_answer) = (0_u64, Instant::now(), Instant::now());
    let mut receive = |open: &mut HashSet<u64>, report: &mut LoadReport, last: &mut Instant| {
        // At most one interval long: the socket's timeout.
        let length = client.recv(&mut buffer)?;
        let answer: [u8; 8] = buffer[..length]
            .try_into()
            .map_err(|_length| io::Error::other("an answer of another length"))?;
        open.remove(&u64::from_be_bytes(answer));
        report.waited(*last);
        *last = Instant::now();
        io::Result::Ok(())
    };
    while !until.over() {
        if Instant::now() >= next {
            next += patient(PROBE_INTERVAL);
            match client.send(&number.to_be_bytes()) {
                Ok(_) => {
                    open.insert(number);
                    number += 1;
                }
                Err(error) => report.failed("probe to", target, &error),
            }
        }
        refused(receive(&mut open, report, &mut last_answer), target, report);
    }
    let end = Instant::now() + patient(Duration::from_secs(2));
    while !open.is_empty() && Instant::now() < end {
        refused(receive(&mut open, report, &mut last_answer), target, report);
    }
    report.probes_sent += number;
    report.probes_lost += open.len() as u64;
}

/// A time-out only means that no answer is there yet.
fn refused(result: io::Result<()>, target: SocketAddr, report: &mut LoadReport) {
    if let Err(error) = result
        && error.kind() != io::ErrorKind::WouldBlock
    {
        report.failed("probe to", target, &error);
    }
}
