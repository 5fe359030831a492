//! What the Engine has said on one connection, and what is made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bollard::errors::Error as EngineError;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};

use super::{
    adopt::End,
    early::Early,
    engine::{Engine, News, Seen},
    facts::{Container, Endpoint, Facts, Networks},
    translate::{Outcome, translate},
};
use crate::{
    config::Docker,
    kernel::adopted,
    model::PortRow,
    service::{Error, Service},
    view,
};

/// Until what could not be served is looked at again: a container's interfaces come and go while
/// the Engine tells of them.
const AGAIN: Duration = Duration::from_millis(500);
/// The same while a container is started: between its interface's coming and its first packet
/// are a few times this.
const WHILE_STARTING: Duration = Duration::from_millis(5);
/// Until the Engine is asked again for what it did not list: longer than between a call of the
/// driver and the moment from which the Engine lists what it was about.
const UNLISTED: Duration = Duration::from_secs(10);

/// What a session goes by.
pub(super) enum Heard {
    Container(String, Seen),
    /// Of one that is being started.
    Member(String, Option<Member>),
    News(News),
    /// It is time to list everything.
    All,
    /// It is time to look again at what could not be served.
    Again,
}

/// Name and endpoint of a container.
type Member = (String, Endpoint);
/// Questions about containers, by their ids.
type Open<T> = FuturesUnordered<BoxFuture<'static, (String, Result<T, EngineError>)>>;

/// Questions about containers that the Engine has not answered yet.
pub(super) struct Questions {
    engine: Engine,
    containers: Open<Seen>,
    members: Open<Option<Member>>,
}

impl Questions {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            containers: FuturesUnordered::new(),
            members: FuturesUnordered::new(),
        }
    }

    /// Whether containers are asked about.
    pub(super) fn is_open(&self) -> bool {
        !self.containers.is_empty()
    }

    /// The next answer; waits for ever where nothing is asked.
    pub(super) async fn answer(&mut self) -> Result<Heard, EngineError> {
        tokio::select! {
            biased;
            Some((id, seen)) = self.containers.next() => Ok(Heard::Container(id, seen?)),
            Some((id, member)) = self.members.next() => Ok(Heard::Member(id, member?)),
            else => future::pending().await,
        }
    }

    fn container(&mut self, id: String) {
        let engine = self.engine.clone();
        let ask = async move {
            let seen = engine.container(&id).await;
            (id, seen)
        };
        self.containers.push(ask.boxed());
    }

    fn member(&mut self, network: String, id: String) {
        let engine = self.engine.clone();
        let ask = async move {
            let member = engine.member(&network, &id).await;
            (id, member)
        };
        self.members.push(ask.boxed());
    }
}

/// What the Engine has said on this connection.
pub(super) struct Session<'a> {
    service: &'a Arc<Service>,
    config: &'a Docker,
    /// The Engine's own.
    version: &'a str,
    facts: Facts,
    /// What could not be understood, by container.
    strange: BTreeMap<String, Vec<String>>,
    /// Containers that are asked about, and those of them that there is news of meanwhile.
    asking: BTreeMap<String, bool>,
    early: Early,
    /// What the driver was asked for and the Engine did not list the last time.
    unlisted: BTreeSet<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(service: &'a Arc<Service>, config: &'a Docker, version: &'a str) -> Self {
        Self {
            service,
            config,
            version,
            facts: Facts::default(),
            strange: BTreeMap::new(),
            asking: BTreeMap::new(),
            early: Early::default(),
            unlisted: BTreeSet::new(),
        }
    }
}

