//! The text form of a fixture.

use std::fmt;

/// A fixture; see README.md for its form.
#[derive(Debug)]
pub(super) struct Fixture {
    /// What it shows and why that is right.
    description: Vec<String>,
    /// Lines that prepare the maps.
    pub(super) setup: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// A packet, and what is to become of it.
#[derive(Debug)]
pub(super) struct Step {
    /// `from_container web`, `from_uplink`, `from_host`.
    pub(super) hook: String,
    /// A packet line.
    pub(super) input: String,
    /// Of an ICMP error: line of the packet that it quotes.
    pub(super) quoted: Option<String>,
    /// `redirect`, `leave`, `drop REASON`, `hold` (taken away and not lost), or `tell REASON`: dropped, and an ICMP error sent back.
    pub(super) verdict: String,
    /// Rows of [`netctl_tests::packet::annotate`]; none for a drop.
    pub(super) output: Vec<String>,
}

const HOOKS: [&str; 3] = ["from_container", "from_uplink", "from_host"];
const SETUP: [&str; 4] = ["publish", "network", "ports", "ipv4-only"];

impl Fixture {
    /// Reads one; the error begins with the number of the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut fixture = Self {
            description: Vec::new(),
            setup: Vec::new(),
            steps: Vec::new(),
        };
        let mut lines = (1..).zip(text.lines()).peekable();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
            fixture.description.push(line.to_owned());
        }
        while let Some((number, line)) = lines.next() {
            let word = line.split(' ').next().unwrap_or_default();
            match word {
                "" => {}
                _ if SETUP.contains(&word) => fixture.setup.push(line.to_owned()),
                _ if HOOKS.contains(&word) => {
                    let mut next = |what: &str| {
                        let (_, line) = lines
                            .next_if(|(_, line)| !line.is_empty())
                            .ok_or(format!("{number}: {word} has no {what}"))?;
                        Ok::<_, String>(line)
                    };
                    let input = next("packet")?;
                    let input = input
                        .strip_prefix("in   ")
                        .ok_or(format!("{number}: {input:?} instead of the packet"))?;
                    let mut verdict = next("verdict")?;
                    let quoted = verdict.strip_prefix("of   ").map(str::to_owned);
                    if quoted.is_some() {
                        verdict = next("verdict")?;
                    }
                    let mut output = Vec::new();
                    while let Some((_, row)) = lines.next_if(|(_, line)| !line.is_empty()) {
                        let row = row.get(5..).ok_or(format!("{number}: {row:?} is no row"))?;
                        output.push(row.to_owned());
                    }
                    fixture.steps.push(Step {
                        hook: line.to_owned(),
                        input: input.to_owned(),
                        quoted,
                        verdict: verdict.to_owned(),
                        output,
                    });
                }
                other => {
                    return Err(format!(
                        "{number}: {other:?} is neither of {HOOKS:?} nor of {SETUP:?}"
                    ));
                }
            }
        }
        Ok(fixture)
    }
}

impl fmt::Display for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.description {
            writeln!(f, "{line}")?;
        }
        if !self.setup.is_empty() {
            writeln!(f)?;
        }
        for line in &self.setup {
            writeln!(f, "{line}")?;
        }
        for step in &self.steps {
            writeln!(f, "\n{}\nin   {}", step.hook, step.input)?;
            if let Some(quoted) = &step.quoted {
                writeln!(f, "of   {quoted}")?;
            }
            writeln!(f, "{}", step.verdict)?;
            for (number, row) in step.output.iter().enumerate() {
                let head = if number == 0 { "out" } else { "" };
                writeln!(f, "{head:<4} {row}")?;
            }
        }
        Ok(())
    }
}
