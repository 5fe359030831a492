//! Metric families as Prometheus' text format has them.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Summary};

/// Name, help and label names of a family.
pub(super) struct Family {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// Sum and count, no quantiles.
    Summary,
}

/// One value of a family, or the sum and count of a summary.
pub(super) enum Value {
    One(u64),
    Sum { seconds: f64, count: u64 },
}

impl Family {
    /// The family with these series; label values in the order of the names.
    pub(super) fn with(
        &self,
        series: impl IntoIterator<Item = (Vec<String>, Value)>,
    ) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Summary => MetricType::SUMMARY,
        });
        let metrics = series
            .into_iter()
            .map(|(labels, value)| self.metric(labels, &value));
        family.set_metric(metrics.collect());
        family
    }

    /// The family with a single series without labels.
    pub(super) fn one(&self, value: u64) -> MetricFamily {
        self.with([(Vec::new(), Value::One(value))])
    }

    fn metric(&self, values: Vec<String>, value: &Value) -> Metric {
        let pairs = self.labels.iter().zip(values).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value);
            pair
        });
        let mut metric = Metric::from_label(pairs.collect());
        match (self.kind, value) {
            (Kind::Counter, Value::One(n)) => {
                let mut counter = Counter::default();
                counter.set_value(*n as f64);
                metric.set_counter(counter);
            }
            (Kind::Gauge, Value::One(n)) => {
                let mut gauge = Gauge::default();
                gauge.set_value(*n as f64);
                metric.set_gauge(gauge);
            }
            (Kind::Summary, Value::Sum { seconds, count }) => {
                let mut summary = Summary::default();
                summary.set_sample_sum(*seconds);
                summary.set_sample_count(*count);
                metric.set_summary(summary);
            }
            (Kind::Counter | Kind::Gauge, Value::Sum { .. }) | (Kind::Summary, Value::One(_)) => {
                debug_assert!(false, "{}: a value of another kind", self.name);
            }
        }
        metric
    }
}
