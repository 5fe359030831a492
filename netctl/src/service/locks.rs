//! A lock for each name, so that operations on different objects run side by side.
//!
//! A pass takes much longer than a change of the model. The names of an operation stay locked
//! until its pass is over: nobody builds on an object that may yet be undone.
//!
//! Order, against deadlocks: a namespace before networks, networks by name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Ns(String),
    Network(String),
}

/// All locks that somebody holds or waits for.
#[derive(Default)]
pub(super) struct Locks(Mutex<HashMap<Key, Weak<RwLock<()>>>>);

/// Nobody else touches the object.
pub(super) type Exclusive = OwnedRwLockWriteGuard<()>;
/// The object stays; others may use it too.
pub(super) type Shared = OwnedRwLockReadGuard<()>;

impl Locks {
    pub(super) async fn ns(&self, name: &str) -> Exclusive {
        self.lock(Key::Ns(name.to_owned())).write_owned().await
    }

    pub(super) async fn network(&self, name: &str) -> Exclusive {
        self.lock(Key::Network(name.to_owned())).write_owned().await
    }

    /// Keeps networks as they are.
    pub(super) async fn networks(&self, names: impl IntoIterator<Item = String>) -> Vec<Shared> {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort();
        names.dedup();
        let mut guards = Vec::with_capacity(names.len());
        for name in names {
            guards.push(self.lock(Key::Network(name)).read_owned().await);
        }
        guards
    }

    fn lock(&self, key: Key) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(RwLock::new(()));
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }
}