impl Session<'_> {
    /// Takes what is heard; whether there is anything to do about it.
    pub(super) async fn take(
        &mut self,
        heard: Heard,
        questions: &mut Questions,
    ) -> Result<bool, EngineError> {
        match heard {
            Heard::Container(id, seen) => self.answered(id, seen, questions),
            Heard::Member(id, member) => return Ok(self.joined(id, member)),
            Heard::News(News::Container(id)) => {
                self.ask(id, questions);
                return Ok(false);
            }
            Heard::News(News::Connected { network, container }) => {
                // The Engine says nothing more about one that it starts until it has.
                if !self.facts.containers.contains_key(&container) {
                    questions.member(network, container.clone());
                }
                self.ask(container, questions);
                return Ok(false);
            }
            Heard::News(News::Networks) => {
                let networks = questions.engine.networks().await?;
                self.take_networks(networks);
            }
            Heard::All => self.list(questions).await?,
            Heard::Again => {}
        }
        Ok(true)
    }

    /// Takes the answers that are there already.
    pub(super) fn take_answers(&mut self, questions: &mut Questions) -> Result<(), EngineError> {
        while let Some(Some((id, seen))) = questions.containers.next().now_or_never() {
            self.answered(id, seen?, questions);
        }
        Ok(())
    }

    /// After how long to list everything again.
    pub(super) fn until_listing(&self, resync: Duration) -> Duration {
        match self.unlisted.is_empty() {
            true => resync,
            false => UNLISTED.min(resync),
        }
    }

    /// Asks about a container now, or when the answer to come is there.
    fn ask(&mut self, id: String, questions: &mut Questions) {
        match self.asking.get_mut(&id) {
            Some(again) => *again = true,
            None => {
                self.asking.insert(id.clone(), false);
                questions.container(id);
            }
        }
    }

    /// Takes an answer, and asks again if there was news meanwhile.
    fn answered(&mut self, id: String, seen: Seen, questions: &mut Questions) {
        let again = self.asking.remove(&id).unwrap_or_default();
        self.facts.idle.remove(&id);
        self.facts.containers.remove(&id);
        self.strange.remove(&id);
        match seen {
            Seen::Gone => {}
            Seen::Idle(idle) => drop(self.facts.idle.insert(id.clone(), idle)),
            Seen::Running((container, strange)) => {
                self.facts.containers.insert(id.clone(), container);
                if !strange.is_empty() {
                    self.strange.insert(id.clone(), strange);
                }
            }
        }
        if again {
            self.ask(id, questions);
        }
    }

    /// Takes the endpoint of a container that is being started; whether that is news.
    fn joined(&mut self, id: String, member: Option<Member>) -> bool {
        let Some((name, endpoint)) = member else {
            return false;
        };
        let Facts {
            networks,
            containers,
            idle,
            driven: _,
            others: _,
        } = &mut self.facts;
        let host_ip = networks
            .get(&endpoint.network)
            .map(|network| network.host_ip);
        let both = endpoint.addr6.is_some() && host_ip.is_some_and(|ip| ip.is_unspecified());
        let asked = |port: &PortRow| PortRow {
            host_ip: port.host_ip.or(host_ip.filter(|_| !both).map(IpAddr::V4)),
            ..*port
        };
        let starting = || Container {
            name,
            sandbox: None,
            endpoints: Vec::new(),
            labels: idle.get(&id).map(|idle| idle.labels.clone()),
            // Known if the Engine had the time to tell before the start. On several networks it
            // chooses which one they lead to.
            ports: match idle.get(&id) {
                Some(idle) if idle.networks == 1 => idle.ports.iter().map(asked).collect(),
                _ => Vec::new(),
            },
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

    fn take_networks(&mut self, networks: Networks) {
        let Networks {
            adopted,
            driven,
            others,
            pools: _,
        } = networks;
        self.facts.networks = adopted;
        self.facts.driven = driven;
        self.facts.others = others;
    }

    /// Lists everything, and asks about each container.
    async fn list(&mut self, questions: &mut Questions) -> Result<(), EngineError> {
        let engine = questions.engine.clone();
        let known = self.service.driver_ids();
        let asked_at = Instant::now();
        let networks = engine.networks().await?;
        let pools = &networks.pools;
        self.service.driver_release_unused(pools, asked_at).await;
        self.take_networks(networks);
        self.check_listed(&engine, known).await?;
        let ids: BTreeSet<String> = engine.containers().await?.into_iter().collect();
        self.facts.containers.retain(|id, _| ids.contains(id));
        self.facts.idle.retain(|id, _| ids.contains(id));
        for id in ids {
            self.ask(id, questions);
        }
        Ok(())
    }

    /// Brings what is wanted in line; after how long to look again when it is not all of it.
    pub(super) async fn adopt(&mut self) -> Result<Option<Duration>, End> {
        let (socket, version) = (&self.config.socket, self.version);
        let facts = Arc::new(self.facts.clone());
        let looked = Arc::clone(&facts);
        let found = tokio::task::spawn_blocking(move || adopted::look(&looked.wanted())).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                return Err(End::Engine(format!(
                    "the kernel's interfaces cannot be read, which is tried again: {error}"
                )));
            }
            Err(error) => return Err(End::Engine(Error::internal(&error).to_string())),
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
                format!("container {name:?}: {what} is not served: netctl does not understand it; make the container without it, and please report it")
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
                adopts: self.config.adopt,
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
