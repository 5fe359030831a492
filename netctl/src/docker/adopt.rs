//! The task that follows the Engine: connects, looks at everything, then at what is news, and
//! connects again when the Engine is started anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bollard::errors::Error as EngineError;
use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    early::Early,
    engine::{Engine, News, Seen},
    facts::{Container, Endpoint, Facts, Networks, Port},
    translate::{Outcome, translate},
};
use crate::{config::Docker, kernel::adopted, service::Service, view};

/// First pause before the Engine is asked for again; doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Until what could not be served is looked at again: a container's interfaces come and go while
/// the Engine tells of them.
const AGAIN: Duration = Duration::from_millis(500);
/// The same while a container is started: between its interface's coming and its first packet
/// are a few times this.
const WHILE_STARTING: Duration = Duration::from_millis(5);
/// Until the Engine is asked again for what it did not list: longer than between a call of the
/// driver and the moment from which the Engine lists what it was about.
const UNLISTED: Duration = Duration::from_secs(10);

/// Adopts what the Engine has, for as long as the service is there. `resync`: how often everything
/// is looked at without any reason.
pub async fn follow(service: Arc<Service>, config: Docker, resync: Duration) {
    let socket = config.socket.clone();
    // A host without Docker has no Engine to ask.
    while !(config.adopt || service.is_driver_used()) {
        service.driver_used.notified().await;
    }
    let mut pause = PAUSE;
    loop {
        let ended = match Engine::connect(&config).await {
            Ok(engine) => {
                pause = PAUSE;
                session(&service, &socket, &engine, resync).await
            }
            Err(error) => error.into(),
        };
        match ended {
            End::Engine(error) => {
                let was_there = service
                    .engine_seen()
                    .is_none_or(|seen| seen.connected || seen.error.is_none());
                if was_there {
                    tracing::warn!(socket = %socket.display(), error, "no connection to the Docker Engine");
                }
                service.note_engine(|seen| {
                    seen.socket = socket.clone();
                    seen.connected = false;
                    seen.error = Some(error);
                });
            }
            End::Service => return,
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Why a session is over.
enum End {
    Engine(String),
    /// Everything was taken away.
    Service,
}

impl From<EngineError> for End {
    fn from(error: EngineError) -> Self {
        Self::Engine(format!("{:#}", anyhow::Error::from(error)))
    }
}

/// What the Engine has said on this connection.
struct Session<'a> {
    service: &'a Arc<Service>,
    facts: Facts,
    /// What could not be understood, by container.
    strange: BTreeMap<String, Vec<String>>,
    /// Containers that are asked about, and those of them that there is news of meanwhile.
    asking: BTreeMap<String, bool>,
    early: Early,
    /// What the driver was asked for and the Engine did not list the last time.
    unlisted: BTreeSet<String>,
}

/// Until the connection ends.
async fn session(service: &Arc<Service>, socket: &Path, engine: &Engine, resync: Duration) -> End {
    let mut session = Session {
        service,
        facts: Facts::default(),
        strange: BTreeMap::new(),
        asking: BTreeMap::new(),
        early: Early::default(),
        unlisted: BTreeSet::new(),
    };
    let mut news = pin!(engine.news());
    let mut answers = FuturesUnordered::new();
    let join = |network: String, id: String| {
        let engine = engine.clone();
        async move {
            let member = engine.member(&network, &id).await;
            (id, member)
        }
    };
    let mut joining = FuturesUnordered::new();
    let ask = |id: String| {
        let engine = engine.clone();
        async move {
            let seen = engine.container(&id).await;
            (id, seen)
        }
    };
    let mut first = true;
    // Looks at everything at once, and then again from time to time.
    let mut all_at = Instant::now();
    let mut again_at: Option<Instant> = None;
    loop {
        let mut changed = false;
        // An event, an answer, or the time.
        tokio::select! {
            // A container that is asked about has its answer before the whole is looked at.
            biased;
            Some((id, seen)) = answers.next() => {
                match session.answered(id, seen) {
                    Ok(None) => {}
                    Ok(Some(id)) => answers.push(ask(id)),
                    Err(error) => return error.into(),
                }
                changed = true;
            }
            Some((id, member)) = joining.next() => match member {
                Ok(member) => changed = session.joined(id, member),
                Err(error) => return EngineError::into(error),
            },
            event = news.next() => match event {
                None => return End::Engine("the Engine has closed the connection".into()),
                Some(Err(error)) => return error.into(),
                Some(Ok(News::Container(id))) => {
                    if session.ask(&id) {
                        answers.push(ask(id));
                    }
                }
                Some(Ok(News::Connected { network, container })) => {
                    if session.ask(&container) {
                        answers.push(ask(container.clone()));
                    }
                    // The Engine says nothing more about one that it starts until it has.
                    if !session.facts.containers.contains_key(&container) {
                        joining.push(join(network, container));
                    }
                }
                Some(Ok(News::Networks)) => match engine.networks().await {
                    Ok(networks) => {
                        session.take(networks);
                        changed = true;
                    }
                    Err(error) => return error.into(),
                },
            },
            () = sleep_until(all_at) => {
                let listed = session.list(engine).await;
                let ids = match listed {
                    Ok(ids) => ids,
                    Err(error) => return error.into(),
                };
                answers.extend(ids.into_iter().map(ask));
                all_at = Instant::now() + match session.unlisted.is_empty() {
                    true => resync,
                    false => UNLISTED.min(resync),
                };
                changed = true;
            }
            () = sleep_until(again_at.unwrap_or(all_at)), if again_at.is_some() => {
                changed = true;
            }
        }
        // Nothing is taken away before the first complete listing, and answers that are there
        // are one change together.
        if !changed || (first && !answers.is_empty()) {
            continue;
        }
        while let Some(Some((id, seen))) = answers.next().now_or_never() {
            match session.answered(id, seen) {
                Ok(None) => {}
                Ok(Some(id)) => answers.push(ask(id)),
                Err(error) => return error.into(),
            }
        }
        first = false;
        again_at = match session.adopt(socket, &engine.version).await {
            Ok(pause) => pause.map(|pause| Instant::now() + pause),
            Err(end) => return end,
        };
    }
}

impl Session<'_> {
    /// Whether to ask about a container now; else it is done when the answer to come is there.
    fn ask(&mut self, id: &str) -> bool {
        match self.asking.get_mut(id) {
            Some(again) => {
                *again = true;
                false
            }
            None => {
                self.asking.insert(id.to_owned(), false);
                true
            }
        }
    }

    /// Takes an answer; the container, if it has to be asked about again.
    fn answered(
        &mut self,
        id: String,
        seen: Result<Seen, EngineError>,
    ) -> Result<Option<String>, EngineError> {
        let again = self.asking.remove(&id).unwrap_or_default();
        self.facts.idle.remove(&id);
        self.facts.containers.remove(&id);
        self.strange.remove(&id);
        match seen? {
            Seen::Gone => {}
            Seen::Idle(idle) => drop(self.facts.idle.insert(id.clone(), idle)),
            Seen::Running((container, strange)) => {
                self.facts.containers.insert(id.clone(), container);
                if !strange.is_empty() {
                    self.strange.insert(id.clone(), strange);
                }
            }
        }
        Ok((again && self.ask(&id)).then_some(id))
    }

    /// Takes the endpoint of a container that is being started; whether that is news.
    fn joined(&mut self, id: String, member: Option<(String, Endpoint)>) -> bool {
        let Some((name, endpoint)) = member else {
            return false;
        };
        let Facts {
            networks,
            containers,
            idle,
            driven: _,
        } = &mut self.facts;
        let host_ip = networks
            .get(&endpoint.network)
            .map(|network| network.host_ip);
        let both = endpoint.addr6.is_some() && host_ip.is_some_and(|ip| ip.is_unspecified());
        let asked = |port: &Port| Port {
            host_ip: port.host_ip.or(host_ip.filter(|_| !both).map(IpAddr::V4)),
            ..*port
        };
        let starting = || Container {
            name,
            sandbox: None,
            endpoints: Vec::new(),
            // Known if the Engine had the time to tell before the start. On several networks it
            // chooses which one they lead to.
            ports: match idle.get(&id) {
                Some(idle) if idle.networks == 1 => idle.ports.iter().map(asked).collect(),
                _ => Vec::new(),
            },
            labels: idle
                .get(&id)
                .map_or_else(BTreeMap::new, |idle| idle.labels.clone()),
        };
        let container = containers.entry(id.clone()).or_insert_with(starting);
        let is_known = container
            .endpoints
            .iter()
            .any(|known| known.id == endpoint.id);
        let is_news = container.sandbox.is_none() && !is_known;
        if is_news {
            container.endpoints.push(endpoint);
        }
        is_news
    }

    /// Forgets what netctl was asked for and the Engine does not have: it was removed while nobody
    /// answered. What is being made is not listed yet: so only what is not listed twice.
    async fn check_listed(
        &mut self,
        engine: &Engine,
        known: BTreeSet<String>,
    ) -> Result<(), EngineError> {
        let mut unlisted = known;
        for id in self.facts.driven.keys() {
            unlisted.remove(id);
            for endpoint in engine.endpoints(id).await? {
                unlisted.remove(&endpoint);
            }
        }
        let gone: BTreeSet<String> = unlisted.intersection(&self.unlisted).cloned().collect();
        self.unlisted = unlisted;
        if !gone.is_empty() {
            tracing::info!(?gone, "the Docker Engine has these no more");
            if let Err(error) = self.service.driver_forget(gone).await {
                tracing::warn!(%error, "what the Docker Engine has no more stays for now");
            }
        }
        Ok(())
    }

    fn take(&mut self, networks: Networks) {
        let Networks { adopted, driven } = networks;
        self.facts.networks = adopted;
        self.facts.driven = driven;
    }

    /// Lists everything; containers to ask about.
    async fn list(&mut self, engine: &Engine) -> Result<Vec<String>, EngineError> {
        let known = self.service.driver_ids();
        let networks = engine.networks().await?;
        self.take(networks);
        self.check_listed(engine, known).await?;
        let ids: BTreeSet<String> = engine.containers().await?.into_iter().collect();
        self.facts.containers.retain(|id, _| ids.contains(id));
        self.facts.idle.retain(|id, _| ids.contains(id));
        Ok(ids.into_iter().filter(|id| self.ask(id)).collect())
    }

    /// Brings what is wanted in line; after how long to look again when it is not all of it.
    async fn adopt(&mut self, socket: &Path, version: &str) -> Result<Option<Duration>, End> {
        let facts = Arc::new(self.facts.clone());
        let looked = Arc::clone(&facts);
        let found = tokio::task::spawn_blocking(move || look(&looked)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                return Err(End::Engine(format!(
                    "the kernel's interfaces cannot be read: {error}"
                )));
            }
            Err(error) => return Err(End::Engine(format!("internal error: {error}"))),
        };
        let networks = facts.networks.len() + facts.driven.len();
        let containers = facts.containers.len();
        let adopted = self
            .service
            .adopt(move |model, options| translate(model, &facts, &found, options.max_endpoints));
        let Outcome {
            mut problems,
            waits,
        } = match adopted.await {
            Ok(outcome) => {
                self.early.reset(&self.facts).await;
                outcome
            }
            Err(error) if self.service.is_purged().await => {
                tracing::info!(%error, "no more following of the Docker Engine");
                return Err(End::Service);
            }
            Err(error) => Outcome {
                problems: vec![error.to_string()],
                waits: false,
            },
        };
        for (id, strange) in &self.strange {
            let name = self.facts.containers.get(id).map_or("", |c| &c.name);
            problems.extend(strange.iter().map(|what| {
                format!("container {name:?}: {what} is not served: it cannot be understood")
            }));
        }
        let served = problems.is_empty();
        let known = self.service.engine_seen().unwrap_or_default();
        if !known.connected {
            tracing::info!(socket = %socket.display(), version, networks, containers, "followed: the Docker Engine");
        }
        for problem in problems.iter().filter(|p| !known.problems.contains(p)) {
            tracing::warn!("{problem}");
        }
        self.service.note_engine(|seen| {
            *seen = view::Engine {
                socket: socket.to_owned(),
                connected: true,
                version: Some(version.to_owned()),
                error: None,
                networks,
                containers,
                problems,
            };
        });
        Ok(match (waits, served) {
            (true, _) => Some(WHILE_STARTING),
            (false, true) => None,
            (false, false) => Some(AGAIN),
        })
    }
}

/// What the kernel has of it.
fn look(facts: &Facts) -> std::io::Result<adopted::Found> {
    let is_adopted = |c: &&Container| {
        let mut endpoints = c.endpoints.iter();
        endpoints.any(|endpoint| facts.networks.contains_key(&endpoint.network))
    };
    let containers = facts.containers.values().filter(is_adopted);
    let sandboxes = containers
        .clone()
        .filter_map(|c| Some((c.sandbox.clone()?, c.endpoints.len() > 1)));
    adopted::look(&adopted::Wanted {
        bridges: facts.networks.values().map(|n| n.bridge.clone()).collect(),
        sandboxes: sandboxes.collect(),
        fresh: containers.clone().any(|c| c.sandbox.is_none()),
    })
}
