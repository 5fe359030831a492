//! `netctl docker check`

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::{
    docker::places,
    output::{Output, table},
    settings,
};
use crate::{
    cli::{DockerFiles, Places},
    client::Client,
    docker::check::{Finding, Level, Report, Subject, check},
};

pub(super) async fn run(client: &Client, out: Output, files: DockerFiles) -> Result<ExitCode> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "not everything can be looked at without root; run `sudo netctl docker check`"
    );
    let places = places(files);
    // The file that the daemon would read, which need not be there.
    let config = places
        .netctl_toml
        .exists()
        .then(|| places.netctl_toml.clone());
    let read = Places {
        config: config.or_else(|| Some("/dev/null".into())),
        ..Places::default()
    };
    let config = settings::load(read, None);
    let told = |error: &anyhow::Error| format!("{error:#}");
    let cgroup = match &config {
        Ok(config) => settings::options(config).map_err(|error| told(&error)),
        Err(_) => settings::options(&Default::default()).map_err(|error| told(&error)),
    };
    let subject = Subject {
        places,
        config: config.map_err(|error| told(&error)),
        cgroup: cgroup.map(|options| options.cgroup),
    };
    let report = check(&subject, client).await;
    out.print(&report, text)?;
    Ok(match report.ready {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What was found, then the lines of what there is to do.
fn text(report: &Report) -> String {
    let rows = report.findings.iter().map(|finding| {
        [
            word(finding.level).to_owned(),
            finding.topic.to_owned(),
            finding.found.clone(),
        ]
    });
    let mut text = table(["", "WHAT", "FOUND"], rows);
    for (level, title) in [
        (Level::Change, "Has to be changed"),
        (Level::Note, "Good to know"),
    ] {
        let of_level = report.findings.iter().filter(|f| f.level == level);
        let parts: Vec<String> = of_level.map(remedy).collect();
        if !parts.is_empty() {
            text.push_str(&format!("\n\n{title}:\n{}", parts.join("\n")));
        }
    }
    text.push_str(match report.ready {
        true => "\n\nNothing has to be changed.",
        false => "",
    });
    text
}

fn remedy(finding: &Finding) -> String {
    let mut lines = vec![format!("\n  {}: {}", finding.topic, finding.found)];
    lines.extend(finding.remedy.iter().map(|line| format!("    {line}")));
    lines.join("\n")
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Change => "change",
    }
}
