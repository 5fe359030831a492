//! The metrics and where each number comes from.

use std::{collections::BTreeMap, sync::Arc};

use netctl_common::{drop_reason::DropReason, shield::refused};
use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::family::{Family, Kind, Value};
use crate::{
    model::{Model, PortId, PublishedPort},
    service::Service,
    version,
    view::PortCounters,
};

/// Of a port whose packets were refused. A container's id is none of them: with it each `docker
/// compose up` would begin new series.
const PORT_AND_REASON: &[&str] = &[
    "network",
    "ns",
    "container",
    "compose_project",
    "compose_service",
    "host_ip",
    "host_port",
    "protocol",
    "reason",
];

/// Of a port.
const PORT: &[&str] = PORT_AND_REASON.split_at(PORT_AND_REASON.len() - 1).0;

const fn port(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind,
        labels: PORT,
    }
}

const fn total(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind,
        labels: &[],
    }
}

type Counted = fn(&PortCounters) -> u64;

/// Of published ports.
const PORTS: [(Family, Counted); 6] = [
    (
        port(
            "netctl_port_receive_packets_total",
            Kind::Counter,
            "Packets that came in through a published port, towards the container.",
        ),
        |c| c.rx_packets,
    ),
    (
        port(
            "netctl_port_receive_bytes_total",
            Kind::Counter,
            "Bytes (IP headers included) that came in through a published port, towards the container.",
        ),
        |c| c.rx_bytes,
    ),
    (
        port(
            "netctl_port_transmit_packets_total",
            Kind::Counter,
            "Packets that went out through a published port, from the container.",
        ),
        |c| c.tx_packets,
    ),
    (
        port(
            "netctl_port_transmit_bytes_total",
            Kind::Counter,
            "Bytes (IP headers included) that went out through a published port, from the container.",
        ),
        |c| c.tx_bytes,
    ),
    (
        port(
            "netctl_port_connections_opened_total",
            Kind::Counter,
            "Connections that were opened through a published port.",
        ),
        |c| c.connections_opened,
    ),
    (
        port(
            "netctl_port_connections_active",
            Kind::Gauge,
            "Connections through a published port that are tracked now.",
        ),
        |c| c.connections_active,
    ),
];

/// Of published ports, by their rules.
const REFUSED: Family = Family {
    name: "netctl_port_refused_packets_total",
    help: "Packets that the rules of a published port refused, by reason.",
    kind: Kind::Counter,
    labels: PORT_AND_REASON,
};
/// In the order of `netctl_common::shield::refused`.
const REFUSALS: [DropReason; refused::KINDS] = [
    DropReason::NotAllowed,
    DropReason::LimitConnections,
    DropReason::LimitPackets,
];

const DROPS: Family = Family {
    name: "netctl_drops_total",
    help: "Packets that netctl dropped, by reason.",
    kind: Kind::Counter,
    labels: &["reason"],
};
const FLOWS: Family = Family {
    name: "netctl_flows",
    help: "Connections that are tracked now.",
    kind: Kind::Gauge,
    labels: &["family"],
};
const ENDPOINTS: Family = total(
    "netctl_endpoints",
    Kind::Gauge,
    "Attachments of namespaces to networks.",
);
const NETWORKS: Family = total("netctl_networks", Kind::Gauge, "Networks.");
const PUBLISHED: Family = total(
    "netctl_published_ports",
    Kind::Gauge,
    "Published ports; a range counts as one.",
);
const DURATION: Family = total(
    "netctl_reconcile_duration_seconds",
    Kind::Summary,
    "Time that passes took which compare the machine with what is wanted.",
);
const FAILURES: Family = total(
    "netctl_reconcile_failures_total",
    Kind::Counter,
    "Steps of passes that failed.",
);
const BUILD: Family = Family {
    name: "netctl_build_info",
    help: "Always 1; the labels tell which netctl this is.",
    kind: Kind::Gauge,
    labels: &["version", "revision"],
};
/// Families without a place in `PORTS`.
const OTHERS: [&Family; 9] = [
    &REFUSED, &DROPS, &FLOWS, &ENDPOINTS, &NETWORKS, &PUBLISHED, &DURATION, &FAILURES, &BUILD,
];

/// Reads everything at each scrape.
pub(super) struct Metrics {
    service: Arc<Service>,
    descriptions: Vec<Desc>,
}

impl Metrics {
    pub(super) fn new(service: Arc<Service>) -> Self {
        let families = PORTS.iter().map(|(family, _)| family).chain(OTHERS);
        let described = families.filter_map(|f| {
            let labels = f.labels.iter().map(|l| (*l).to_owned()).collect();
            Desc::new(
                f.name.to_owned(),
                f.help.to_owned(),
                labels,
                Default::default(),
            )
            .ok()
        });
        Self {
            service,
            descriptions: described.collect(),
        }
    }

