//! `netctl flows`, `drops`, `status` and `plan`

use std::process::ExitCode;

use anyhow::Result;

use super::output::{Output, both, or_dash, pairs, table, yes_no};
use crate::{
    api::types::{Flow, Plan, Status},
    client::{Client, segment},
    view,
};

pub(super) async fn flows(client: &Client, out: Output, ns: Option<&str>) -> Result<ExitCode> {
    let path = match ns {
        Some(ns) => format!("/v1/flows?ns={}", segment(ns)),
        None => "/v1/flows".to_owned(),
    };
    let flows: Vec<Flow> = client.get(&path).await?;
    out.print(&flows, |flows| flow_table(flows))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn drops(client: &Client, out: Output) -> Result<ExitCode> {
    let drops: Vec<view::Drop> = client.get("/v1/drops").await?;
    out.print(&drops, |drops| drop_tables(drops))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn status(client: &Client, out: Output) -> Result<ExitCode> {
    let status: Status = client.get("/v1/status").await?;
    out.print(&status, status_text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn plan(client: &Client, out: Output) -> Result<ExitCode> {
    let plan: Plan = client.get("/v1/plan").await?;
    out.print(&plan, |plan| match plan.steps.is_empty() {
        true => "nothing to do".to_owned(),
        false => plan.steps.join("\n"),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn flow_table(flows: &[Flow]) -> String {
    let header = [
        "NS",
        "PROTOCOL",
        "KIND",
        "STATE",
        "SOURCE",
        "DESTINATION",
        "TRANSLATED SOURCE",
        "TRANSLATED DESTINATION",
        "IDLE",
        "EXPIRES",
    ];
    let row = |Flow { ns, flow, .. }: &Flow| {
        [
            or_dash(ns.as_ref()),
            flow.proto.clone(),
            flow.kind.clone(),
            flow.state.clone(),
            flow.src.to_string(),
            flow.dst.to_string(),
            flow.translated_src.to_string(),
            flow.translated_dst.to_string(),
            format!("{}s", flow.idle_seconds),
            format!("{}s", flow.expires_seconds),
        ]
    };
    table(header, flows.iter().map(row))
}

/// Reasons that occurred, then samples of their packets.
fn drop_tables(drops: &[view::Drop]) -> String {
    let occurred: Vec<_> = drops.iter().filter(|d| d.packets > 0).collect();
    if occurred.is_empty() {
        return "no packet was dropped".to_owned();
    }
    let rows = occurred.iter().map(|d| {
        [
            d.reason.clone(),
            d.packets.to_string(),
            d.description.clone(),
        ]
    });
    let mut text = table(["REASON", "PACKETS", "MEANING"], rows);
    let samples: Vec<_> = occurred
        .iter()
        .flat_map(|d| d.samples.iter().map(|s| (&d.reason, s)))
        .collect();
    if !samples.is_empty() {
        let rows = samples.into_iter().map(|(reason, s)| {
            [
                reason.clone(),
                format!("{} ago", ago(s.time)),
                s.interface.clone(),
                format!("{} -> {}", s.src_mac, s.dst_mac),
                s.packet.clone(),
            ]
        });
        text.push_str("\n\n");
        text.push_str(&table(
            ["REASON", "WHEN", "INTERFACE", "MACS", "PACKET"],
            rows,
        ));
    }
    text
}

fn status_text(shown: &Status) -> String {
    let Status {
        version,
        networks,
        namespaces,
        endpoints,
        published_ports,
        docker,
        status,
    } = shown;
    let features = status
        .features
        .iter()
        .map(|(name, choice)| format!("{name}={choice}"));
    let joined = |parts: Vec<String>| {
        if parts.is_empty() {
            "-".to_owned()
        } else {
            parts.join(", ")
        }
    };
    let last_pass = status.last_pass.map(|time| {
        format!(
            "{} ago, took {} ms",
            ago(time),
            status.last_pass_milliseconds
        )
    });
    let mut text = pairs([
        ("Healthy", yes_no(status.healthy).to_owned()),
        ("Version", version.clone()),
        (
            "Uplinks",
            joined(status.uplinks.iter().map(uplink).collect()),
        ),
        (
            "Rules kept by",
            joined(
                status
                    .shield
                    .iter()
                    .map(|(on, by)| format!("{on}: {by}"))
                    .collect(),
            ),
        ),
        ("Networks", networks.to_string()),
        ("Namespaces", namespaces.to_string()),
        ("Endpoints", endpoints.to_string()),
        ("Published ports", published_ports.to_string()),
        ("Docker Engine", or_dash(docker.as_ref().map(engine))),
        ("Passes", status.passes.to_string()),
        ("Last pass", or_dash(last_pass)),
        ("Features", joined(features.collect())),
    ]);
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n\n{title}:\n  {}", lines.join("\n  ")));
        }
    };
    section("Failing", status.failures.clone());
    section("Warnings", status.warnings.clone());
    let healed = status.healed.iter();
    section(
        "Healed",
        healed
            .map(|h| format!("{} ago: {}", ago(h.time), h.step))
            .collect(),
    );
    text
}

/// The engine whose networks are adopted.
fn engine(engine: &view::Engine) -> String {
    let socket = engine.socket.display();
    match (&engine.error, engine.connected) {
        (None, true) => format!(
            "{} at {socket}, {} networks, {} containers",
            engine.version.as_deref().unwrap_or("connected"),
            engine.networks,
            engine.containers
        ),
        (Some(error), _) => format!(
            "not connected: {error} ({socket}); what it had is served on; start it, or set `docker.socket` in netctl.toml"
        ),
        (None, false) => "not yet asked".to_owned(),
    }
}

/// An interface with the addresses that packets leave by.
fn uplink(uplink: &view::Uplink) -> String {
    let addresses = both(uplink.address, uplink.address6);
    format!("{} ({addresses})", uplink.name)
}

/// How long a time (in seconds since 1970) is past.
fn ago(time: u64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(time, |now| now.as_secs());
    match now.saturating_sub(time) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}min", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
