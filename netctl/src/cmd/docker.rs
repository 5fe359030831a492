//! `netctl docker enable` and `disable`

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::output::Output;
use crate::{
    cli::{DockerFiles, DockerSwitch},
    docker::setup::{self, FileChange, Places, Plan, launch::Launch},
};

/// What a switch did, or would do.
#[derive(Serialize)]
struct Switched {
    /// False with --dry-run, and where nothing had to be changed.
    changed: bool,
    files: Vec<File>,
    told: Vec<String>,
    /// Commands that have to follow, in this order.
    next: Vec<String>,
}

#[derive(Serialize)]
struct File {
    path: PathBuf,
    diff: String,
    /// The copy of what was there.
    copy: Option<PathBuf>,
}

pub(super) fn places(files: DockerFiles) -> Places {
    let DockerFiles {
        daemon_json,
        config,
        root,
    } = files;
    Places::new(&root, daemon_json, config)
}

pub(super) fn enable(out: Output, args: DockerSwitch) -> Result<ExitCode> {
    let places = places(args.files);
    let launch = Launch::read(&places.root)
        .context("the processes of this machine cannot be read; run this as root")?;
    let plan = setup::enable(&places, &launch)?;
    let next = [
        "sudo systemctl restart netctl",
        // What SIGHUP makes the Engine read again are other keys.
        "sudo systemctl restart docker   # a reload is not enough; containers start anew, unless live-restore is on",
        "sudo netctl docker check",
    ];
    let nothing = "nothing to change: netctl adopts Docker's networks already, and the Engine makes no rules and starts no docker-proxy";
    switch(out, plan, args.dry_run, &next, nothing)
}

pub(super) fn disable(out: Output, args: DockerSwitch) -> Result<ExitCode> {
    let places = places(args.files);
    let nothing = format!(
        "nothing to take back: no `netctl docker enable` of {} is on record",
        places.daemon_json.display()
    );
    let next = [
        "sudo systemctl restart netctl   # takes its programs off Docker's interfaces",
        "sudo systemctl restart docker   # a reload is not enough; it makes its rules again",
    ];
    match setup::disable(&places)? {
        Some(plan) => switch(out, plan, args.dry_run, &next, &nothing),
        None => report(out, &Switched::nothing(), &nothing),
    }
}

fn switch(
    out: Output,
    plan: Plan,
    dry_run: bool,
    next: &[&str],
    nothing: &str,
) -> Result<ExitCode> {
    let changed = !plan.files.is_empty() && !dry_run;
    let told = plan.told.clone();
    let changes = plan.files.clone();
    // Also without files: a record whose files are as they were is removed.
    let copies = match dry_run {
        true => BTreeMap::new(),
        false => plan.apply()?,
    };
    let file = |change: FileChange| File {
        diff: change.diff(),
        copy: copies.get(&change.path).cloned(),
        path: change.path,
    };
    let files: Vec<File> = changes.into_iter().map(file).collect();
    let next = match files.is_empty() {
        true => Vec::new(),
        false => next.iter().map(|line| (*line).to_owned()).collect(),
    };
    let switched = Switched {
        changed,
        files,
        told,
        next,
    };
    report(out, &switched, nothing)
}

impl Switched {
    const fn nothing() -> Self {
        Self {
            changed: false,
            files: Vec::new(),
            told: Vec::new(),
            next: Vec::new(),
        }
    }
}

fn report(out: Output, switched: &Switched, nothing: &str) -> Result<ExitCode> {
    out.print(switched, |switched| {
        if switched.files.is_empty() {
            return nothing.to_owned();
        }
        let mut text = String::new();
        for file in &switched.files {
            text.push_str(&file.diff);
            if let Some(copy) = &file.copy {
                text.push_str(&format!("(as it was: {})\n", copy.display()));
            }
        }
        for line in &switched.told {
            text.push_str(&format!("\n{line}\n"));
        }
        text.push_str(match switched.changed {
            true => "\nWritten. What follows:\n",
            false => "\nNothing was written. What would follow:\n",
        });
        for line in &switched.next {
            text.push_str(&format!("  {line}\n"));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}
