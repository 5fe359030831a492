//! Debian's packages.

use std::{fs, path::Path, sync::Once};

use anyhow::{Context as _, Result, ensure};

use crate::{cmd::Cmd, root};

/// Installs these packages, or says how to get the same elsewhere.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(
        is_debian(),
        "missing: {list} (by the names of Debian's packages); this is not Debian, so install \
         your distribution's equivalents and try again"
    );
    eprintln!("installing Debian packages: {list}");
    update(packages);
    apt_get(packages)?
        // A package that conflicts with an installed one is refused, not swapped in.
        .args(["install", "--yes", "--no-remove", "--no-install-recommends"])
        .args(packages)
        .run()
        .with_context(|| format!("install Debian packages {list}"))
}

/// Fetches the package list, once: a fresh machine has none, or one from before the last security
/// update.
pub(crate) fn update(packages: &[&str]) {
    static UPDATED: Once = Once::new();
    let mut updated = Ok(());
    UPDATED.call_once(|| updated = apt_get(packages).and_then(|apt| apt.arg("update").run()));
    if let Err(error) = updated {
        eprintln!("continuing with the package list that is there: {error:#}");
    }
}

fn apt_get(packages: &[&str]) -> Result<Cmd> {
    root::command(
        Path::new("apt-get"),
        &[("DEBIAN_FRONTEND", "noninteractive".into())],
        &format!("install Debian packages {}", packages.join(" ")),
    )
}

pub(crate) fn is_debian() -> bool {
    let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
    root::find("apt-get").is_some()
        && os.lines().any(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
                .is_some_and(|ids| {
                    ids.trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|id| id == "debian")
                })
        })
}
