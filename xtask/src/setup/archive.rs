//! Debian's archive by a private apt: its own lists, its own cache, nothing of the machine's
//! changed, and no root needed. For packages that are unpacked and not installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::apt;
use crate::cmd::Cmd;

/// Where Debian's own machines keep the keys of all of its releases.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A configuration of apt with lists and cache below one folder.
pub(super) struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// The machine's own release, from its own sources.
    pub(super) fn of_machine(folder: &Path) -> Result<Self> {
        Self::new(folder, None)
    }

    /// Another release, from the servers that the machine takes its own release from.
    pub(super) fn of_release(folder: &Path, servers: &Servers, release: &str) -> Result<Self> {
        let Servers { main, security } = servers;
        let key = if Path::new(KEYRING).exists() {
            format!("[signed-by={KEYRING}] ")
        } else {
            // Then apt takes the keys that the machine trusts for everything.
            String::new()
        };
        let sources = format!(
            "deb {key}{main} {release} main\n\
             deb {key}{security} {release}-security main\n"
        );
        Self::new(folder, Some(&sources))
    }

    fn new(folder: &Path, sources: Option<&str>) -> Result<Self> {
        ensure!(
            apt::is_debian(),
            "packages of Debian's archive are unpacked here, and this is not Debian"
        );
        for part in ["lists/partial", "cache/archives/partial"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        }
        let shown = folder.display();
        let mut text = format!(
            "// Written by cargo xtask.\n\
             // What the machine does after an update concerns its own lists.\n\
             #clear APT::Update::Post-Invoke;\n\
             #clear APT::Update::Post-Invoke-Success;\n\
             Dir::State::Lists \"{shown}/lists\";\n\
             Dir::Cache \"{shown}/cache\";\n\
             Dir::Cache::Archives \"{shown}/cache/archives\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             APT::Keep-Downloaded-Packages \"true\";\n\
             // The only lock that is not in these folders is dpkg's; nothing is installed.\n\
             Debug::NoLocking \"true\";\n"
        );
        if let Some(sources) = sources {
            let list = folder.join("sources.list");
            fs::write(&list, sources).with_context(|| format!("write {}", list.display()))?;
            text += &format!(
                "Dir::Etc::SourceList \"{}\";\n\
                 Dir::Etc::SourceParts \"/dev/null\";\n\
                 // A release whose support has ended is not signed anew; its signature still holds.\n\
                 Acquire::Check-Valid-Until \"false\";\n",
                list.display()
            );
        }
        let archive = Self {
            folder: folder.to_owned(),
        };
        fs::write(archive.configuration(), text)?;
        let update = archive.apt("apt-get").arg("update");
        match sources {
            Some(sources) => update
                .arg("--error-on=any")
                .run()
                .with_context(|| format!("read the index of these sources:\n{sources}"))?,
            // One of them may be broken, and be none of Debian's.
            None => update
                .run()
                .context("read the index of the machine's own sources")?,
        }
        Ok(archive)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("apt.conf")
    }

    fn apt(&self, program: &str) -> Cmd {
        // Read after all of the machine's configuration, so that it has the last word.
        Cmd::new(program).arg("-c").arg(self.configuration())
    }

    /// Lines of output, of a command that must succeed.
    fn ask(&self, program: &str, args: &[&str]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let status = self
            .apt(program)
            .args(args)
            .lines(|line| lines.push(line.to_owned()))?;
        ensure!(
            status.success(),
            "`{program} {}` failed: {status}",
            args.join(" ")
        );
        Ok(lines)
    }

    /// Where Debian itself is fetched from, as the machine's sources name it.
    pub(super) fn servers(&self) -> Result<Servers> {
        let format = "$(ORIGIN)|$(LABEL)|$(SITE)";
        let lines = self.ask(
            "apt-get",
            &["indextargets", "--format", format, "Created-By: Packages"],
        )?;
        let site = |label: &str| {
            let wanted = format!("Debian|{label}|");
            lines
                .iter()
                .find_map(|line| line.strip_prefix(&wanted).map(str::to_owned))
                .with_context(|| {
                    format!(
                        "no server of {label} among the machine's sources of packages, or none that \
                         answers: see apt's messages above"
                    )
                })
        };
        Ok(Servers {
            main: site("Debian")?,
            security: site("Debian-Security")?,
        })
    }

    /// The newest package whose name matches: its name and version.
    pub(super) fn newest(&self, pattern: &str) -> Result<(String, String)> {
        let names = self.ask("apt-cache", &["search", "--names-only", pattern])?;
        let names: Vec<&str> = names
            .iter()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        ensure!(!names.is_empty(), "no package's name matches {pattern}");
        let mut words = vec!["madison"];
        words.extend(&names);
        let lines = self.ask("apt-cache", &words)?;
        lines
            .iter()
            .filter_map(|line| {
                let mut fields = line.split('|').map(str::trim);
                Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
            })
            .max_by_key(|(_, version)| numbers(version))
            .with_context(|| format!("no version of any package that matches {pattern}"))
    }

    /// Fetches one package and unpacks it below `into`.
    pub(super) fn unpack(&self, package: &str, version: &str, into: &Path) -> Result<()> {
        let folder = self.folder.join("download");
        fresh(&folder)?;
        self.apt("apt-get")
            .arg("download")
            .arg(format!("{package}={version}"))
            .folder(&folder)
            .run()
            .with_context(|| format!("fetch Debian's {package} {version}"))?;
        extract_all(&folder, into)?;
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    /// Fetches packages and everything that they need and the machine does not have, and unpacks
    /// all of it below `into`.
    pub(super) fn unpack_with_needs(&self, packages: &[&str], into: &Path) -> Result<()> {
        let folder = self.folder.join("cache/archives");
        self.apt("apt-get")
            .args(["install", "--download-only", "--yes"])
            .arg("--no-install-recommends")
            .args(packages)
            .run()
            .with_context(|| format!("fetch Debian's {}", packages.join(", ")))?;
        extract_all(&folder, into)?;
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}

/// Base addresses of Debian's archive.
pub(super) struct Servers {
    main: String,
    security: String,
}

/// An empty folder.
pub(crate) fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))
}

fn extract_all(folder: &Path, into: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|kind| kind == "deb") {
            Cmd::new("dpkg-deb")
                .arg("--extract")
                .arg(archive)
                .arg(into)
                .run()?;
        }
    }
    Ok(())
}

/// The numbers in a version, which order the versions of one kernel.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_of_kernels_are_ordered() {
        let versions = ["5.10.218-1", "5.10.223-1", "5.10.1000-1", "5.10.1000-2"];
        assert!(versions.is_sorted_by_key(|version| numbers(version)));
        assert!(numbers("6.12.9-1") < numbers("6.12.117-1"));
    }
}
