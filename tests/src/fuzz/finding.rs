//! A packet that broke a rule: how it is shown, made small, and shown again.

use std::fmt;

use super::{
    epoch::{may_be_no_loss, shoot},
    judge::{Case, judge},
    mutate::ROOM,
    scene::Scene,
    told,
};
use crate::{
    packet::{Names, frame::ETH, hex, show},
    prog::Verdict,
};

/// See the module.
#[derive(Clone, Debug)]
pub struct Finding {
    seed: u64,
    epoch: u64,
    /// What should hold.
    pub rule: &'static str,
    /// The packet's number in its epoch; `None`: somewhere before this one.
    pub(super) at: Option<u64>,
    /// Index of the seed that it was made from.
    which: usize,
    program: &'static str,
    verdict: Verdict,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Whether it does so by itself, right after the epoch's beginning.
    alone: bool,
    names: Names,
}

impl Finding {
    pub(super) fn new(
        seed: u64,
        epoch: u64,
        rule: &'static str,
        at: Option<u64>,
        which: usize,
        case: &Case<'_>,
        scene: &Scene,
    ) -> Self {
        Self {
            seed,
            epoch,
            rule,
            at,
            which,
            program: case.seed.program.name(),
            verdict: case.verdict,
            input: case.input.to_vec(),
            output: case.output.to_vec(),
            alone: false,
            names: scene.bench.names.clone(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, epoch, .. } = self;
        writeln!(f, "broken: {}", self.rule)?;
        match self.at {
            Some(at) => writeln!(f, "  packet {at} of epoch {epoch}, seed {seed}")?,
            None => writeln!(f, "  before some packet of epoch {epoch}, seed {seed}")?,
        }
        writeln!(f, "  {} said {:?}", self.program, self.verdict)?;
        writeln!(f, "  in:  {}", show(&self.names, &self.input))?;
        writeln!(f, "  out: {}", show(&self.names, &self.output))?;
        writeln!(f, "  in:  {}", hex::encode(&self.input))?;
        writeln!(f, "  out: {}", hex::encode(&self.output))?;
        let state = if self.alone {
            "by itself, at the beginning of the epoch"
        } else {
            "only after the packets before it"
        };
        writeln!(f, "  it does so {state}")?;
        write!(f, "  again: cargo xtask fuzz --seed {seed} --epoch {epoch}")
    }
}

/// Makes the packet small, if it breaks the rule by itself.
pub(super) fn minimise(scene: &mut Scene, epoch: u64, finding: &mut Finding) {
    if finding.at.is_none() {
        return;
    }
    let Some(output) = breaks(scene, epoch, finding, &finding.input) else {
        return;
    };
    finding.alone = true;
    finding.output = output;
    // From the end, then byte by byte back to what the seed has there.
    let mut length = finding.input.len();
    while length > ETH + 1 {
        length -= 1;
        let shorter = &finding.input[..length];
        let Some(output) = breaks(scene, epoch, finding, shorter) else {
            break;
        };
        finding.input.truncate(length);
        finding.output = output;
    }
    for at in 0..finding.input.len() {
        let Some(&byte) = scene.seeds[finding.which].bytes.get(at) else {
            break;
        };
        if finding.input[at] == byte {
            continue;
        }
        let mut closer = finding.input.clone();
        closer[at] = byte;
        if let Some(output) = breaks(scene, epoch, finding, &closer) {
            (finding.input, finding.output) = (closer, output);
        }
    }
}

/// What comes out, if the packet breaks the finding's rule right after the epoch's beginning.
fn breaks(scene: &mut Scene, epoch: u64, finding: &Finding, bytes: &[u8]) -> Option<Vec<u8>> {
    scene.begin(epoch);
    let before = scene.bench.dropped();
    let mut out = [0; ROOM];
    let ran = shoot(scene, finding.which, bytes, &mut out)?;
    let output = &out[..ran.length.min(ROOM)];
    let seed = &scene.seeds[finding.which];
    let case = Case {
        seed,
        input: bytes,
        verdict: ran.verdict,
        output,
    };
    let risen = scene.bench.dropped() - before;
    let dropped = u64::from(ran.verdict == Verdict::Drop || told::is_told(&case));
    let miscounted = risen != dropped && !(risen < dropped && may_be_no_loss(seed, bytes));
    let broken = match judge(&scene.facts, &case) {
        Err(rule) => rule == finding.rule,
        Ok(()) => miscounted && finding.rule.contains("counted"),
    };
    broken.then(|| output.to_vec())
}
