//! The intent on disk: one redb file with a table for each noun, JSON values by id.
//!
//! Intent only: what the kernel holds is never written here. A write is one transaction that is
//! on disk when [`Store::apply`] returns.
//!
//! Invariant: a file that is not entirely understood is left as it was found.

mod open;
mod v1;

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    TableHandle, WriteTransaction,
};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::model::{
    Endpoint, Model, Network, PublishedPort, Sandbox,
    delta::{Change, Delta},
    driver::{Member, Pool},
};

/// The file's name in the state folder.
pub const FILE: &str = "netctl.redb";
/// Version of the tables and of the JSON in them. Version 1 knew no IPv6, version 2 nothing
/// adopted, version 3 no names of what is and no network driver; all are read as well.
const VERSION: u32 = 4;

type ById = TableDefinition<'static, u32, &'static str>;
type ByName = TableDefinition<'static, &'static str, &'static str>;
const NETWORKS: ById = TableDefinition::new("networks");
const SANDBOXES: ByName = TableDefinition::new("sandboxes");
const ENDPOINTS: ById = TableDefinition::new("endpoints");
const PORTS: ById = TableDefinition::new("ports");
const MEMBERS: ByName = TableDefinition::new("members");
const POOLS: ByName = TableDefinition::new("pools");
const OTHERS: ByName = TableDefinition::new("others");
/// Tables that a file need not have.
const LATER: [&str; 3] = ["members", "pools", "others"];
/// `version`, `last_endpoint`, `last_port`; from the first unique local subnet on
/// `global_id_high` and `global_id_low`.
const NUMBERS: TableDefinition<'static, &'static str, u32> = TableDefinition::new("numbers");

/// Why the state cannot be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("state folder {path}: {source}; give another by --state", path = .path.display())]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("state file {path}: {source}", path = .path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("state file {path} is in use by another netctl daemon; stop that one, or give another folder by --state", path = .path.display())]
    InUse { path: PathBuf },
    #[error("state file {path} cannot be understood: {reason}; put a copy back, or move it away to start with nothing", path = .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("state file {path} has version {found}, this netctl knows {VERSION}; run the netctl that wrote it", path = .path.display())]
    Version { path: PathBuf, found: u32 },
    #[error("state file {path}: cannot be written; nothing was changed", path = .path.display())]
    Write {
        path: PathBuf,
        source: Box<redb::Error>,
    },
}

/// The open state file. Nobody else has it open.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Database,
}

impl Store {
    /// Opens the state file of the folder, or makes both, and reads what is wanted.
    pub fn open(folder: &Path) -> Result<(Self, Model), StoreError> {
        let path = folder.join(FILE);
        let db = open::open(folder, &path)?;
        let (found, model) = load(&db, &path)?;
        let store = Self { path, db };
        if found != VERSION {
            store.apply(&Delta::between(&Model::default(), &model), &model)?;
        }
        Ok((store, model))
    }

    /// Writes a change and the counters of the model that it led to.
    pub fn apply(&self, delta: &Delta, model: &Model) -> Result<(), StoreError> {
        self.write(delta, model).map_err(|e| StoreError::Write {
            path: self.path.clone(),
            source: Box::new(e),
        })
    }

    /// Deletes the file: of a daemon that is taken away for good.
    pub fn remove(&self) -> Result<(), StoreError> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::File {
                path: self.path.clone(),
                source: e,
            }),
            _ => Ok(()),
        }
    }

    fn write(&self, delta: &Delta, model: &Model) -> Result<(), redb::Error> {
        let Delta {
            networks,
            sandboxes,
            endpoints,
            ports,
            members,
            pools,
            others,
        } = delta;
        let txn = self.db.begin_write()?;
        {
            put_by_id(&txn, NETWORKS, networks)?;
            put_by_id(&txn, ENDPOINTS, endpoints)?;
            put_by_id(&txn, PORTS, ports)?;
            put_by_name(&txn, SANDBOXES, sandboxes)?;
            put_by_name(&txn, MEMBERS, members)?;
            put_by_name(&txn, POOLS, pools)?;
            put_by_name(&txn, OTHERS, others)?;
            let mut table = txn.open_table(NUMBERS)?;
            table.insert("version", VERSION)?;
            table.insert("last_endpoint", model.last_endpoint)?;
            table.insert("last_port", model.last_port)?;
            if let Some(id) = model.global_id {
                table.insert("global_id_high", (id >> 32) as u32)?;
                table.insert("global_id_low", id as u32)?;
            }
        }
        txn.commit()?;
        Ok(())
    }
}

