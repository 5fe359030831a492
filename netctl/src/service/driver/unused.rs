//! Pools that Docker asked for and never made a network of: it ended in between, and knows nothing
//! of them any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ipnet::IpNet;

use crate::{model::Model, service::Service};

/// Until a pool that no network has is given up. Docker lists a network once its driver has made
/// it, and asks a driver again and again for up to half a minute where that does not answer.
pub(super) const GIVEN_UP: Duration = Duration::from_mins(5);

/// When each pool was last asked for or seen in use, by its id. Not in the store: a daemon that
/// starts waits anew.
#[derive(Debug, Default)]
pub struct LastUse(Mutex<BTreeMap<String, Instant>>);

impl LastUse {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, pool: &str) {
        self.lock().insert(pool.to_owned(), Instant::now());
    }
}

impl Service {
    /// Releases pools that no network has had for [`GIVEN_UP`]. `used`: the subnets of all networks
    /// that the Engine has by this IPAM driver, as listed at `now`.
    pub async fn driver_release_unused(self: &Arc<Self>, used: &BTreeSet<IpNet>, now: Instant) {
        let model = self.model();
        let mut unused = BTreeSet::new();
        {
            let mut last = self.pools_last_use.lock();
            last.retain(|id, _| model.pools.contains_key(id));
            for (id, pool) in &model.pools {
                let at = last.entry(id.clone()).or_insert(now);
                if used.contains(&pool.subnet) {
                    *at = now.max(*at);
                } else if now.saturating_duration_since(*at) >= GIVEN_UP {
                    unused.insert(id.clone());
                }
            }
        }
        if unused.is_empty() {
            return;
        }
        let release = move |service: &Self, model: &mut Model| {
            let last = service.pools_last_use.lock();
            // One that was asked for meanwhile is to be of a network.
            let is_unused = |id: &String| {
                let at = last.get(id);
                at.is_some_and(|at| now.saturating_duration_since(*at) >= GIVEN_UP)
            };
            let given_up: Vec<String> = unused.into_iter().filter(is_unused).collect();
            for id in &given_up {
                super::pools::release(model, id);
            }
            given_up
        };
        match self.fact(release).await {
            Ok(pools) => tracing::info!(?pools, "released: no network of Docker's has these"),
            Err(error) => tracing::warn!(%error, "pools that no network has stay for now"),
        }
    }
}
