//! The reconciler as the rest of the daemon sees it.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use anyhow::Context as _;
use netctl_common::wire::{V4, V6};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    conflict,
    health::Health,
    lower::Constants,
    monitor, shield,
    step::Step,
    touch::Touch,
    worker::{Cause, Request, Shared, Worker},
};
pub use super::{
    options::{Attach, Options, Redirect, Timeouts},
    touch::Scope,
};
use crate::{
    config::defaults,
    flows::{self, counters, show, sweep},
    kernel::{
        events::DropLog,
        machine::{Machine, MachineError},
        object::Datapath,
        sysctl,
        tables::Table,
    },
    model::Model,
    view,
};

/// How often flows that are over are looked for.
const SWEEP: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("the first look at the machine failed")]
    FirstPass(#[source] PassError),
    #[error("starting {what}")]
    Start {
        what: &'static str,
        source: io::Error,
    },
}

/// What a pass could not do.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error("reading the machine's state")]
    Observe(#[source] io::Error),
    #[error("{}", .0.join("; "))]
    Steps(Vec<String>),
    #[error("everything was purged: start the daemon again")]
    Purged,
    #[error("the reconciler has stopped: start the daemon again")]
    Stopped,
}

impl PassError {
    pub(super) fn from_failures(failures: &[(Step, String)]) -> Result<(), Self> {
        if failures.is_empty() {
            return Ok(());
        }
        let lines = failures
            .iter()
            .map(|(step, error)| format!("{step}: {error}"));
        Err(Self::Steps(lines.collect()))
    }
}

