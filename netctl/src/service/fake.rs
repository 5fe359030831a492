//! A machine in memory that does what a test tells it to.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    Options, Service,
    engine::{Engine, EngineError, Pass},
};
use crate::{
    config,
    kernel::owner::{Holder, Owner},
    model::{Model, Proto},
    reconcile::controller::Scope,
    store::Store,
    view,
};

/// Inode of the fake host's own namespace.
pub(crate) const HOST_NETNS: u64 = 1;

/// Something that happens while a pass runs.
type Interference = Box<dyn FnMut(&mut World) + Send>;

/// What the test looks at and changes.
#[derive(Default)]
pub(crate) struct World {
    pub host: view::Host,
    pub model: Arc<Model>,
    pub passes: Vec<Vec<Scope>>,
    /// Answers of the coming passes, the last one first; none left: success.
    pub answers: Vec<Result<(), String>>,
    pub owners: Vec<(Proto, Owner)>,
    /// Addresses of owners that take no IPv4.
    pub only_v6: Vec<SocketAddr>,
    pub netns: HashMap<PathBuf, u64>,
    pub foreign: Vec<String>,
    pub flows: Vec<view::Flow>,
    pub drops: Vec<view::Drop>,
    pub counters: Vec<view::PortCounters>,
    pub totals: view::Totals,
    pub status: view::Status,
    /// Called in every pass.
    pub during: Option<Interference>,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<World>>);

impl Fake {
    pub(crate) fn world<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// The next passes fail so.
    pub(crate) fn fail(&self, errors: &[&str]) {
        let answers = errors.iter().rev().map(|e| Err((*e).to_owned())).collect();
        self.world(|w| w.answers = answers);
    }
}

/// A service over a fake host with one LAN, and the folder of its state.
pub(crate) fn service() -> (Arc<Service>, Fake, tempfile::TempDir) {
    let fake = Fake::default();
    fake.world(|w| {
        let addresses = &mut w.host.addresses;
        for (addr, index) in [
            ("127.0.0.1", 1),
            ("::1", 1),
            ("198.51.100.7", 2),
            ("2001:db8:64::7", 2),
        ] {
            addresses.insert(addr.parse().unwrap(), index);
        }
        for route in ["198.51.100.0/24", "2001:db8:64::/64"] {
            w.host.routes.push(route.parse().unwrap());
        }
        let uplink = view::Uplink {
            name: "lan0".into(),
            mtu: 1400,
            mac: Some("02:00:00:00:00:01".into()),
            address: Some(Ipv4Addr::new(198, 51, 100, 7)),
            address6: Some("2001:db8:64::7".parse().unwrap()),
        };
        w.host.uplinks.insert(2, uplink);
        w.netns.insert("/proc/77/ns/net".into(), 4077);
        w.netns.insert("/proc/1/ns/net".into(), HOST_NETNS);
        w.netns.insert("/run/netns/given".into(), 4000);
        w.status.healthy = true;
    });
    let dir = tempfile::tempdir().unwrap();
    let service = reopen(&fake, dir.path());
    (service, fake, dir)
}

/// As after a restart of the daemon.
pub(crate) fn reopen(fake: &Fake, state: &Path) -> Arc<Service> {
    let (store, model) = Store::open(state).unwrap();
    let options = Options {
        pools: config::Config::default().network.pools,
        max_endpoints: 100,
        nat: config::Nat::default(),
    };
    let model = Arc::new(model);
    fake.set_model(Arc::clone(&model));
    Arc::new(Service::new(Box::new(fake.clone()), store, model, options))
}

impl Engine for Fake {
    fn settle(&self) -> Pass<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn host(&self) -> view::Host {
        self.world(|w| w.host.clone())
    }

    fn set_model(&self, model: Arc<Model>) {
        self.world(|w| w.model = model);
    }

    fn converge(&self, scopes: Vec<Scope>) -> Pass<'_, ()> {
        Box::pin(async move {
            self.world(|w| {
                w.passes.push(scopes);
                if let Some(mut during) = w.during.take() {
                    during(w);
                    w.during = Some(during);
                }
                let answer = w.answers.pop().unwrap_or(Ok(()));
                answer.map_err(EngineError::from)
            })
        })
    }

    fn plan(&self) -> Pass<'_, Vec<String>> {
        Box::pin(async { Ok(vec!["add link nc-br1".to_owned()]) })
    }

    fn purge(&self) -> Pass<'_, ()> {
        self.set_model(Arc::default());
        self.converge(vec![Scope::All])
    }

    fn status(&self) -> view::Status {
        self.world(|w| w.status.clone())
    }

    fn totals(&self) -> view::Totals {
        self.world(|w| w.totals.clone())
    }

    fn flows(&self) -> Result<Vec<view::Flow>, EngineError> {
        Ok(self.world(|w| w.flows.clone()))
    }

    fn drops(&self) -> Result<Vec<view::Drop>, EngineError> {
        Ok(self.world(|w| w.drops.clone()))
    }

    fn port_counters(&self) -> Result<Vec<view::PortCounters>, EngineError> {
        Ok(self.world(|w| w.counters.clone()))
    }

    fn holders(&self, proto: Proto) -> io::Result<Vec<Holder>> {
        Ok(self.world(|w| {
            let holder = |(index, (_, owner)): (usize, &(Proto, Owner))| Holder {
                address: owner.address,
                only_v6: w.only_v6.contains(&owner.address),
                inode: index as u64,
            };
            let owners = w.owners.iter().enumerate();
            let own = owners.filter(|(_, (of, _))| *of == proto);
            own.map(holder).collect()
        }))
    }

    fn owner(&self, holder: &Holder) -> io::Result<Owner> {
        Ok(self.world(|w| w.owners[holder.inode as usize].1.clone()))
    }

    fn free_ports(&self) -> io::Result<(u16, u16)> {
        Ok((32768, 32771))
    }

    fn netns(&self, path: &Path) -> io::Result<u64> {
        let missing = || io::Error::from_raw_os_error(libc::ENOENT);
        self.world(|w| w.netns.get(path).copied())
            .ok_or_else(missing)
    }

    fn host_netns(&self) -> io::Result<u64> {
        Ok(HOST_NETNS)
    }

    fn foreign_netns(&self, name: &str) -> bool {
        self.world(|w| w.foreign.iter().any(|n| n == name))
    }
}
