//! What enabling and disabling change: texts in, texts out.

use std::path::Path;

use serde_json::Value;

use super::{
    Places, SetupError, files,
    json::Object,
    launch::Launch,
    record::{FileChange, Plan, Record},
    settings::{ADOPT, ENGINE_OFF, ICC, IP_MASQ, OWN_ICC, OWN_IP_MASQ, Settings},
    toml::Toml,
};

/// Switches the Engine's own packet handling off, and netctl's on. A plan without files: all is
/// as it is to be.
pub fn enable(places: &Places, launch: &Launch) -> Result<Plan, SetupError> {
    refuse_flags(places, launch)?;
    let known = Record::load(places)?;
    let (daemon_json, netctl_toml) = (&places.daemon_json, &places.netctl_toml);
    let engine = files::read(daemon_json)?;
    let own = files::read(netctl_toml)?;
    let mut told = Vec::new();

    let mut object: Object = read(engine.as_deref(), daemon_json)?;
    let mut toml: Toml = read(own.as_deref(), netctl_toml)?;
    for key in ENGINE_OFF {
        if Settings::get(&object, key) != Some(Value::Bool(false)) {
            Settings::put(&mut object, key, Some(Value::Bool(false)));
        }
    }
    if toml.get(ADOPT) != Some(true) {
        toml.put(ADOPT, Some(true));
    }
    let is_off = |object: &Object, key: &str| object.get(key) == Some(Value::Bool(false));
    if is_off(&object, ICC) {
        object.put(ICC, None);
        toml.put(OWN_ICC, Some(false));
        told.push(format!("\"{ICC}\": false is netctl's now, docker.{OWN_ICC} = false: the Engine does not start with it and without iptables"));
    }
    let by_flag = launch
        .flags
        .iter()
        .any(|flag| flag.name == IP_MASQ && flag.is_off());
    if (by_flag || is_off(&object, IP_MASQ)) && toml.get(OWN_IP_MASQ) != Some(false) {
        toml.put(OWN_IP_MASQ, Some(false));
        told.push(format!("\"{IP_MASQ}\": false is also netctl's, docker.{OWN_IP_MASQ} = false: without iptables the Engine does not tell"));
    }
    // What goes on is what was valid before, with the changes.
    Toml::parse(&toml.text(), netctl_toml)?;

    let record = Record::path(places);
    let sides = [
        side::<Object>(known.as_ref(), daemon_json, engine, &object)?,
        side::<Toml>(known.as_ref(), netctl_toml, own, &toml)?,
    ];
    let files: Vec<FileChange> = sides
        .iter()
        .map(|side| side.now.clone())
        .filter(|change| change.before != change.after)
        .collect();
    let record = match files.is_empty() {
        true => (record, known),
        false => {
            let all = sides.into_iter().map(|side| FileChange {
                before: side.stock,
                ..side.now
            });
            let changed = all.filter(|change| change.before != change.after);
            (record, Some(Record::new(changed.collect())))
        }
    };
    Ok(Plan {
        files,
        told,
        keeps_copies: true,
        record,
    })
}

/// Takes back what [`enable`] did; `None` when there is nothing to take back.
pub fn disable(places: &Places) -> Result<Option<Plan>, SetupError> {
    let Some(known) = Record::load(places)? else {
        return Ok(None);
    };
    let mut files = Vec::new();
    for change in &known.files {
        let before = files::read(&change.path)?;
        let after = match change.path == places.daemon_json {
            true => undone::<Object>(change, before.as_deref())?,
            false => undone::<Toml>(change, before.as_deref())?,
        };
        files.push(FileChange {
            path: change.path.clone(),
            before,
            after,
        });
    }
    files.retain(|change| change.before != change.after);
    Ok(Some(Plan {
        files,
        told: Vec::new(),
        keeps_copies: false,
        record: (Record::path(places), None),
    }))
}

/// One file of [`enable`].
struct Side {
    now: FileChange,
    /// What a way back leads to.
    stock: Option<String>,
}

fn side<S: Settings>(
    known: Option<&Record>,
    path: &Path,
    before: Option<String>,
    wanted: &S,
) -> Result<Side, SetupError> {
    // Enabled before, and changed since by its owner.
    let stock = match known.and_then(|record| record.of(path)) {
        Some(change) => undone::<S>(change, before.as_deref())?,
        None => before.clone(),
    };
    let is_same = before.is_some() && wanted.text() == before.clone().unwrap_or_default();
    Ok(Side {
        now: FileChange {
            path: path.to_owned(),
            after: match is_same {
                true => before.clone(),
                false => Some(wanted.text()),
            },
            before,
        },
        stock,
    })
}

/// The file as it is now without a change. Keys that somebody has given another value since are
/// left to them.
fn undone<S: Settings>(
    change: &FileChange,
    now: Option<&str>,
) -> Result<Option<String>, SetupError> {
    let Some(now) = now else {
        return Ok(None);
    };
    if change.after.as_deref() == Some(now) {
        return Ok(change.before.clone());
    }
    let path = &change.path;
    let (before, after): (S, S) = (
        read(change.before.as_deref(), path)?,
        read(change.after.as_deref(), path)?,
    );
    let mut settings = S::read(now, path)?;
    for key in S::KEYS {
        let (was, made) = (before.get(key), after.get(key));
        if was != made && settings.get(key) == made {
            settings.put(key, was);
        }
    }
    let is_left = change.before.is_some() || !settings.is_empty();
    Ok(is_left.then(|| settings.text()))
}

fn read<S: Settings>(text: Option<&str>, path: &Path) -> Result<S, SetupError> {
    S::read(text.unwrap_or_default(), path)
}

/// The Engine takes no setting twice.
fn refuse_flags(places: &Places, launch: &Launch) -> Result<(), SetupError> {
    if let Some((path, place)) = launch.other_file(&places.daemon_json) {
        return Err(SetupError::OtherFile { path, place });
    }
    match launch.conflicts().next() {
        Some(flag) => Err(SetupError::Flag {
            option: flag.text(),
            place: flag.place.clone(),
        }),
        None => Ok(()),
    }
}