/// Handle of the reconciler; the last one that is dropped ends it, and leaves the datapath.
#[derive(Clone)]
pub struct Controller(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    settle: tokio::sync::mpsc::UnboundedSender<monitor::Settled>,
    drops: DropLog,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Controller {
    /// Preflight (a clear refusal before anything changes), load, adopt pins, first full pass;
    /// then follows netlink and the resync timer in the background.
    pub async fn start(options: Options, model: Arc<Model>) -> Result<Self, StartError> {
        // Loading takes a second, and this thread may be the only one of its runtime.
        let opened = tokio::task::spawn_blocking(move || open(options, model))
            .await
            .map_err(|error| StartError::Start {
                what: "the reconciler",
                source: io::Error::other(error),
            })??;
        let (worker, events) = opened;
        let shared = Arc::clone(&worker.shared);
        let started = |what| move |source| StartError::Start { what, source };
        let (requests, inbox) = mpsc::channel();
        let (monitor, settle) =
            monitor::follow(requests.clone()).map_err(started("the netlink subscription"))?;
        let (first, passed) = oneshot::channel();
        std::thread::Builder::new()
            .name("reconcile".into())
            .spawn(move || {
                let mut worker = worker;
                worker.adopt_namespaces();
                let result = worker.pass(Cause::Asked, Touch::All);
                if let Err(error) = worker.machine.sweep_old_layouts() {
                    tracing::warn!(%error, "pins of an older layout stay");
                }
                let _starter_is_waiting = first.send(result);
                worker.run(&inbox);
            })
            .map_err(started("the reconciler's thread"))?;
        match passed.await {
            // Failed steps are retried and make the status red: one bad object must not keep
            // the others from being served.
            Ok(Ok(()) | Err(PassError::Steps(_))) => {}
            Ok(Err(error)) => return Err(StartError::FirstPass(error)),
            Err(_closed) => return Err(StartError::FirstPass(PassError::Stopped)),
        }
        let drops = DropLog::default();
        let log = drops.clone();
        let samples = tokio::spawn(async move {
            if let Err(error) = log.follow(events).await {
                tracing::error!(%error, "no more samples of dropped packets");
            }
        });
        let sweeper = tokio::spawn(sweep_for_ever(Arc::clone(&shared)));
        Ok(Self(Arc::new(Inner {
            shared,
            requests,
            settle,
            drops,
            tasks: vec![monitor, samples, sweeper],
        })))
    }

    /// From now on this is wanted; the next pass looks at it.
    pub fn set_model(&self, model: Arc<Model>) {
        let lock = &self.0.shared.model;
        *lock.lock().unwrap_or_else(PoisonError::into_inner) = model;
    }

    /// Runs a pass limited to the scopes now and waits. Err lists the failed steps.
    pub async fn converge(&self, scopes: Vec<Scope>) -> Result<(), PassError> {
        self.ask(|reply| Request::Converge(scopes, reply)).await
    }

    /// Waits until [`Self::host`] tells of changes that netlink has reported so far: an address
    /// that was added a moment ago may be published on.
    pub async fn settle(&self) -> Result<(), PassError> {
        let (reply, answer) = oneshot::channel();
        let asked = self.0.settle.send(reply).is_ok();
        match answer.await {
            Ok(result) if asked => result,
            // No news come any more: then the worker knows what there is to know.
            _ => self.ask(Request::Settle).await,
        }
    }

    /// What a full pass would do now; nothing is applied.
    pub async fn plan(&self) -> Result<Vec<String>, PassError> {
        self.ask(Request::Plan).await
    }

    /// Reconciles to nothing, detaches and unpins everything that is ours.
    pub async fn purge(&self) -> Result<(), PassError> {
        self.ask(Request::Purge).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, PassError>>) -> Request,
    ) -> Result<T, PassError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.requests.send(request(reply));
        sent.map_err(|_closed| PassError::Stopped)?;
        answer.await.map_err(|_closed| PassError::Stopped)?
    }

    /// The host as of the last look, with the gateways that are wanted now.
    pub fn host(&self) -> view::Host {
        let mut host = self.0.shared.host().view.clone();
        for network in self.0.shared.model().networks.values() {
            let anchor = crate::kernel::names::anchor(network);
            let gateways = network.gateways().map(|gateway| (gateway, anchor));
            host.addresses.extend(gateways);
        }
        host
    }

    pub fn status(&self) -> view::Status {
        let mut status = self.0.shared.health().status();
        let host = self.0.shared.host();
        status.uplinks = host.view.uplinks.values().cloned().collect();
        status.warnings.extend(host.warnings.iter().cloned());
        let model = self.0.shared.model();
        status.shield = shield::kept(&model, &host);
        status.warnings.extend(shield::warnings(&model, &host));
        let conflicts = conflict::find(&model, &host.view);
        status.healthy &= conflicts.failures.is_empty();
        status.failures.extend(conflicts.failures);
        status.warnings.extend(conflicts.warnings);
        let members = model.endpoints.len();
        if let Some(limit) = sysctl::neighbour_limit().filter(|limit| members * 2 > *limit) {
            status.warnings.push(format!(
                "{members} endpoints may need more neighbour entries than the {limit} that the kernel allows all of them together: raise net.ipv4.neigh.default.gc_thresh3"
            ));
        }
        status
    }

    pub fn totals(&self) -> view::Totals {
        let shared = &self.0.shared;
        let model = shared.model();
        let flows = |count: io::Result<u64>| {
            count.unwrap_or_else(|error| {
                tracing::warn!(%error, "flows could not be counted");
                0
            })
        };
        let (microseconds, count, failures) = shared.health().totals();
        view::Totals {
            flows4: flows(flows::count::<V4>(&shared.datapath)),
            flows6: flows(flows::count::<V6>(&shared.datapath)),
            endpoints: model.endpoints.len() as u64,
            networks: model.networks.len() as u64,
            published_ports: model.ports.len() as u64,
            reconcile_microseconds_sum: microseconds,
            reconcile_count: count,
            reconcile_failures: failures,
        }
    }

    pub fn flows(&self) -> anyhow::Result<Vec<view::Flow>> {
        let Shared {
            datapath,
            constants,
            options,
            ..
        } = &*self.0.shared;
        show::flows(datapath, constants.hz, &options.timeouts).context("reading the flow table")
    }

    pub fn drops(&self) -> anyhow::Result<Vec<view::Drop>> {
        let datapath = &self.0.shared.datapath;
        self.0
            .drops
            .drops(datapath)
            .context("reading the drop counters")
    }

    pub fn port_counters(&self) -> anyhow::Result<Vec<view::PortCounters>> {
        let shared = &self.0.shared;
        counters::port_counters(
            &shared.datapath,
            &shared.model(),
            shared.constants.hz,
            &shared.options.timeouts,
        )
        .context("reading the counters of published ports")
    }
}

