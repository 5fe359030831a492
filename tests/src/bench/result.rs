//! What was measured: values of one quantity, for each peer, in the order of the rounds.

use serde::Serialize;

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Higher,
    Lower,
}

/// One quantity of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Heading of the table that it stands in.
    pub row: &'static str,
    /// What is measured, and how.
    pub name: String,
    pub unit: &'static str,
    pub better: Better,
}

/// What one peer gave.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub peer: &'static str,
    /// One value for each round that succeeded.
    pub values: Vec<f64>,
    /// Why there are none, or fewer than rounds.
    pub missing: Option<String>,
}

impl Series {
    /// The middle value.
    pub fn median(&self) -> Option<f64> {
        median(&self.values)
    }

    /// Half of the distance between the quartiles, as a part of the median.
    pub fn spread(&self) -> Option<f64> {
        let median = self.median()?;
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let quarter = sorted.len() / 4;
        let distance = sorted[sorted.len() - 1 - quarter] - sorted[quarter];
        (median != 0.0).then(|| distance / 2.0 / median)
    }
}

/// A quantity and its peers.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    #[serde(flatten)]
    pub measure: Measure,
    pub series: Vec<Series>,
}

impl Outcome {
    /// A peer's middle value.
    pub fn median(&self, peer: &str) -> Option<f64> {
        self.series
            .iter()
            .find(|series| series.peer == peer)
            .and_then(Series::median)
    }

    /// How many times better `peer` is than `other`, from the medians.
    pub fn ratio(&self, peer: &str, other: &str) -> Option<f64> {
        let (own, others) = (self.median(peer)?, self.median(other)?);
        match self.measure.better {
            Better::Higher => Some(own / others),
            Better::Lower => Some(others / own),
        }
        .filter(|ratio| ratio.is_finite())
    }
}

/// The middle value, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The value that `part` (0 to 1) of all are not above.
pub fn percentile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let index = (part * sorted.len() as f64).ceil() as usize;
    Some(sorted[index.saturating_sub(1).min(last)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.99), Some(99.0));
        assert_eq!(percentile(&[7.0], 0.5), Some(7.0));
        let series = Series {
            peer: "x",
            values: vec![90.0, 95.0, 110.0, 105.0],
            missing: None,
        };
        assert_eq!(series.spread(), Some(0.05));
    }

    #[test]
    fn a_ratio_says_how_many_times_better() {
        let outcome = |better| Outcome {
            measure: Measure {
                row: "r",
                name: "n".into(),
                unit: "",
                better,
            },
            series: [("a", 10.0), ("b", 20.0)]
                .map(|(peer, value)| Series {
                    peer,
                    values: vec![value],
                    missing: None,
                })
                .into(),
        };
        assert_eq!(outcome(Better::Higher).ratio("a", "b"), Some(0.5));
        assert_eq!(outcome(Better::Lower).ratio("a", "b"), Some(2.0));
        assert_eq!(outcome(Better::Lower).ratio("a", "c"), None);
    }
}
