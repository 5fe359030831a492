//! The thread that owns the machine: passes on request, on news from netlink and by the timer.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    conflict,
    controller::PassError,
    dirty::{Dirty, Event},
    health::Health,
    lower::Constants,
    options::Options,
    pass::{Applied, Wanted, execute, look},
    plan::{View, plan},
    touch::{Scope, Touch},
};
use crate::{
    kernel::{host::Host, machine::Machine, object::Datapath, observe::Selection, state::State},
    model::{Model, Netns},
};

/// News are gathered for this long: one change of the host is several of them.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Passes that nobody asked for take at most this part of the thread's time: 1 in …
const BACKGROUND_SHARE: u32 = 8;
/// First pause after a pass with failures; doubled up to the resync interval.
const BACKOFF: Duration = Duration::from_secs(1);

pub(super) enum Request {
    Converge(Vec<Scope>, oneshot::Sender<Result<(), PassError>>),
    Plan(oneshot::Sender<Result<Vec<String>, PassError>>),
    Purge(oneshot::Sender<Result<(), PassError>>),
    Event(Event),
    /// Answered once news of the host that came before are dealt with.
    Settle(oneshot::Sender<Result<(), PassError>>),
}

/// What the thread shares with callers; locks are held for a copy, never during work.
pub(super) struct Shared {
    pub(super) model: Mutex<Arc<Model>>,
    pub(super) host: Mutex<Arc<Host>>,
    pub(super) health: Mutex<Health>,
    pub(super) datapath: Arc<Datapath>,
    pub(super) constants: Constants,
    pub(super) options: Options,
}