/// Everything that can refuse, done before anything changes.
fn open(
    options: Options,
    model: Arc<Model>,
) -> Result<(Worker, aya::maps::RingBuf<aya::maps::MapData>), StartError> {
    let (mut machine, events) = Machine::open(&options)?;
    let datapath = Arc::clone(&machine.datapath);
    let local_ports = machine.facts.local_ports;
    let nat_ports = options
        .nat_ports
        .unwrap_or_else(|| defaults::nat_ports(local_ports));
    let constants = Constants {
        facts: machine.facts.clone(),
        hz: datapath.hz().map_err(MachineError::from)?,
        nat_seed: nat_seed(&datapath).map_err(|source| StartError::Start {
            what: "masquerading: no random numbers",
            source,
        })?,
        // A number that does not fit lasts longer than any host.
        generic_seconds: u32::try_from(options.timeouts.generic.as_secs()).unwrap_or(u32::MAX),
        nat_ports: (nat_ports.first, nat_ports.last),
        nat: options.nat,
    };
    let host = machine
        .host(&model)
        .map_err(|error| StartError::FirstPass(PassError::Observe(error)))?;
    let mut warnings = datapath.warnings.clone();
    warnings.extend(options.warnings.iter().cloned());
    warnings.extend(nat_ports.warning(local_ports));
    for warning in warnings.iter().chain(&host.warnings) {
        tracing::warn!("{warning}");
    }
    let health = Health::new(features(&machine, &constants, &options), warnings);
    let shared = Arc::new(Shared {
        model: Mutex::new(model),
        host: Mutex::new(Arc::new(host)),
        health: Mutex::new(health),
        datapath,
        constants,
        options,
    });
    Ok((Worker::new(machine, shared), events))
}

fn features(
    machine: &Machine,
    constants: &Constants,
    options: &Options,
) -> std::collections::BTreeMap<String, String> {
    let path = |path: &PathBuf| path.display().to_string();
    let attach = if machine.tcx { "tcx" } else { "clsact" };
    let redirect = if machine.facts.redirect_peer {
        "peer"
    } else {
        "plain"
    };
    [
        ("kernel", machine.facts.kernel.clone()),
        ("attach", attach.to_owned()),
        ("redirect", redirect.to_owned()),
        ("hz", constants.hz.to_string()),
        ("bpffs", path(&options.bpffs)),
        ("cgroup", path(&options.cgroup)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The secret that an earlier daemon of this boot chose, else a new one: flows keep their ports
/// either way, but a stable one keeps the choice stable.
fn nat_seed(datapath: &Datapath) -> io::Result<u32> {
    let settings = datapath
        .table(Table::Settings)?
        .lookup(&0_u32.to_ne_bytes())?;
    let known = settings
        .and_then(|value| {
            bytemuck::try_pod_read_unaligned::<netctl_common::settings::Settings>(&value).ok()
        })
        .map_or(0, |settings| settings.nat_seed);
    if known != 0 {
        return Ok(known);
    }
    let mut bytes = [0_u8; 4];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u32::from_ne_bytes(bytes).max(1))
}

async fn sweep_for_ever(shared: Arc<Shared>) {
    let mut timer = tokio::time::interval(SWEEP);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let shared = Arc::clone(&shared);
        let swept = tokio::task::spawn_blocking(move || {
            sweep::sweep(
                &shared.datapath,
                &|| shared.model(),
                shared.constants.hz,
                &shared.options.timeouts,
            )
        });
        match swept.await {
            Ok(Ok(_deleted)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the sweep of flows failed"),
            Err(error) => tracing::error!(%error, "the sweep of flows ended"),
        }
    }
}