    fn ports(&self) -> Vec<MetricFamily> {
        let counters = match self.service.engine().port_counters() {
            Ok(counters) => counters,
            // A gap in the series is the truth; zeros would be a reset.
            Err(error) => {
                tracing::warn!("the counters of published ports cannot be read: {error}");
                return Vec::new();
            }
        };
        let model = self.service.model();
        let series = port_series(&model, &counters);
        let refused = refused_series(&model, &counters);
        let family = |(family, value): &(Family, Counted)| {
            let values = series
                .iter()
                .map(|(labels, counters)| (labels.clone(), Value::One(value(counters))));
            family.with(values)
        };
        let mut families = match series.is_empty() {
            true => Vec::new(),
            false => PORTS.iter().map(family).collect(),
        };
        families.extend((!refused.is_empty()).then(|| REFUSED.with(refused)));
        families
    }

    fn drops(&self) -> Option<MetricFamily> {
        let drops = match self.service.engine().drops() {
            Ok(drops) => drops,
            Err(error) => {
                tracing::warn!("the drop counters cannot be read: {error}");
                return None;
            }
        };
        let none = DropReason::ALL.iter().map(|r| (r.name().to_owned(), 0));
        let mut packets: BTreeMap<String, u64> = none.collect();
        packets.extend(drops.into_iter().map(|d| (d.reason, d.packets)));
        let series = packets
            .into_iter()
            .map(|(reason, n)| (vec![reason], Value::One(n)));
        Some(DROPS.with(series))
    }
}

impl Collector for Metrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let totals = self.service.engine().totals();
        let build = vec![version::short().to_owned(), version::revision().to_owned()];
        let duration = Value::Sum {
            seconds: totals.reconcile_microseconds_sum as f64 / 1e6,
            count: totals.reconcile_count,
        };
        let mut families = self.ports();
        families.extend(self.drops());
        families.extend([
            FLOWS.with([
                (vec!["ipv4".to_owned()], Value::One(totals.flows4)),
                (vec!["ipv6".to_owned()], Value::One(totals.flows6)),
            ]),
            ENDPOINTS.one(totals.endpoints),
            NETWORKS.one(totals.networks),
            PUBLISHED.one(totals.published_ports),
            DURATION.with([(Vec::new(), duration)]),
            FAILURES.one(totals.reconcile_failures),
            BUILD.with([(build, Value::One(1))]),
        ]);
        families
    }
}

/// What was refused of every port that has rules, or had some.
fn refused_series(model: &Model, counters: &[PortCounters]) -> Vec<(Vec<String>, Value)> {
    let ruled = model
        .ports
        .values()
        .filter(|p| p.rules.in_force().is_some());
    let single = ruled.filter(|p| p.count == 1);
    let mut series: BTreeMap<(PortId, u16), [u64; refused::KINDS]> = single
        .map(|p| ((p.id, p.host_port), Default::default()))
        .collect();
    let refused = counters.iter().filter(|c| c.refused.iter().any(|n| *n > 0));
    series.extend(refused.map(|c| ((c.port_id, c.host_port), c.refused)));
    let of_port = |((id, host_port), refused): ((PortId, u16), [u64; refused::KINDS])| {
        let labels = labels(model, model.ports.get(&id)?, host_port);
        let by_reason = move |(reason, packets): (DropReason, u64)| {
            let mut labels = labels.clone();
            labels.push(reason.name().to_owned());
            (labels, Value::One(packets))
        };
        Some(REFUSALS.into_iter().zip(refused).map(by_reason))
    };
    series.into_iter().filter_map(of_port).flatten().collect()
}

/// Labels and counters of every published port that has a series: single ones from the start,
/// so that their first packet is an increase; those of a range with their first packet.
fn port_series(model: &Model, counters: &[PortCounters]) -> Vec<(Vec<String>, PortCounters)> {
    let single = model.ports.values().filter(|p| p.count == 1);
    let mut series: BTreeMap<(PortId, u16), PortCounters> = single
        .map(|p| ((p.id, p.host_port), PortCounters::default()))
        .collect();
    series.extend(counters.iter().map(|c| ((c.port_id, c.host_port), *c)));
    series
        .into_iter()
        .filter_map(|((id, host_port), counters)| {
            Some((labels(model, model.ports.get(&id)?, host_port), counters))
        })
        .collect()
}

/// A packet of either family counts for the port, so a port has one series. `host_ip` is `*`
/// for every address of the host; what a namespace has no container or Compose file for is empty,
/// which to Prometheus is as good as no label.
fn labels(model: &Model, port: &PublishedPort, host_port: u16) -> Vec<String> {
    let way = model.published_endpoints(&port.sandbox);
    let network = port
        .targets(way)
        .next()
        .and_then(|(_, _, e)| model.networks.get(&e.network));
    let sandbox = model.sandboxes.get(&port.sandbox);
    let container = sandbox.and_then(|sandbox| sandbox.adopted.as_ref());
    let compose = container.and_then(|container| container.compose.as_ref());
    vec![
        network.map(|n| n.name.clone()).unwrap_or_default(),
        port.sandbox.clone(),
        container.map(|c| c.name.clone()).unwrap_or_default(),
        compose.map(|c| c.project.clone()).unwrap_or_default(),
        compose.map(|c| c.service.clone()).unwrap_or_default(),
        port.host_ip
            .map_or_else(|| "*".to_owned(), |ip| ip.to_string()),
        host_port.to_string(),
        port.proto.name().to_owned(),
    ]
}
