//! Opening the state file so that a damaged or foreign one is refused unchanged.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::{Mutex, PoisonError},
};

use redb::{Database, DatabaseError, StorageError};

use super::{
    ENDPOINTS, MEMBERS, NETWORKS, NUMBERS, OTHERS, POOLS, PORTS, SANDBOXES, StoreError, VERSION,
};

/// How every redb file begins (redb's docs/design.md, "Super-header").
const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

pub(super) fn open(folder: &Path, path: &Path) -> Result<Database, StoreError> {
    match File::open(path) {
        Ok(file) => existing(path, file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => create(folder, path),
        Err(e) => Err(file_error(path, e)),
    }
}

fn existing(path: &Path, mut file: File) -> Result<Database, StoreError> {
    let mut magic = [0; MAGIC.len()];
    let begins = file.read_exact(&mut magic);
    if begins.is_err() || &magic != MAGIC {
        return Err(damaged(path, "it is no redb database"));
    }
    // redb takes the same lock.
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse {
                path: path.to_owned(),
            });
        }
        Err(TryLockError::Error(e)) => return Err(file_error(path, e)),
    }
    // redb writes on opening: what a killed daemon left is repaired, a flag says that it is
    // open. Whether the file can be understood only shows in reading all of it, so that is
    // tried on a copy.
    let trial = path.with_extension("check");
    let copied = fs::copy(path, &trial).map_err(|e| file_error(path, e));
    let tried = copied.and_then(|_bytes| {
        let db = attempt(&trial, path)?;
        super::load(&db, path)
    });
    let removed = fs::remove_file(&trial);
    tried?;
    removed.map_err(|e| file_error(&trial, e))?;
    drop(file);
    attempt(path, path)
}

/// The panic hook is one for the process.
static QUIET: Mutex<()> = Mutex::new(());

/// Opens `file`; errors speak of `path`.
fn attempt(file: &Path, path: &Path) -> Result<Database, StoreError> {
    // redb asserts what a header promises; a cut file breaks such promises.
    // Its panic is our error: nobody needs to read both. At start nothing else runs that may panic.
    let quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let opened = panic::catch_unwind(AssertUnwindSafe(|| Database::open(file)));
    panic::set_hook(hook);
    drop(quiet);
    match opened {
        Err(_panic) => Err(damaged(path, "it is cut short or overwritten")),
        Ok(Ok(db)) => Ok(db),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(StoreError::InUse {
            path: path.to_owned(),
        }),
        Ok(Err(DatabaseError::Storage(StorageError::Io(e))))
            if !matches!(
                e.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Err(file_error(path, e))
        }
        Ok(Err(e)) => Err(damaged(path, e)),
    }
}

/// Makes the file under another name first: a crash leaves no half-made one.
fn create(folder: &Path, path: &Path) -> Result<Database, StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    let new = path.with_extension("new");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(|source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    let db = match redb::Builder::new().create_file(file) {
        Ok(db) => db,
        Err(DatabaseError::DatabaseAlreadyOpen) => {
            return Err(StoreError::InUse {
                path: path.to_owned(),
            });
        }
        Err(e) => return Err(file_error(path, io::Error::other(e))),
    };
    let io = |e| file_error(path, e);
    lay_out(&db).map_err(|e| io(io::Error::other(e)))?;
    fs::rename(&new, path).map_err(io)?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
    Ok(db)
}

fn lay_out(db: &Database) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    txn.open_table(NETWORKS)?;
    txn.open_table(SANDBOXES)?;
    txn.open_table(ENDPOINTS)?;
    txn.open_table(PORTS)?;
    txn.open_table(MEMBERS)?;
    txn.open_table(POOLS)?;
    txn.open_table(OTHERS)?;
    {
        let mut numbers = txn.open_table(NUMBERS)?;
        numbers.insert("version", VERSION)?;
        numbers.insert("last_endpoint", 0)?;
        numbers.insert("last_port", 0)?;
    }
    txn.commit()?;
    Ok(())
}

fn damaged(path: &Path, reason: impl ToString) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn file_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        source,
    }
}
