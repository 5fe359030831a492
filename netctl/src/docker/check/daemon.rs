//! netctl's own daemon, if it runs: whether it does what its configuration says.

use super::Finding;
use crate::{api::types::Status, client::Client};

const TOPIC: &str = "netctl";

/// `adopts`: the configuration says so.
pub(super) async fn finding(client: &Client, adopts: bool) -> Finding {
    match client.is_up().await {
        Err(error) => return Finding::unknown(TOPIC, "whether the daemon runs", error),
        Ok(false) => {
            let remedy = ["sudo systemctl enable --now netctl"];
            return Finding::note(TOPIC, "the daemon does not run", remedy);
        }
        Ok(true) => {}
    }
    let status: Status = match client.get("/v1/status").await {
        Ok(status) => status,
        Err(error) => return Finding::unknown(TOPIC, "the daemon's status", error),
    };
    judge(&status, adopts)
}

fn judge(status: &Status, adopts: bool) -> Finding {
    let restart = ["sudo systemctl restart netctl"];
    match &status.docker {
        None if adopts => Finding::change(
            TOPIC,
            "the daemon runs, and adopts nothing: it was started before netctl.toml said so",
            restart,
        ),
        None => Finding::ok(TOPIC, "the daemon runs"),
        Some(engine) if engine.adopts != adopts => {
            let does = if adopts { "adopts nothing" } else { "adopts" };
            Finding::change(
                TOPIC,
                format!(
                    "the daemon runs, and {does}: it was started before netctl.toml was changed"
                ),
                restart,
            )
        }
        Some(engine) if !engine.problems.is_empty() => Finding::note(
            TOPIC,
            format!(
                "the daemon cannot serve all: {}",
                engine.problems.join("; ")
            ),
            ["netctl status"],
        ),
        Some(engine) if engine.connected => Finding::ok(
            TOPIC,
            format!(
                "the daemon serves {} networks and {} containers of the Engine",
                engine.networks, engine.containers
            ),
        ),
        Some(engine) => Finding::note(
            TOPIC,
            format!(
                "the daemon serves what the Engine had, and does not reach it: {}",
                engine.error.as_deref().unwrap_or("not yet asked")
            ),
            ["netctl status"],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{docker::check::Level, view::Engine};

    #[test]
    fn a_daemon_is_what_its_configuration_says() {
        let with = |docker: Option<Engine>| Status {
            version: "1".into(),
            networks: 1,
            namespaces: 0,
            endpoints: 0,
            published_ports: 0,
            docker,
            status: Default::default(),
        };
        let level = |docker, adopts| judge(&with(docker), adopts).level;
        assert_eq!(level(None, true), Level::Change);
        assert_eq!(level(None, false), Level::Ok);
        let driver_only = Engine {
            connected: true,
            ..Engine::default()
        };
        assert_eq!(level(Some(driver_only.clone()), true), Level::Change);
        assert_eq!(level(Some(driver_only), false), Level::Ok);
        let connected = Engine {
            adopts: true,
            connected: true,
            ..Engine::default()
        };
        assert_eq!(level(Some(connected.clone()), true), Level::Ok);
        assert_eq!(level(Some(connected.clone()), false), Level::Change);
        let away = Engine {
            connected: false,
            ..connected.clone()
        };
        assert_eq!(level(Some(away), true), Level::Note);
        let problems = Engine {
            problems: vec!["container \"web\" is not served".into()],
            ..connected
        };
        assert_eq!(level(Some(problems), true), Level::Note);
    }
}
