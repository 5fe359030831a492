//! One look at the machine and what it takes to put it right.

use std::{collections::BTreeSet, io, sync::Arc, time::Instant};

use super::{
    health::Report,
    lower::{Constants, lower},
    plan::{View, plan},
    step::{Outcome, Step},
    touch::{Part, Touch},
};
use crate::{
    kernel::{
        host::Host,
        machine::Machine,
        observe::Selection,
        state::{Hook, Key, State},
    },
    model::Model,
};

/// What the machine was last made to be: says by name what is obsolete now.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) model: Model,
    pub(super) host: Host,
    /// Nothing was applied before the first pass: what it changes heals nothing.
    pub(super) any: bool,
}

/// What is wanted now.
pub(super) struct Wanted<'a> {
    pub(super) model: &'a Model,
    pub(super) host: &'a Host,
    pub(super) constants: &'a Constants,
}

/// Desired states before and now, and what was found.
pub(super) struct Found {
    before: State,
    pub(super) desired: State,
    observed: State,
    view: View,
}

/// Reads what `touch` names of the machine.
pub(super) fn look(
    machine: &mut Machine,
    applied: &Applied,
    wanted: &Wanted<'_>,
    touch: &Touch,
) -> io::Result<Found> {
    let before = lower(&applied.model, &applied.host, wanted.constants, touch);
    let desired = lower(wanted.model, wanted.host, wanted.constants, touch);
    let view = match touch {
        Touch::All => View::Whole,
        Touch::Host | Touch::Some(_) => View::Part,
    };
    let observed = if view == View::Whole {
        machine.observe(&Selection::Everything, &desired)?
    } else {
        let keys: BTreeSet<Key> = before.0.keys().chain(desired.0.keys()).cloned().collect();
        machine.observe(&Selection::Keys(&keys), &desired)?
    };
    Ok(Found {
        before,
        desired,
        observed,
        view,
    })
}

impl Found {
    pub(super) fn plan(&self) -> Vec<Step> {
        plan(&self.desired, &self.observed, self.view)
    }

    /// Whether a step puts right what somebody else changed: what is wanted of its object is
    /// what was wanted before.
    fn heals(&self, step: &Step) -> bool {
        step.key()
            .is_some_and(|key| self.before.get(&key) == self.desired.get(&key))
    }

    /// Takes the steps. A failed one drops those that need it; the rest proceeds.
    pub(super) fn take(&self, machine: &mut Machine, heal: bool) -> Report {
        let started = Instant::now();
        let steps = self.plan();
        let mut report = Report {
            full: self.view == View::Whole,
            took: started.elapsed(),
            healed: Vec::new(),
            failures: Vec::new(),
            host: false,
            covered: self
                .before
                .0
                .keys()
                .chain(self.desired.0.keys())
                .cloned()
                .collect(),
        };
        for (step, result) in execute(&steps, |step| machine.apply(step)) {
            report.host |= result.is_ok()
                && matches!(
                    step,
                    Step::Attach(Hook::XdpShield, _) | Step::Detach(Hook::XdpShield, _)
                );
            match result {
                Ok(Outcome::Done) if heal && self.heals(step) => {
                    report.healed.push(step.to_string());
                }
                Ok(Outcome::Done | Outcome::Moot) => {}
                Err(error) => report.failures.push((step.clone(), error.to_string())),
            }
        }
        report.took = started.elapsed();
        report
    }
}

/// Applies steps in order and yields the outcome of those that were tried.
pub(super) fn execute<T, E>(
    steps: &[Step],
    mut apply: impl FnMut(&Step) -> Result<T, E>,
) -> Vec<(&Step, Result<T, E>)> {
    let mut failed: BTreeSet<Key> = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(steps.len());
    for step in steps {
        if !failed.is_empty() && step.needs().iter().any(|need| failed.contains(need)) {
            failed.extend(step.key());
            continue;
        }
        let started = Instant::now();
        let result = apply(step);
        tracing::debug!(%step, took = ?started.elapsed(), ok = result.is_ok());
        if result.is_err() {
            failed.extend(step.key());
        }
        outcomes.push((step, result));
    }
    outcomes
}

impl Applied {
    /// Remembers that `touch` of the wanted was applied, and only that: another change that is
    /// in the model already has its own pass.
    pub(super) fn record(&mut self, wanted: &Wanted<'_>, touch: &Touch) {
        self.any = true;
        match touch {
            Touch::All => {
                self.model = wanted.model.clone();
                self.host = wanted.host.clone();
            }
            Touch::Host => self.host = wanted.host.clone(),
            Touch::Some(part) => {
                if part.host {
                    self.host = wanted.host.clone();
                }
                self.record_part(wanted.model, part);
            }
        }
    }

    fn record_part(&mut self, model: &Model, part: &Part) {
        let own = &mut self.model;
        for id in &part.networks {
            match model.networks.get(id) {
                Some(network) => own.networks.insert(*id, Arc::clone(network)),
                None => own.networks.remove(id),
            };
        }
        for name in &part.sandboxes {
            match model.sandboxes.get(name) {
                Some(sandbox) => own.sandboxes.insert(name.clone(), Arc::clone(sandbox)),
                None => own.sandboxes.remove(name),
            };
        }
        for id in &part.endpoints {
            match model.endpoints.get(id) {
                Some(endpoint) => own.endpoints.insert(*id, Arc::clone(endpoint)),
                None => own.endpoints.remove(id),
            };
        }
        for id in &part.ports {
            match model.ports.get(id) {
                Some(port) => own.ports.insert(*id, Arc::clone(port)),
                None => own.ports.remove(id),
            };
        }
    }
}