impl Shared {
    pub(super) fn model(&self) -> Arc<Model> {
        Arc::clone(&self.model.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn host(&self) -> Arc<Host> {
        Arc::clone(&self.host.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Worker {
    pub(super) machine: Machine,
    pub(super) shared: Arc<Shared>,
    pub(super) applied: Applied,
    dirty: Dirty,
    /// When the gathered news are looked at.
    dirty_at: Option<Instant>,
    full_at: Instant,
    backoff: Duration,
    life: Life,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Serving,
    /// Asked to purge: no pass builds anything up again, also when the purge has failed and is
    /// to be asked for again.
    Purging,
    Purged,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A user's operation, or the start: what it changes was asked for.
    Asked,
    /// News or the timer: what it changes heals, unless the host itself changed.
    Unasked,
}

impl Worker {
    pub(super) fn new(machine: Machine, shared: Arc<Shared>) -> Self {
        let full_at = Instant::now() + shared.options.resync;
        Self {
            machine,
            shared,
            applied: Applied::default(),
            dirty: Dirty::default(),
            dirty_at: None,
            full_at,
            backoff: BACKOFF,
            life: Life::Serving,
        }
    }

    /// Namespaces that are wanted under a name and exist already are ours: the run folder, which
    /// says so, may have been emptied.
    pub(super) fn adopt_namespaces(&self) {
        for sandbox in self.shared.model().sandboxes.values() {
            if sandbox.netns == Netns::Named
                && !self.machine.named.is_ours(&sandbox.name)
                && let Err(error) = self.machine.named.adopt(&sandbox.name)
            {
                // Not there: the first pass makes it.
                tracing::debug!(sandbox = sandbox.name, %error, "no namespace to adopt");
            }
        }
    }

    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        loop {
            let due = self
                .dirty_at
                .map_or(self.full_at, |at| at.min(self.full_at));
            let request = match due.checked_duration_since(Instant::now()) {
                Some(wait) => match requests.recv_timeout(wait) {
                    Ok(request) => Some(request),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => None,
            };
            match request {
                // A caller that went away does not need the answer.
                Some(Request::Converge(scopes, reply)) => {
                    let _gone = reply.send(self.converge(&scopes));
                }
                Some(Request::Plan(reply)) => {
                    let _gone = reply.send(self.plan());
                }
                Some(Request::Purge(reply)) => {
                    let _gone = reply.send(self.purge());
                }
                Some(Request::Settle(reply)) => {
                    if self.dirty.is_about_host() {
                        self.background();
                    }
                    let _gone = reply.send(Ok(()));
                }
                Some(Request::Event(event)) => {
                    self.dirty.note(event);
                    self.dirty_at.get_or_insert(Instant::now() + DEBOUNCE);
                }
                None => self.background(),
            }
        }
    }

    fn background(&mut self) {
        let started = Instant::now();
        let touch = if started >= self.full_at {
            self.adopt_namespaces();
            self.dirty = Dirty::default();
            Some(Touch::All)
        } else {
            self.dirty.take(&self.shared.model())
        };
        self.dirty_at = None;
        if let (Some(touch), Life::Serving) = (touch, self.life)
            && let Err(error) = self.pass(Cause::Unasked, touch)
        {
            tracing::warn!(%error, "a pass left something undone");
        }
        // News that came meanwhile wait long enough for callers to have the thread.
        if let Some(at) = &mut self.dirty_at {
            *at = (*at).max(Instant::now() + started.elapsed() * BACKGROUND_SHARE);
        }
        let failing = self.shared.health().is_failing();
        let resync = self.shared.options.resync;
        let now = Instant::now();
        if failing && self.life == Life::Serving {
            self.full_at = now + self.backoff.min(resync);
            self.backoff = (self.backoff * 2).min(resync);
        } else {
            self.backoff = BACKOFF;
            if now >= self.full_at || self.life != Life::Serving {
                self.full_at = now + resync;
            }
        }
    }

    fn converge(&mut self, scopes: &[Scope]) -> Result<(), PassError> {
        if self.life != Life::Serving {
            return Err(PassError::Purged);
        }
        let touch = Touch::new(scopes, &self.applied.model, &self.shared.model());
        let result = self.pass(Cause::Asked, touch);
        if result.is_err() {
            self.full_at = self.full_at.min(Instant::now() + BACKOFF);
        }
        result
    }

    /// Looks, plans, applies.
    pub(super) fn pass(&mut self, cause: Cause, mut touch: Touch) -> Result<(), PassError> {
        let started = Instant::now();
        let blind = |shared: &Shared, error: std::io::Error| {
            let error = PassError::Observe(error);
            shared
                .health()
                .record_blind(error_text(&error), started.elapsed());
            error
        };
        let shared = Arc::clone(&self.shared);
        let model = shared.model();
        let mut host = shared.host();
        if model.adopted_bridges() != self.applied.model.adopted_bridges() {
            // What was the host's own is a network's now, or the other way round.
            touch = Touch::All;
        }
        if touch.host() {
            let read = self.machine.host(&model).map_err(|e| blind(&shared, e))?;
            // Networks without an MTU of their own follow the uplinks'.
            if read.view.mtu() != self.applied.host.view.mtu() {
                touch = Touch::All;
            }
            for warning in read.warnings.iter().filter(|w| !host.warnings.contains(w)) {
                tracing::warn!("{warning}");
            }
            let known = conflict::find(&self.applied.model, &host.view);
            let conflicts = conflict::find(&model, &read.view);
            let new = |of: &[String], text| !of.contains(text);
            for failure in conflicts
                .failures
                .iter()
                .filter(|f| new(&known.failures, f))
            {
                tracing::error!("{failure}");
            }
            for warning in conflicts
                .warnings
                .iter()
                .filter(|w| new(&known.warnings, w))
            {
                tracing::warn!("{warning}");
            }
            host = Arc::new(read);
            *shared.host.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&host);
        }
        let wanted = Wanted {
            model: &model,
            host: &host,
            constants: &shared.constants,
        };
        let found = look(&mut self.machine, &self.applied, &wanted, &touch)
            .map_err(|e| blind(&shared, e))?;
        let heal = cause == Cause::Unasked && self.applied.any;
        let mut report = found.take(&mut self.machine, heal);
        report.took = started.elapsed();
        for step in &report.healed {
            tracing::info!(step, "healed");
        }
        for (step, error) in &report.failures {
            tracing::warn!(%step, error, "step failed");
        }
        self.applied.record(&wanted, &touch);
        shared.health().record(&report);
        PassError::from_failures(&report.failures)?;
        if report.host {
            // An uplink that has its XDP program now needs nothing else to keep rules. There is no
            // news of that.
            return self.pass(cause, Touch::Host);
        }
        Ok(())
    }

    fn plan(&mut self) -> Result<Vec<String>, PassError> {
        if self.life != Life::Serving {
            return Err(PassError::Purged);
        }
        let shared = Arc::clone(&self.shared);
        let model = shared.model();
        let host = self.machine.host(&model).map_err(PassError::Observe)?;
        let wanted = Wanted {
            model: &model,
            host: &host,
            constants: &shared.constants,
        };
        let found = look(&mut self.machine, &self.applied, &wanted, &Touch::All)
            .map_err(PassError::Observe)?;
        Ok(found.plan().iter().map(ToString::to_string).collect())
    }

    /// Nothing is wanted any more, not even what every pass keeps.
    fn purge(&mut self) -> Result<(), PassError> {
        if self.life == Life::Purged {
            return Ok(());
        }
        self.life = Life::Purging;
        let nothing = State::default();
        let observed = self
            .machine
            .observe(&Selection::Everything, &nothing)
            .map_err(PassError::Observe)?;
        let steps = plan(&nothing, &observed, View::Whole);
        let outcomes = execute(&steps, |step| self.machine.apply(step));
        let failures: Vec<_> = outcomes
            .into_iter()
            .filter_map(|(step, result)| Some((step.clone(), result.err()?.to_string())))
            .collect();
        PassError::from_failures(&failures)?;
        self.machine.remove_traces().map_err(PassError::Observe)?;
        self.life = Life::Purged;
        Ok(())
    }
}

pub(super) fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
