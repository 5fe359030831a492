//! How the demo looks on a terminal.
#![allow(clippy::print_stdout, reason = "the demo's output is what it is for")]

use std::time::Duration;

/// Prints; the only place of the demo that does.
pub(super) struct Screen;

impl Screen {
    /// A part of the story.
    pub(super) fn title(&self, text: &str) {
        println!("\n{text}\n{}", "─".repeat(text.chars().count()));
    }

    /// A line of it.
    pub(super) fn line(&self, text: &str) {
        println!("  {text}");
    }

    /// A netctl command, and how long it took if that matters.
    pub(super) fn command(&self, words: &str, took: Duration) {
        let program = if words.starts_with("curl") {
            ""
        } else {
            "netctl "
        };
        if took.is_zero() {
            println!("  $ {program}{words}");
        } else {
            println!(
                "  $ {:<62} {:>4} ms",
                format!("{program}{words}"),
                took.as_millis()
            );
        }
    }

    /// Output of a command.
    pub(super) fn block(&self, text: &str) {
        for line in text.lines() {
            println!("    {line}");
        }
        println!();
    }

    /// One row of the table of paths; without a mark it is the head.
    pub(super) fn path(&self, good: Option<bool>, [path, server, seen]: [&str; 3]) {
        let mark = good.map_or(' ', mark);
        println!("  {mark} {path:<32} {server:<20} {seen}");
    }

    /// A claim and what contradicts it, if anything does.
    pub(super) fn check(&self, good: bool, claim: &str, otherwise: &str) -> bool {
        println!("  {} {claim}", mark(good));
        if !good {
            self.block(otherwise);
        }
        good
    }

    /// The last line.
    pub(super) fn verdict(&self, good: bool) {
        println!();
        println!(
            "{}",
            if good {
                "✓ all of it held"
            } else {
                "✗ not all of it held: see above"
            }
        );
    }
}

fn mark(good: bool) -> char {
    if good { '✓' } else { '✗' }
}
