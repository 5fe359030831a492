//! Packets on two CPUs at the same moment.

use std::{
    os::fd::AsFd,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use super::{
    Bench, Program, Shot, Verdict,
    run::{self},
};
use crate::packet;

/// What came out of one of a race's packets.
#[derive(Clone, Debug)]
pub struct Raced {
    pub verdict: Verdict,
    /// The packet as a line.
    pub text: String,
}

impl Bench {
    /// Runs pairs of packets from containers, each an interface and a line, one pair after the other, the two of each at the same
    /// moment on two CPUs. What comes out of each pair, in order.
    ///
    /// Who is first, and whether they meet in the programs at all, is chance: what must hold does so
    /// in every case.
    #[track_caller]
    pub fn race(&mut self, pairs: &[[(u32, String); 2]]) -> Vec<[Raced; 2]> {
        let names = self.names.clone();
        let bytes: Vec<[(u32, Vec<u8>); 2]> = pairs
            .iter()
            .map(|pair| {
                let built =
                    |(ifindex, line): &(u32, String)| (*ifindex, packet::build(&names, line));
                [built(&pair[0]), built(&pair[1])]
            })
            .collect();
        let program = Program::FromContainer;
        // Loads what IPv6 needs, too.
        for pair in &bytes {
            if pair[0].1[12..14] == [0x86, 0xdd] {
                self.load_ipv6();
                break;
            }
        }
        let fd = self
            .classifier(program)
            .fd()
            .unwrap()
            .as_fd()
            .try_clone_to_owned()
            .unwrap();
        let cpus = own_cpus();
        let arrived = AtomicUsize::new(0);
        let one_side = |side: usize| {
            pin(cpus[side % cpus.len()]);
            bytes
                .iter()
                .enumerate()
                .map(|(round, pair)| {
                    let (ifindex, bytes) = &pair[side];
                    let mut out = vec![0; bytes.len() + 256];
                    // Both spin for the other, so that they start within nanoseconds.
                    arrived.fetch_add(1, Ordering::AcqRel);
                    while arrived.load(Ordering::Acquire) < 2 * (round + 1) {
                        if cpus.len() < 2 {
                            thread::yield_now();
                        }
                        std::hint::spin_loop();
                    }
                    let shot = Shot {
                        ifindex: *ifindex,
                        ingress: 0,
                        bytes,
                        gso: None,
                        repeat: 1,
                    };
                    let ran = run::run(fd.as_fd(), &shot, 0, &mut out).unwrap();
                    out.truncate(ran.length);
                    Raced {
                        verdict: ran.code.into(),
                        text: packet::show(&names, &out),
                    }
                })
                .collect::<Vec<_>>()
        };
        // A new thread is in the network namespace of the one that made it.
        let [left, right] = thread::scope(|scope| {
            let sides = [0, 1].map(|side| {
                scope.spawn({
                    let one_side = &one_side;
                    move || one_side(side)
                })
            });
            sides.map(|side| side.join().unwrap())
        });
        left.into_iter()
            .zip(right)
            .map(|(left, right)| [left, right])
            .collect()
    }
}

fn own_cpus() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap())
        .collect()
}

/// Of the calling thread.
fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}
