//! The task that follows the Engine: connects, looks at everything, then at what is news, and
//! connects again when the Engine is started anew.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bollard::errors::Error as EngineError;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    engine::{Engine, News},
    session::{Heard, Questions, Session},
};
use crate::{config::Docker, kernel::adopted, service::Service};

/// First pause before the Engine is asked for again; doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Until interfaces are looked at that the kernel has news of: several come together.
const AFTER_NEWS: Duration = Duration::from_millis(100);

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
                let Err(end) = session(&service, &engine, &config, resync).await;
                end
            }
            Err(error) => error.into(),
        };
        match ended {
            End::Engine(error) => {
                let was_there = service
                    .engine_seen()
                    .is_none_or(|seen| seen.connected || seen.error.is_none());
                if was_there {
                    tracing::warn!(socket = %socket.display(), error, "no connection to the Docker Engine, which is tried again; start it, or set `docker.socket` in netctl.toml");
                }
                service.note_engine(|seen| {
                    seen.socket = socket.clone();
                    seen.adopts = config.adopt;
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
pub(super) enum End {
    Engine(String),
    /// Everything was taken away.
    Service,
}

impl From<EngineError> for End {
    fn from(error: EngineError) -> Self {
        Self::Engine(format!("{:#}", anyhow::Error::from(error)))
    }
}

/// Until the connection ends.
async fn session(
    service: &Arc<Service>,
    engine: &Engine,
    config: &Docker,
    resync: Duration,
) -> Result<Infallible, End> {
    let mut news = pin!(engine.news());
    let mut interfaces = pin!(adopted::changes().map_err(|error| {
        End::Engine(format!("the kernel's news cannot be followed: {error}"))
    })?);
    let mut questions = Questions::new(engine);
    let mut session = Session::new(service, config, &engine.version);
    let mut first = true;
    // Looks at everything at once, and then again from time to time.
    let mut all_at = Instant::now();
    let mut again_at: Option<Instant> = None;
    loop {
        let times = (all_at, again_at);
        let heard = tokio::select! {
            biased;
            heard = hear(news.as_mut(), &mut questions, times) => heard?,
            Some(()) = interfaces.next() => {
                let soon = Instant::now() + AFTER_NEWS;
                again_at = Some(again_at.map_or(soon, |at| at.min(soon)));
                continue;
            }
        };
        let is_listing = matches!(heard, Heard::All);
        let changed = session.take(heard, &mut questions).await?;
        if is_listing {
            all_at = Instant::now() + session.until_listing(resync);
        }
        // Nothing is taken away before the first complete listing, and answers that are there
        // are one change together.
        if !changed || (first && questions.is_open()) {
            continue;
        }
        session.take_answers(&mut questions)?;
        first = false;
        let pause = session.adopt().await?;
        again_at = pause.map(|pause| Instant::now() + pause);
    }
}

/// An event, an answer, or the time: to list everything, or to look again.
async fn hear(
    mut news: Pin<&mut impl Stream<Item = Result<News, EngineError>>>,
    questions: &mut Questions,
    (all_at, again_at): (Instant, Option<Instant>),
) -> Result<Heard, End> {
    tokio::select! {
        // A container that is asked about has its answer before the whole is looked at.
        biased;
        heard = questions.answer() => Ok(heard?),
        event = news.next() => match event {
            None => Err(End::Engine("the Engine has closed the connection".into())),
            Some(event) => Ok(Heard::News(event?)),
        },
        () = sleep_until(all_at) => Ok(Heard::All),
        () = sleep_until(again_at.unwrap_or(all_at)), if again_at.is_some() => Ok(Heard::Again),
    }
}
