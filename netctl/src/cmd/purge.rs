//! `netctl purge`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    run_folder::{self, RunFolder},
    settings,
};
use crate::{
    cli::Places,
    client::Client,
    docker::driver,
    reconcile::controller::Controller,
    store::{self, Store},
};

/// How long the daemon may take to end once everything is gone.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn purge(
    client: &Client,
    run: Option<PathBuf>,
    places: Places,
) -> Result<ExitCode> {
    let config = settings::load(places, run.clone())?;
    if client.is_up().await? {
        let () = client.post("/v1/purge", &()).await?;
        let folder = run.unwrap_or_else(|| crate::config::defaults::RUN.into());
        run_folder::wait_free(&folder, PATIENCE).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = settings::options(&config)?;
    let folder = RunFolder::take(&config.daemon.run)?;
    let state = &config.daemon.state;
    // Open to the end, against a daemon with another run folder.
    let stored = match state.join(store::FILE).exists() {
        true => Some(Store::open(state)?.0),
        false => None,
    };
    let controller = Controller::start(options, Arc::default())
        .await
        .context("the datapath cannot be taken over to take it away")?;
    controller
        .purge()
        .await
        .context("not everything could be taken away; `netctl purge` goes on where it stopped")?;
    if let Some(stored) = stored {
        stored.remove()?;
        run_folder::remove_folder(state)?;
    }
    driver::Socket::sweep(Path::new(driver::PATH))?;
    folder.remove()?;
    Ok(ExitCode::SUCCESS)
}
