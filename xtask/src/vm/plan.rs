//! What each virtual machine is to run: read by `netctl_tests::guest`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::image::TESTS;
use crate::{setup::Kernel, test::Tier};

/// Tests that would say nothing in an emulator, or not in a sensible time. Shown as not run.
const LEFT_OUT: [(&str, &str); 2] = [
    (
        "many_namespaces::more_than_a_linux_bridge_has_ports",
        "1 100 namespaces take hours where every instruction is emulated",
    ),
    (
        "restart::no_connection_is_asked_for_twice_while_programs_are_replaced",
        "no answer within a second means nothing where every instruction is emulated",
    ),
];

/// How many times longer than usual a test may wait (`netctl_tests::patience`).
const PATIENCE: u32 = 10;

/// Mutated packets of the datapath tier: a few seconds' worth. The kernels are alike in what the
/// programs make of a packet; the machine's own and `cargo xtask fuzz` see many more.
const FUZZ_COUNT: u32 = 32_768;

/// Tests side by side on the one processor: while one waits, another works.
const THREADS: usize = 3;

/// What is wanted of all machines.
pub(super) struct Plan {
    /// Of a tier, tests whose names contain one of these; all where there are none.
    pub(super) filters: BTreeMap<Tier, Vec<String>>,
    pub(super) limit: Duration,
}

/// What one machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kernel: Kernel,
    pub(super) tier: Tier,
    /// Counted from 0.
    pub(super) part: usize,
    pub(super) parts: usize,
}

impl Job {
    /// The jobs of a tier on a kernel. A tier that takes long is parted, so that no processor
    /// waits for another; a few tests are not worth more than one machine.
    pub(super) fn of(kernel: Kernel, tier: Tier, plan: &Plan) -> impl Iterator<Item = Self> {
        let parts = match tier {
            Tier::Netns if plan.filters(tier).is_empty() => 4,
            Tier::Unit | Tier::Datapath | Tier::Netns | Tier::Docker => 1,
        };
        (0..parts).map(move |part| Self {
            kernel,
            tier,
            part,
            parts,
        })
    }

    /// For a person, and for names of files.
    pub(super) fn name(self) -> String {
        let Self {
            kernel,
            tier,
            part,
            parts,
        } = self;
        let (version, tier) = (kernel.version(), tier.name());
        if parts == 1 {
            return format!("{version}-{tier}");
        }
        format!("{version}-{tier}-{}", part + 1)
    }

    pub(super) fn as_json(self, plan: &Plan) -> String {
        let skip: Vec<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
        json!({
            "program": format!("{TESTS}/{}", self.tier.name()),
            "filters": plan.filters(self.tier),
            "skip": skip,
            "part": self.part,
            "parts": self.parts,
            "threads": THREADS,
            "env": {
                "NETCTL_BIN": format!("{TESTS}/netctl"),
                "NETCTL_AGENT": format!("{TESTS}/agent"),
                "NETCTL_TEST_PATIENCE": PATIENCE.to_string(),
                "NETCTL_FUZZ_COUNT": FUZZ_COUNT.to_string(),
                "PATH": "/usr/bin",
                "HOME": "/root",
            },
        })
        .to_string()
    }
}

impl Plan {
    /// Empty: the whole tier is wanted.
    pub(super) fn filters(&self, tier: Tier) -> &[String] {
        self.filters.get(&tier).map_or(&[], Vec::as_slice)
    }

    /// Names and reasons of the tests of a tier that are left out.
    pub(super) fn left_out(
        &self,
        tier: Tier,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        LEFT_OUT.into_iter().filter(move |(name, _)| {
            let filters = self.filters(tier);
            let wanted = filters.is_empty() || filters.iter().any(|text| name.contains(text));
            tier == Tier::Netns && wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_tier_are_the_whole_of_it() {
        let plan = Plan {
            filters: BTreeMap::new(),
            limit: Duration::ZERO,
        };
        for tier in [Tier::Datapath, Tier::Netns] {
            let jobs: Vec<Job> = Job::of(Kernel::V5_10, tier, &plan).collect();
            for (number, job) in jobs.iter().enumerate() {
                assert_eq!((job.part, job.parts), (number, jobs.len()));
            }
        }
    }
}