/// What is wanted, and the version that it was written in.
fn load(db: &Database, path: &Path) -> Result<(u32, Model), StoreError> {
    let (found, model) = read(db).map_err(|reason| StoreError::Damaged {
        path: path.to_owned(),
        reason,
    })?;
    match found {
        1..=VERSION => Ok((found, model)),
        _ => Err(StoreError::Version {
            path: path.to_owned(),
            found,
        }),
    }
}

/// The file's version, and what is in it if that is ours.
fn read(db: &Database) -> Result<(u32, Model), String> {
    let text = |e: redb::Error| e.to_string();
    let txn = db.begin_read().map_err(|e| text(e.into()))?;
    let numbers = txn.open_table(NUMBERS).map_err(|e| text(e.into()))?;
    let optional = |key: &'static str| match numbers.get(key) {
        Ok(value) => Ok(value.map(|value| value.value())),
        Err(e) => Err(text(e.into())),
    };
    let number = |key| optional(key)?.ok_or_else(|| format!("{key:?} is missing"));
    let version = number("version")?;
    let same = |port: PublishedPort| port;
    let (networks, ports) = match version {
        // Versions 2 and 3 are the same without what was added, which has defaults.
        2 | 3 | VERSION => (
            rows(&txn, NETWORKS, |key| key, |network: Network| network)?,
            rows(&txn, PORTS, |key| key, same)?,
        ),
        1 => (
            rows(&txn, NETWORKS, |key| key, |old: v1::Network| old.into())?,
            rows(&txn, PORTS, |key| key, v1::port)?,
        ),
        _ => return Ok((version, Model::default())),
    };
    let global_id = match (optional("global_id_high")?, optional("global_id_low")?) {
        (Some(high), Some(low)) => Some(u64::from(high) << 32 | u64::from(low)),
        _ => None,
    };
    let model = Model {
        networks,
        sandboxes: rows(&txn, SANDBOXES, str::to_owned, |sandbox: Sandbox| sandbox)?,
        endpoints: rows(&txn, ENDPOINTS, |key| key, |endpoint: Endpoint| endpoint)?,
        ports,
        members: rows(&txn, MEMBERS, str::to_owned, |member: Member| member)?,
        pools: rows(&txn, POOLS, str::to_owned, |pool: Pool| pool)?,
        others: rows(&txn, OTHERS, str::to_owned, |network: String| network)?,
        last_endpoint: number("last_endpoint")?,
        last_port: number("last_port")?,
        global_id,
    };
    Ok((version, model))
}

/// A table's entries, none of one that came later than the file; `now` makes of what was written what is kept in memory.
fn rows<K: redb::Key, O: Ord + Display, W: DeserializeOwned, V>(
    txn: &ReadTransaction,
    definition: TableDefinition<'static, K, &'static str>,
    own: impl Fn(K::SelfType<'_>) -> O,
    now: impl Fn(W) -> V,
) -> Result<BTreeMap<O, Arc<V>>, String> {
    let table = match txn.open_table(definition) {
        Err(TableError::TableDoesNotExist(_)) if LATER.contains(&definition.name()) => {
            return Ok(BTreeMap::new());
        }
        table => table.map_err(|e| e.to_string())?,
    };
    let entries = table.iter().map_err(|e| e.to_string())?;
    entries
        .map(|entry| {
            let (key, value) = entry.map_err(|e| e.to_string())?;
            let key = own(key.value());
            let value: W = serde_json::from_str(value.value())
                .map_err(|e| format!("{} {key}: {e}", definition.name()))?;
            Ok((key, Arc::new(now(value))))
        })
        .collect()
}

fn put_by_id<V: Serialize>(
    txn: &WriteTransaction,
    table: ById,
    changes: &BTreeMap<u32, Change<V>>,
) -> Result<(), redb::Error> {
    let mut table = txn.open_table(table)?;
    let mut changes = changes.iter();
    changes.try_for_each(|(id, (_, after))| put(&mut table, *id, after.as_deref()))
}

fn put_by_name<V: Serialize>(
    txn: &WriteTransaction,
    table: ByName,
    changes: &BTreeMap<String, Change<V>>,
) -> Result<(), redb::Error> {
    let mut table = txn.open_table(table)?;
    let mut changes = changes.iter();
    changes.try_for_each(|(name, (_, after))| put(&mut table, name.as_str(), after.as_deref()))
}

fn put<'k, K: redb::Key + 'static>(
    table: &mut redb::Table<'_, K, &'static str>,
    key: K::SelfType<'k>,
    value: Option<&impl Serialize>,
) -> Result<(), redb::Error> {
    match value {
        None => drop(table.remove(key)?),
        Some(value) => {
            let json = serde_json::to_string(value)
                .map_err(|e| redb::Error::Io(std::io::Error::other(e)))?;
            drop(table.insert(key, json.as_str())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
