//! Results as tables for people, as JSON for programs.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context as _, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::cli::Format;

/// Standard output in the form that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Output {
    format: Format,
}

impl Output {
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints the value as JSON, or the text made of it.
    pub(super) fn print<T: Serialize + ?Sized>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        let mut text = match self.format {
            Format::Json => serde_json::to_string_pretty(value).context("output")?,
            Format::Table => text(value),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// Prints bytes as they are. A reader that has seen enough is no error.
    pub(super) fn raw(self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.context("standard output"),
        }
    }
}

/// Columns under headings, without lines.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    aligned(table)
}

/// Names and values below each other.
pub(super) fn pairs(rows: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in rows {
        table.add_row([format!("{name}:"), value]);
    }
    aligned(table)
}

fn aligned(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) const fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// `-` for what is not there.
pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

/// What there is of both families, `-` for neither.
pub(super) fn both(v4: Option<impl ToString>, v6: Option<impl ToString>) -> String {
    match (v4, v6) {
        (Some(v4), Some(v6)) => format!("{}, {}", v4.to_string(), v6.to_string()),
        (v4, None) => or_dash(v4),
        (None, v6) => or_dash(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_their_text() {
        let rows = [
            ["a".to_owned(), "10.0.0.0/8".to_owned()],
            ["longer".to_owned(), String::new()],
        ];
        let text = table(["NAME", "SUBNET"], rows);
        assert_eq!(text, "NAME     SUBNET\na        10.0.0.0/8\nlonger");
        assert_eq!(table(["NAME"], []), "NAME");
    }

    #[test]
    fn pairs_are_aligned() {
        let text = pairs([("Name", "a".to_owned()), ("Subnet", "b".to_owned())]);
        assert_eq!(text, "Name:     a\nSubnet:   b");
    }
}
