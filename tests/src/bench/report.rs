//! The table, and the JSON with every measurement.
#![allow(
    clippy::print_stdout,
    reason = "the report is what the benchmark is for"
)]

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use super::{
    aims::Aim,
    machine::Machine,
    result::{Outcome, Series},
};

/// Everything that a run found.
#[derive(Serialize)]
pub struct Report {
    pub command: String,
    pub machine: Machine,
    pub outcomes: Vec<Outcome>,
    pub aims: Vec<Aim>,
}

impl Report {
    pub fn print(&self) {
        println!("`{}`: {}\n", self.command, self.machine);
        let mut rows: Vec<&str> = Vec::new();
        for outcome in &self.outcomes {
            if !rows.contains(&outcome.measure.row) {
                rows.push(outcome.measure.row);
            }
        }
        for row in rows {
            println!("### {row}\n\n{}\n", self.table(row));
            for line in self.missing(row) {
                println!("{line}");
            }
        }
        if !self.aims.is_empty() {
            println!("### aims\n\n{}", self.aims_table());
        }
    }

    /// One line for each quantity, one column for each peer: the median, how far the middle half
    /// of the rounds lies from it, and how many times worse than netctl it is.
    fn table(&self, row: &str) -> Table {
        let outcomes = || self.outcomes.iter().filter(|o| o.measure.row == row);
        let mut peers: Vec<&str> = Vec::new();
        for series in outcomes().flat_map(|outcome| &outcome.series) {
            if !peers.contains(&series.peer) {
                peers.push(series.peer);
            }
        }
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN);
        let heads = ["", "unit"].into_iter().chain(peers.iter().copied());
        table.set_header(heads);
        for outcome in outcomes() {
            let cells = peers.iter().map(|peer| cell(outcome, peer));
            let head = [
                outcome.measure.name.clone(),
                outcome.measure.unit.to_owned(),
            ];
            table.add_row(head.into_iter().chain(cells));
        }
        table
    }

    /// Each reason once, with how many quantities it concerns.
    fn missing(&self, row: &str) -> Vec<String> {
        let mut reasons: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for outcome in self.outcomes.iter().filter(|o| o.measure.row == row) {
            for series in &outcome.series {
                let Some(why) = &series.missing else { continue };
                let name = outcome.measure.name.as_str();
                match reasons
                    .iter_mut()
                    .find(|(peer, known, _)| *peer == series.peer && known == why)
                {
                    Some((_, _, names)) => names.push(name),
                    None => reasons.push((series.peer, why, vec![name])),
                }
            }
        }
        reasons
            .into_iter()
            .map(|(peer, why, names)| format!("missing: {peer}: {}: {why}\n", names.join("; ")))
            .collect()
    }

    fn aims_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN);
        table.set_header(["", "aim", "ratio", "at least"]);
        for aim in &self.aims {
            table.add_row([
                if aim.met { "met" } else { "missed" }.to_owned(),
                aim.name.clone(),
                aim.ratio
                    .map_or_else(|| "missing".to_owned(), |ratio| format!("{ratio:.2}")),
                format!("{:.2}", aim.target),
            ]);
        }
        table
    }
}

fn cell(outcome: &Outcome, peer: &str) -> String {
    let Some(series) = outcome.series.iter().find(|series| series.peer == peer) else {
        return String::new();
    };
    let Some(median) = series.median() else {
        return "missing".to_owned();
    };
    let mut text = number(median);
    if let (Some(spread), true) = (series.spread(), series.values.len() > 1) {
        text.push_str(&format!(" ±{:.0}%", spread * 100.0));
    }
    let first = outcome.series.first().map(|series: &Series| series.peer);
    if let (Some(first), true) = (first, first != Some(peer))
        && let Some(ratio) = outcome.ratio(first, peer)
    {
        text.push_str(&format!(" ({ratio:.2}×)"));
    }
    text
}

/// Three digits that tell, groups of three.
pub fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(number(1.234), "1.23");
        assert_eq!(number(56.78), "56.8");
        assert_eq!(number(999.6), "1 000");
        assert_eq!(number(1_234_567.0), "1 234 567");
    }
}
