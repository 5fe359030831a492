//! Published ports: add, remove.

use std::sync::Arc;

use super::{Change, Error, Result, Service, error::no_ns, taken::Taken};
use crate::{
    api::types,
    model::{
        Model, PortId, PortRow, PublishedPort,
        shield::{Shield, parse_limit, parse_sources},
        spec::{HostPorts, Spec},
    },
};

/// Most ports that an error names.
const LISTED: usize = 10;

impl Service {
    /// Publishes all of the specs, or none of them.
    pub async fn add_ports(
        self: &Arc<Self>,
        ns: &str,
        specs: Vec<String>,
    ) -> Result<Vec<types::Port>> {
        let _open = self.enter().await?;
        let _name = self.locks.ns(ns).await;
        let ns = ns.to_owned();
        let add = move |service: &Self, model: &mut Model| {
            if !model.sandboxes.contains_key(&ns) {
                return Err(no_ns(&ns));
            }
            some_specs(&specs)?;
            service.publish(model, &ns, &specs)
        };
        let (ids, change) = self.change(add).await?;
        self.carry_out_ports(change, ids.clone()).await?;
        Ok(self.ports_of(&ids))
    }

    /// Takes all of the specs back, or none of them. What a spec leaves out may be anything, but
    /// it has to mean one published port.
    pub async fn remove_ports(self: &Arc<Self>, ns: &str, specs: Vec<String>) -> Result<()> {
        let _open = self.enter().await?;
        let _name = self.locks.ns(ns).await;
        let ns = ns.to_owned();
        let remove = move |_: &Self, model: &mut Model| {
            if !model.sandboxes.contains_key(&ns) {
                return Err(no_ns(&ns));
            }
            some_specs(&specs)?;
            for text in &specs {
                let id = meant(model, &ns, text)?;
                let port = model.ports.remove(&id);
                if port.is_some_and(|port| port.is_engines()) {
                    return Err(Error::Conflict(format!(
                        "published port {text:?} of container {ns:?} was published by Docker, which netctl serves as it is; make the container anew without it"
                    )));
                }
            }
            Ok(())
        };
        let ((), change) = self.change(remove).await?;
        self.carry_out(change).await
    }

    /// Gives rules to published ports, all of them or none. What is not given stays as it is in
    /// force.
    pub async fn rule_ports(
        self: &Arc<Self>,
        ns: &str,
        given: types::PortRules,
    ) -> Result<Vec<types::Port>> {
        let types::PortRules {
            specs,
            from,
            limit,
            clear,
        } = given;
        if clear == (from.is_some() || limit.is_some()) {
            return Err(Error::Invalid(
                "rules: write who is let in (--from) or how fast (--limit), or take both back (--clear)".into(),
            ));
        }
        let allow = from.as_deref().map(parse_sources).transpose()?;
        let limit = limit.as_deref().map(parse_limit).transpose()?;
        let _open = self.enter().await?;
        let _name = self.locks.ns(ns).await;
        let ns = ns.to_owned();
        let rule = move |_: &Self, model: &mut Model| {
            if !model.sandboxes.contains_key(&ns) {
                return Err(no_ns(&ns));
            }
            some_specs(&specs)?;
            let mut ids = Vec::new();
            for text in &specs {
                let id = meant(model, &ns, text)?;
                let Some(port) = model.ports.get_mut(&id).map(Arc::make_mut) else {
                    continue;
                };
                port.rules.operator = (!clear).then(|| {
                    let known = port.rules.in_force().cloned().unwrap_or_default();
                    Shield {
                        allow: allow.clone().unwrap_or(known.allow),
                        limit: limit.unwrap_or(known.limit),
                    }
                });
                ids.push(id);
            }
            note_rules(model, &ns);
            Ok(ids)
        };
        let (ids, change) = self.change(rule).await?;
        self.carry_out(change).await?;
        Ok(self.ports_of(&ids))
    }

    /// As `carry_out`. A host process that took a port between the check and the moment from
    /// which the datapath keeps it reserved is noticed now: after that none can.
    pub(super) async fn carry_out_ports(
        self: &Arc<Self>,
        change: Change,
        ids: Vec<PortId>,
    ) -> Result<()> {
        if let Err(failed) = self.converge(&change.scopes).await {
            return Err(self.take_back(change, Error::Failed(failed)).await);
        }
        if ids.is_empty() {
            return Ok(());
        }
        let service = Arc::clone(self);
        let check = tokio::task::spawn_blocking(move || {
            let model = service.model();
            let mut taken = Taken::new(service.engine(), &Model::default());
            ids.iter()
                .filter_map(|id| model.ports.get(id))
                .try_for_each(|port| taken.check_held(&port.to_string(), port))
        });
        let checked = check.await.unwrap_or_else(|e| Err(Error::internal(&e)));
        match checked {
            Ok(()) => Ok(()),
            Err(taken) => Err(self.take_back(change, taken).await),
        }
    }
}

/// What the engine publishes comes and goes; the rules stay with the container.
fn note_rules(model: &mut Model, ns: &str) {
    let ports = model.ports.values();
    let engines = ports.filter(|port| port.sandbox == ns && port.is_engines());
    let now: Vec<(PortRow, Option<Shield>)> = engines
        .map(|port| (port.row(), port.rules.operator.clone()))
        .collect();
    if let Some(sandbox) = model.sandboxes.get_mut(ns)
        && let Some(container) = &mut Arc::make_mut(sandbox).adopted
    {
        container.note_rules(&now);
    }
}

fn some_specs(specs: &[String]) -> Result<()> {
    if specs.is_empty() {
        return Err(Error::Invalid(
            "no port is given; write [hostIP:][hostPort:]port[/protocol]".into(),
        ));
    }
    Ok(())
}

/// The published port that a spec means.
fn meant(model: &Model, ns: &str, text: &str) -> Result<PortId> {
    let spec: Spec = text.parse()?;
    let all = || model.ports.values().filter(|port| port.sandbox == ns);
    let found: Vec<_> = all().filter(|port| matches(&spec, port)).collect();
    match *found.as_slice() {
        [port] => Ok(port.id),
        [] if all().next().is_none() => Err(Error::Missing(format!(
            "published port {text:?}: namespace {ns:?} has none; `netctl port ls` lists those that exist"
        ))),
        [] => Err(Error::Missing(format!(
            "published port {text:?}: namespace {ns:?} has no such one; it has {}",
            list(all())
        ))),
        _ => Err(Error::Conflict(format!(
            "published port {text:?} means several of namespace {ns:?}; name one of {}",
            list(found.into_iter())
        ))),
    }
}

fn list<'p>(mut ports: impl Iterator<Item = &'p Arc<PublishedPort>>) -> String {
    let first = ports.by_ref().take(LISTED);
    let mut shown: Vec<String> = first.map(|port| port.to_string()).collect();
    match ports.count() {
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    shown.join(", ")
}

fn matches(spec: &Spec, port: &PublishedPort) -> bool {
    let host = match spec.host {
        HostPorts::Any => true,
        HostPorts::From(first) => first == port.host_port,
        HostPorts::OneOf { first, last } => (first..=last).contains(&port.host_port),
    };
    let address = match (spec.host_ip.map(|ip| ip.to_canonical()), port.host_ip) {
        (None, _) => true,
        // All addresses are all of IPv4, as people wrote it before there was IPv6.
        (Some(ip), None) => ip.is_unspecified(),
        (Some(ip), Some(published)) => ip == published,
    };
    host && address
        && spec.container_port == port.container_port
        && spec.count == port.count
        && spec.proto == port.proto
}
