//! The daemon's metrics, scraped as Prometheus would.

use crate::{daemon::METRICS, lab::Lab};

/// One scrape.
#[derive(Clone, Debug)]
pub struct Scrape(String);

impl Lab {
    /// Scrapes the daemon from the host's namespace.
    #[track_caller]
    pub fn scrape(&self) -> Scrape {
        let target: std::net::SocketAddr = METRICS.parse().unwrap();
        Scrape(self.host().fetch(target, "/metrics").unwrap())
    }
}

impl Lab {
    /// Packets dropped so far for that reason.
    #[track_caller]
    pub fn drops(&self, reason: &str) -> f64 {
        let label = format!("reason=\"{reason}\"");
        self.scrape().value("netctl_drops_total", &[&label])
    }
}

impl Scrape {
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Sum of the samples of that name whose labels hold all of `labels` (`ns="web"`).
    pub fn value(&self, name: &str, labels: &[&str]) -> f64 {
        self.0
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .filter(|(series, _)| labels.iter().all(|label| series.contains(label)))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }
}
