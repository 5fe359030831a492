//! The Engine's API: listings and the stream of events. Nothing is written by it, ever.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error,
    models::{EventMessage, EventMessageTypeEnum, Network as Answer, SystemInfo},
    query_parameters::{EventsOptions, ListContainersOptions},
};
use futures_util::{Stream, StreamExt as _};

use super::{
    facts::{Container, Endpoint, Idle, Network, Networks},
    read::{self, DefaultBridge},
};
use crate::{config, kernel::events::unix_seconds};

/// Longest that one question may take. An Engine that starts a container answers questions about
/// it when it has.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an event may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    Networks,
    Container(String),
    /// One that is started, or runs, has come to a network.
    Connected {
        network: String,
        container: String,
    },
}

/// A connection to the Engine.
#[derive(Clone)]
pub(super) struct Engine {
    docker: Docker,
    /// Seconds since 1970 of when it was made: events since then are told.
    since: u64,
    /// The Engine's own version.
    pub(super) version: String,
    /// None: networks of Docker's own are not adopted.
    default_bridge: Option<DefaultBridge>,
}

impl Engine {
    /// Connects by the UNIX socket, and settles on a version of the API that both know.
    pub(super) async fn connect(config: &config::Docker) -> Result<Self, Error> {
        let since = unix_seconds();
        let path = config.socket.display().to_string();
        let docker = Docker::connect_with_unix(&path, PATIENCE.as_secs(), API_DEFAULT_VERSION)?;
        let docker = docker.negotiate_version().await?;
        let version = docker.version().await?.version.unwrap_or_default();
        Ok(Self {
            docker,
            since,
            version,
            default_bridge: config.adopt.then_some(DefaultBridge {
                masquerade: config.ip_masq,
                icc: config.icc,
            }),
        })
    }

    /// How it runs.
    pub(super) async fn info(&self) -> Result<SystemInfo, Error> {
        self.docker.info().await
    }

    /// The networks that concern us.
    pub(super) async fn networks(&self) -> Result<Networks, Error> {
        let answers = self.docker.list_networks(None).await?;
        let adopt = |answer| read::network(answer, self.default_bridge?);
        let adopted: BTreeMap<String, Network> = answers.iter().filter_map(adopt).collect();
        let is_adopted = |answer: &&Answer| {
            let id = answer.id.as_ref();
            id.is_some_and(|id| adopted.contains_key(id))
        };
        let others = answers.iter().filter(|answer| !is_adopted(answer));
        Ok(Networks {
            others: others.filter_map(read::bridge).collect(),
            adopted,
            driven: answers.iter().filter_map(read::driven).collect(),
            pools: answers.iter().flat_map(read::pools).collect(),
        })
    }

    /// Ids of all containers, those that do not run as well.
    pub(super) async fn containers(&self) -> Result<Vec<String>, Error> {
        let all = ListContainersOptions {
            all: true,
            ..ListContainersOptions::default()
        };
        let answers = self.docker.list_containers(Some(all)).await?;
        Ok(answers.into_iter().filter_map(|answer| answer.id).collect())
    }

    /// One container: absent, idle, or running with what of it cannot be understood.
    pub(super) async fn container(&self, id: &str) -> Result<Seen, Error> {
        match self.docker.inspect_container(id, None).await {
            Ok(answer) => Ok(match read::container(&answer) {
                Some(running) => Seen::Running(running),
                None => Seen::Idle(read::idle(&answer)),
            }),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(Seen::Gone),
            Err(error) => Err(error),
        }
    }

    /// Name and endpoint of one of a network's containers.
    pub(super) async fn member(
        &self,
        network: &str,
        container: &str,
    ) -> Result<Option<(String, Endpoint)>, Error> {
        match self.docker.inspect_network(network, None).await {
            Ok(answer) => Ok(read::member(&answer, container)),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ids of all endpoints of a network.
    pub(super) async fn endpoints(&self, network: &str) -> Result<Vec<String>, Error> {
        match self.docker.inspect_network(network, None).await {
            Ok(answer) => Ok(read::endpoints(answer)),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// News from when the connection was made on; ends with it.
    pub(super) fn news(&self) -> impl Stream<Item = Result<News, Error>> + use<> {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let filters = [
            ("type", list(&["container", "network"])),
            (
                "event",
                list(&[
                    "start",
                    "die",
                    "destroy",
                    "rename",
                    "create",
                    "remove",
                    "connect",
                    "disconnect",
                ]),
            ),
        ];
        let options = EventsOptions {
            since: Some(self.since.to_string()),
            until: None,
            filters: Some(
                filters
                    .into_iter()
                    .map(|(key, values): (_, Vec<String>)| (key.to_owned(), values))
                    .collect::<HashMap<_, _>>(),
            ),
        };
        self.docker.events(Some(options)).filter_map(|event| async {
            match event {
                Err(error) => Some(Err(error)),
                Ok(event) => news(event).map(Ok),
            }
        })
    }
}

/// What there is of a container.
pub(super) enum Seen {
    Gone,
    Idle(Idle),
    Running((Container, Vec<String>)),
}

fn news(event: EventMessage) -> Option<News> {
    let actor = event.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    match (event.typ?, event.action?.as_str()) {
        (EventMessageTypeEnum::NETWORK, "connect") => Some(News::Connected {
            network: actor.id?,
            container: attributes.get("container")?.clone(),
        }),
        (EventMessageTypeEnum::NETWORK, "disconnect") => {
            attributes.get("container").cloned().map(News::Container)
        }
        (EventMessageTypeEnum::NETWORK, _) => Some(News::Networks),
        _ => actor.id.map(News::Container),
    }
}
