//! `netctl daemon`: everything put together.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};
use tracing_subscriber::EnvFilter;

use super::{
    run_folder::{self, RunFolder},
    settings,
};
use crate::{
    api::{self, socket},
    cli,
    config::Config,
    docker::{self, driver},
    kernel::{adopted, names},
    metrics,
    model::{Model, delta::Delta},
    reconcile::controller::{Controller, Options},
    service::{self, Service, machine::Machine},
    store::{self, Store},
    version,
};

/// How long requests that are under way may take when the daemon is asked to end.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: cli::Daemon, run: Option<PathBuf>) -> Result<()> {
    let cli::Daemon {
        places,
        uplinks,
        metrics,
    } = args;
    let mut config = settings::load(places, run)?;
    if !uplinks.is_empty() {
        config.daemon.uplinks = uplinks;
    }
    if let Some(cli::Metrics(address)) = metrics {
        config.daemon.metrics = address;
    }
    log();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("runtime")?
        .block_on(serve(config))
}

/// RUST_LOG says what is logged.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

async fn serve(config: Config) -> Result<()> {
    // What can be refused without having changed anything comes first.
    let options = settings::options(&config)?;
    socket::check(&config.daemon.run)?;
    let folder = RunFolder::take(&config.daemon.run)?;
    let metrics = match config.daemon.metrics.map(listen) {
        None => None,
        Some(listening) => match listening.await {
            Ok(listener) => Some(listener),
            Err(e) => {
                folder.give_back()?;
                return Err(e);
            }
        },
    };
    let (end, ended) = watch::channel(());
    // Early: Docker may ask while netctl starts, and then waits for the answer instead of for
    // somebody who answers.
    let (ready, service) = watch::channel(None);
    let driver = config
        .docker
        .driver
        .then(|| driver::listen(Path::new(driver::PATH)));
    let (listener, driver_socket) = driver.flatten().unzip();
    let driver = listener.map(|listener| {
        let end = closed(ended.clone());
        tokio::spawn(driver::serve(listener, service, end))
    });
    let (service, folder) = start(&config, options, folder).await?;
    ready.send_replace(Some(Arc::clone(&service)));
    let purged = Arc::new(Notify::new());
    let mut servers = JoinSet::new();

    if let Some(listener) = metrics {
        let router = metrics::router(Arc::clone(&service))?;
        // A scraper's connection is not waited for.
        servers.spawn(async move { axum::serve(listener, router).await });
    }
    let context = api::Context {
        service: Arc::clone(&service),
        purged: Arc::clone(&purged),
    };
    let api = axum::serve(socket::listen(&config.daemon.run)?, api::router(context));
    let api = api.with_graceful_shutdown(closed(ended));
    let api = tokio::spawn(async move { api.await });

    let follow = config.docker.adopt || config.docker.driver;
    let following = follow.then(|| {
        let resync = Duration::from_secs(config.daemon.resync_seconds);
        tokio::spawn(docker::follow(service, config.docker.clone(), resync))
    });
    let run = config.daemon.run.display();
    tracing::info!("netctl {} serves {run}", version::long());
    notify(&[NotifyState::Ready]);
    let taken_away = wait_for_end(&purged).await?;
    notify(&[NotifyState::Stopping]);
    drop(end);
    drop(driver_socket);
    let answered = async {
        let _answered = api.await;
        if let Some(driver) = driver {
            let _answered = driver.await;
        }
    };
    if timeout(PATIENCE, answered).await.is_err() {
        tracing::warn!("requests under way were given up");
    }
    servers.shutdown().await;
    if let Some(following) = following {
        following.abort();
    }
    if taken_away {
        run_folder::remove_folder(&config.daemon.state)?;
        folder.remove()?;
        tracing::info!("everything was taken away");
    } else {
        folder.close()?;
        tracing::info!("the datapath goes on in the kernel");
    }
    Ok(())
}

/// Opens the state and brings the machine in line with it. When that cannot be done, what was
/// made for it is taken back.
async fn start(
    config: &Config,
    options: Options,
    folder: RunFolder,
) -> Result<(Arc<Service>, RunFolder)> {
    let state = &config.daemon.state;
    let first = !state.join(store::FILE).exists();
    let opened = Store::open(state);
    let (store, model) = match opened {
        Ok(opened) => opened,
        Err(e) => {
            folder.give_back()?;
            return Err(e.into());
        }
    };
    let model = match keep_adopted(config, &store, model) {
        Ok(model) => Arc::new(model),
        Err(e) => {
            folder.give_back()?;
            return Err(e);
        }
    };
    let controller = match Controller::start(options, Arc::clone(&model)).await {
        Ok(controller) => controller,
        Err(e) => {
            if first {
                store.remove()?;
                run_folder::remove_folder(state)?;
            }
            folder.give_back()?;
            return Err(e).context("the datapath cannot be started");
        }
    };
    let machine = Machine::new(controller, &config.daemon.run);
    let options = service::Options {
        pools: config.network.pools.clone(),
        max_endpoints: config.datapath.max_endpoints,
        nat: config.nat,
    };
    let service = Service::new(Box::new(machine), store, model, options);
    Ok((Arc::new(service), folder))
}

/// Of what is Docker's, keeps what is served on interfaces that are still there: a container that
/// runs goes on while its engine does not. After a boot other interfaces have their numbers.
fn keep_adopted(config: &Config, store: &Store, model: Model) -> Result<Model> {
    let present = adopted::present().context("the interfaces of this machine cannot be read")?;
    let is_there =
        |name: &str, ifindex| config.docker.adopt && present.contains(&(name.to_owned(), ifindex));
    let mut kept = model.clone();
    let has_driven = model.networks.values().any(|n| n.driver.is_some());
    let followed = config.docker.adopt || (config.docker.driver && has_driven);
    kept.keep_adopted(followed, is_there);
    kept.keep_joined(config.docker.driver, |id| {
        present.contains(&(names::endpoint_name(id), names::endpoint_ifindex(id)))
    });
    store.apply(&Delta::between(&model, &kept), &kept)?;
    Ok(kept)
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("metrics address {address}; name another by --metrics, or \"\" for none")
    })
}

/// Whether the end came by a purge, not by a signal.
async fn wait_for_end(purged: &Notify) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = purged.notified() => true,
    })
}

async fn closed(mut ended: watch::Receiver<()>) {
    // Ends with the sender.
    let _closed = ended.changed().await;
}

/// Tells systemd, if that is who started us.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("systemd was not told: {error}");
    }
}
