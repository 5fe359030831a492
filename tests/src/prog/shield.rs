//! Rules of published ports: into the maps, and packets that meet them by XDP or by TC.

use std::{net::IpAddr, os::fd::AsFd as _, time::Duration};

use aya::programs::Xdp;
use ipnet::IpNet;
use netctl_common::{
    host::{Uplink, uplink_flags},
    settings,
    shield::{ByKey, FromKey, Pace, Shield, flags, port_bit},
    wire::{Be16, V4, V6},
};

use super::{
    Bench, Outcome, Program, UPLINK, Verdict, XDP_DROP, XDP_PASS, maps, object,
    run::{self, Ran, Shot},
};
use crate::packet;

/// Who keeps the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Xdp,
    Tc,
}

impl By {
    pub const BOTH: [Self; 2] = [Self::Xdp, Self::Tc];
}

/// A published port's rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `None`: everybody is let in.
    pub from: Option<Vec<IpNet>>,
    /// Interfaces by which everybody is let in.
    pub by: Vec<u32>,
    /// (How many, in so many seconds).
    pub connections: Option<(u32, u64)>,
    pub packets: Option<(u32, u64)>,
}

const SECOND: u64 = 1_000_000_000;

impl Bench {
    /// Gives a published port its rules.
    #[track_caller]
    pub fn shield(&mut self, port_id: u32, proto: u8, ports: (u16, u16), rules: &Rules) {
        for port in ports.0..=ports.1 {
            let (word, bit) = port_bit(proto, Be16::new(port)).unwrap();
            let bits: u64 = maps::get(&self.ebpf, "SHIELD_PORTS", word);
            maps::set(&mut self.ebpf, "SHIELD_PORTS", word, bits | bit);
        }
        let pace = |limit: Option<(u32, u64)>| {
            limit.map_or_else(Pace::default, |(n, s)| Pace::new(n, s * SECOND))
        };
        let value = Shield {
            flags: if rules.from.is_some() {
                flags::LISTED
            } else {
                0
            },
            connections: pace(rules.connections),
            packets: pace(rules.packets),
            ..Shield::default()
        };
        maps::insert(&mut self.ebpf, "SHIELD", port_id, value);
        for net in rules.from.iter().flatten() {
            let bits = u32::from(net.prefix_len());
            match net.network() {
                IpAddr::V4(addr) => {
                    let key = FromKey {
                        port_id,
                        addr: V4::from(addr),
                    };
                    let prefix = FromKey::<V4>::prefix(bits);
                    maps::insert_prefix(&mut self.ebpf, "SHIELD_FROM4", prefix, key, bits);
                }
                IpAddr::V6(addr) => {
                    let key = FromKey {
                        port_id,
                        addr: V6::from(addr),
                    };
                    let prefix = FromKey::<V6>::prefix(bits);
                    maps::insert_prefix(&mut self.ebpf, "SHIELD_FROM6", prefix, key, bits);
                }
            }
        }
        for ifindex in &rules.by {
            let key = ByKey {
                port_id,
                ifindex: *ifindex,
            };
            maps::insert(&mut self.ebpf, "SHIELD_BY", key, 1_u32);
        }
    }

    /// Has the TC programs keep the rules of the uplink.
    #[track_caller]
    pub fn shield_by_tc(&mut self) {
        let known = maps::entries::<u32, Uplink>(&self.ebpf, "UPLINK");
        for (ifindex, mut uplink) in known {
            uplink.flags |= uplink_flags::SHIELD_BY_TC;
            maps::insert(&mut self.ebpf, "UPLINK", ifindex, uplink);
        }
        self.settings(|settings| settings.flags |= settings::flags::SHIELD_BY_TC);
    }

    /// Interface that packets come in by.
    pub const fn comes_in_by(by: By) -> u32 {
        match by {
            // A test run has no other on kernels before 5.15.
            By::Xdp => 1,
            By::Tc => UPLINK,
        }
    }

    /// Makes the interface that XDP sees packets come in by an uplink.
    #[track_caller]
    pub fn uplink_of_xdp(&mut self, mtu: u32) {
        let uplink = Uplink {
            mtu,
            ..Uplink::default()
        };
        maps::insert(&mut self.ebpf, "UPLINK", Self::comes_in_by(By::Xdp), uplink);
    }

    /// A packet line from the wire meets the rules.
    #[track_caller]
    pub fn arrives(&mut self, by: By, line: &str) -> Outcome {
        let bytes = packet::build(&self.names, line);
        self.arrives_as(by, &bytes)
    }

    /// The same of any bytes. What XDP lets pass is not ours.
    #[track_caller]
    pub fn arrives_as(&mut self, by: By, bytes: &[u8]) -> Outcome {
        if by == By::Tc {
            return self.run_bytes(Program::FromUplink, UPLINK, bytes, None);
        }
        let before = maps::drops(&self.ebpf);
        let mut out = vec![0; bytes.len() + 256];
        let ran = self.xdp(bytes, &mut out, 1);
        out.truncate(ran.length);
        self.outcome(xdp_verdict(ran.code), out, bytes, before)
    }

    /// The same so many times; how each ended, and what it took.
    #[track_caller]
    pub fn arrives_often(&mut self, by: By, line: &str, repeat: u32) -> (Verdict, Duration) {
        let bytes = packet::build(&self.names, line);
        if by == By::Tc {
            let (code, _, time) = self.test_run(Program::FromUplink, UPLINK, &bytes, None, repeat);
            return (code.into(), time);
        }
        let mut out = vec![0; bytes.len() + 256];
        let ran = self.xdp(&bytes, &mut out, repeat);
        (xdp_verdict(ran.code), ran.duration)
    }

    #[track_caller]
    fn xdp(&mut self, bytes: &[u8], out: &mut [u8], repeat: u32) -> Ran {
        const NAME: &str = "xdp_shield";
        let missing = object::missing(&self.ebpf, &[NAME]);
        object::load_all(&mut self.ebpf, &missing);
        let program: &Xdp = self.ebpf.program(NAME).unwrap().try_into().unwrap();
        let shot = Shot {
            ifindex: 0,
            ingress: 0,
            bytes,
            gso: None,
            repeat,
        };
        let fd = program.fd().unwrap();
        run::run_plain(fd.as_fd(), &shot, out)
            .unwrap_or_else(|error| panic!("test run of {NAME}: {error:?}"))
    }
}

/// What XDP lets pass is not ours.
fn xdp_verdict(code: u32) -> Verdict {
    match code {
        XDP_PASS => Verdict::NotOurs,
        XDP_DROP => Verdict::Drop,
        other => Verdict::Other(other as i32),
    }
}
