//! One epoch: the same start, then packets one after the other, each changing what the next finds.

use std::collections::BTreeMap;

use super::{
    finding::{self, Finding},
    judge::{Case, judge},
    mutate::{Draft, ROOM},
    random::Random,
    scene::{Scene, Seed},
    told,
};
use crate::{
    packet::frame::{ETH, Ip},
    prog::{Program, Shot, Verdict},
};

/// Packets of an epoch.
pub(super) const PACKETS: u64 = 16_384;
/// Packets between two looks at the drop counters, which take as long as a dozen packets.
const BETWEEN_COUNTS: u64 = 256;

/// Packets so far, by program and verdict.
pub(super) type Verdicts = BTreeMap<(&'static str, String), u64>;

/// A packet that was run.
pub(super) struct Ran {
    pub(super) verdict: Verdict,
    /// Length of what came out.
    pub(super) length: usize,
}

/// Runs a packet of that seed's program. `None`: the kernel does not take it for a test run.
pub(super) fn shoot(
    scene: &mut Scene,
    seed: usize,
    bytes: &[u8],
    out: &mut [u8; ROOM],
) -> Option<Ran> {
    let Seed { program, .. } = scene.seeds[seed];
    let ifindex = scene.seeds[seed].ifindex();
    let shot = Shot {
        ifindex,
        // What others forward to a container is refused, which a seed for it would only repeat;
        // the other programs do not ask, and old kernels refuse the field.
        ingress: 0,
        bytes,
        gso: None,
        repeat: 1,
    };
    match scene.bench.shoot(program, &shot, out) {
        Ok(ran) => Some(Ran {
            verdict: Verdict::from(ran.code),
            length: ran.length,
        }),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => None,
        Err(error) => panic!("test run of {}: {error}", program.name()),
    }
}

/// Whether a packet that was dropped may be no loss, and then not counted: `flood` had copied it,
/// it is a fragment that waits for its first one, or its pieces go on.
pub(super) fn may_be_no_loss(seed: &Seed, bytes: &[u8]) -> bool {
    match seed.program {
        Program::FromContainer => {
            bytes[0] & 1 != 0 || is_later_fragment(bytes) || may_be_cut(bytes)
        }
        Program::FromUplink => is_later_fragment(bytes) || may_be_cut(bytes),
        Program::FromHost => false,
    }
}

fn is_later_fragment(bytes: &[u8]) -> bool {
    Ip::of_frame(bytes).is_ok_and(|ip| ip.fragment.0 != 0)
}

/// Of IPv4, without DF, and larger than what any interface takes.
fn may_be_cut(bytes: &[u8]) -> bool {
    let is_long = bytes.len() > ETH + 1280;
    is_long && bytes[12..14] == [8, 0] && bytes[ETH + 6] & 0x40 == 0
}

/// Runs an epoch.
pub(super) fn run(
    scene: &mut Scene,
    seed: u64,
    epoch: u64,
    verdicts: &mut Verdicts,
) -> Result<(), Box<Finding>> {
    let mut counts = Counts::default();
    let ended = packets(scene, (seed, epoch), BETWEEN_COUNTS, &mut counts);
    counts.add_to(verdicts);
    let Err(mut found) = ended else {
        return Ok(());
    };
    if found.at.is_none() {
        // The counters were wrong somewhere in between: the same again, looking each time.
        let again = packets(scene, (seed, epoch), 1, &mut Counts::default());
        if let Err(closer) = again {
            found = closer;
        }
    }
    finding::minimise(scene, epoch, &mut found);
    Err(found)
}

/// By program and verdict: what a map would take too long for.
#[derive(Default)]
struct Counts([[u64; 4]; 3]);

const PROGRAMS: [Program; 3] = [
    Program::FromContainer,
    Program::FromHost,
    Program::FromUplink,
];

impl Counts {
    fn add(&mut self, program: Program, verdict: Verdict) {
        let row = PROGRAMS.iter().position(|one| *one == program).unwrap_or(0);
        let column = match verdict {
            Verdict::NotOurs => 0,
            Verdict::Drop => 1,
            Verdict::Redirect => 2,
            Verdict::Other(_) => 3,
        };
        self.0[row][column] += 1;
    }

    fn add_to(&self, verdicts: &mut Verdicts) {
        let names = ["left alone", "dropped", "redirected", "other"];
        for (program, row) in PROGRAMS.iter().zip(self.0) {
            for (name, count) in names.iter().zip(row).filter(|(_, count)| *count > 0) {
                *verdicts
                    .entry((program.name(), (*name).to_owned()))
                    .or_default() += count;
            }
        }
    }
}

fn packets(
    scene: &mut Scene,
    (seed, epoch): (u64, u64),
    between: u64,
    counts: &mut Counts,
) -> Result<(), Box<Finding>> {
    scene.begin(epoch);
    let mut random = Random::new(seed, epoch);
    let mut draft = Draft::new();
    let mut out = [0; ROOM];
    let mut counted = scene.bench.dropped();
    // Least and most that the counters may have risen by since.
    let (mut least, mut most) = (0, 0);
    for number in 0..PACKETS {
        let which = random.below(scene.seeds.len());
        draft.mutate(&scene.seeds[which].bytes, &scene.words, &mut random);
        let Some(ran) = shoot(scene, which, draft.bytes(), &mut out) else {
            continue;
        };
        let from = &scene.seeds[which];
        let case = Case {
            seed: from,
            input: draft.bytes(),
            verdict: ran.verdict,
            output: &out[..ran.length.min(ROOM)],
        };
        counts.add(from.program, ran.verdict);
        let finding = |rule, at| Box::new(Finding::new(seed, epoch, rule, at, which, &case, scene));
        judge(&scene.facts, &case).map_err(|rule| finding(rule, Some(number)))?;
        if ran.verdict == Verdict::Drop {
            most += 1;
            least += u64::from(!may_be_no_loss(from, draft.bytes()));
        } else if told::is_told(&case) {
            (least, most) = (least + 1, most + 1);
        }
        if (number + 1) % between == 0 {
            let risen = scene.bench.dropped() - counted;
            if !(least..=most).contains(&risen) {
                let at = (between == 1).then_some(number);
                return Err(finding("a drop is counted once, and nothing else is", at));
            }
            counted += risen;
            (least, most) = (0, 0);
        }
    }
    Ok(())
}
