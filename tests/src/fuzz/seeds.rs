//! Packets that are all right, as lines: what every epoch opens its flows by, and what mutations
//! start from.

use super::scene::Seed;
use crate::{
    packet::{self, frame},
    prog::{Bench, Program},
};

/// A line, and the endpoint that sends it where a container does.
type Line = (Program, u32, &'static str);

const fn container(endpoint: u32, line: &'static str) -> Line {
    (Program::FromContainer, endpoint, line)
}

const fn uplink(line: &'static str) -> Line {
    (Program::FromUplink, 0, line)
}

const fn host(line: &'static str) -> Line {
    (Program::FromHost, 0, line)
}

/// First packets of the flows that every epoch begins with.
const OPENING: &[Line] = &[
    container(1, "web>gw tcp 172.18.0.2:4000>203.0.113.9:80 flags=S"),
    container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=20"),
    container(2, "cli>gw udp 172.18.0.3:40000>203.0.113.9:53 len=20"),
    container(2, "cli>gw icmp 172.18.0.3>203.0.113.9 ident=7 len=20"),
    container(1, "web>gw icmp 172.18.0.2>203.0.113.9 ident=7 len=20"),
    container(1, "web>gw tcp 172.18.0.2:4000>198.51.100.1:8080 flags=S"),
    container(2, "cli>gw tcp 172.18.0.3:4000>198.51.100.1:8080 flags=S"),
    container(3, "far>gw2 tcp 172.19.0.2:4000>198.51.100.1:8080 flags=S"),
    container(5, "plain>gw4 udp 172.21.0.2:4000>203.0.113.9:53 len=20"),
    container(3, "far>gw2 udp 172.19.0.2:4100>203.0.113.9:53 len=20"),
    container(6, "open>gw5 udp 172.22.0.2:4200>203.0.113.9:53 len=20"),
    container(7, "strict>gw6 udp 172.23.0.2:4300>203.0.113.9:53 len=20"),
    container(
        1,
        "web>gw sctp 172.18.0.2:4000>203.0.113.9:9998 chunk=1 len=16",
    ),
    container(1, "web>gw ip:47 172.18.0.2>203.0.113.9 len=40"),
    uplink("lan>up sctp 203.0.113.9:5000>198.51.100.1:9999 chunk=1 len=16"),
    uplink("lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=S"),
    uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=9"),
    uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:10005 len=9"),
    uplink("lan>up udp 203.0.113.9:5001>198.51.100.1:5353 id=5 frag=0+ len=16"),
    host("gw>web tcp 127.0.0.1:41000>172.18.0.2:80 flags=S"),
    container(8, "led>gw7 udp 172.24.0.2:4400>203.0.113.9:53 len=20"),
    uplink("lan>up tcp 203.0.113.9:5002>172.24.0.2:80 flags=S"),
    container(9, "bare>gw8 udp 172.25.0.2:4500>203.0.113.9:53 len=20"),
    uplink("lan>up udp 203.0.113.9:5003>172.25.0.2:7 len=9"),
    uplink("lan>up udp 203.0.113.9:5004>172.25.0.2:7 id=6 frag=0+ len=16"),
];

/// The same of IPv6.
const OPENING6: &[Line] = &[
    container(
        1,
        "web>gw tcp [fd00:0:0:1::2]:4000>[2001:db8::9]:80 flags=S",
    ),
    container(1, "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 len=20"),
    container(
        2,
        "cli>gw icmp6 fd00:0:0:1::3>2001:db8::9 type=128 ident=7 len=20",
    ),
    container(
        1,
        "web>gw tcp [fd00:0:0:1::2]:4000>[2001:db8:100::1]:8080 flags=S",
    ),
    container(
        2,
        "cli>gw tcp [fd00:0:0:1::3]:4000>[2001:db8:100::1]:8080 flags=S",
    ),
    container(
        3,
        "far>gw2 tcp [fd00:0:0:2::2]:4000>[2001:db8:100::1]:8080 flags=S",
    ),
    container(
        5,
        "plain>gw4 udp [fd00:0:0:4::2]:4000>[2001:db8::9]:53 len=20",
    ),
    container(
        6,
        "open>gw5 udp [fd00:0:0:5::2]:4200>[2001:db8::9]:53 len=20",
    ),
    container(
        7,
        "strict>gw6 udp [fd00:0:0:6::2]:4300>[2001:db8::9]:53 len=20",
    ),
    uplink("lan>up udp [2001:db8::9]:5001>[2001:db8:100::1]:5353 id=5 frag=0+ len=16"),
    container(
        1,
        "web>gw sctp [fd00:0:0:1::2]:4000>[2001:db8::9]:9998 chunk=1 len=16",
    ),
    container(1, "web>gw ip:136 fd00:0:0:1::2>2001:db8::9 len=40"),
    uplink("lan>up tcp [2001:db8::9]:5000>[2001:db8:100::1]:8080 flags=S"),
    uplink("lan>up udp [2001:db8::9]:5000>[2001:db8:100::1]:5353 len=9"),
    uplink("lan>up udp [2001:db8::9]:5000>[2001:db8:100::1]:10005 len=9"),
    container(
        8,
        "led>gw7 udp [fd00:0:0:7::2]:4400>[2001:db8::9]:53 len=20",
    ),
    uplink("lan>up tcp [2001:db8::9]:5002>[fd00:0:0:7::2]:80 flags=S"),
    container(
        9,
        "bare>gw8 udp [fd00:0:0:8::2]:4500>[2001:db8::9]:53 len=20",
    ),
    uplink("lan>up udp [2001:db8::9]:5003>[fd00:0:0:8::2]:7 len=9"),
];

/// What mutations start from beside those.
const MORE6: &[Line] = &[
    container(
        1,
        "web>gw tcp [fd00:0:0:1::2]:80>[2001:db8::9]:5000 flags=SA",
    ),
    container(
        1,
        "web>cli tcp [fd00:0:0:1::2]:80>[fd00:0:0:1::3]:4000 flags=SA",
    ),
    container(2, "cli>gw udp [fd00:0:0:1::3]:53>[fd00:0:0:1::1]:9 len=3"),
    container(
        4,
        "shut>gw3 udp [fd00:0:0:3::2]:4000>[2001:db8::9]:53 len=20",
    ),
    container(
        1,
        "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 len=1452",
    ),
    container(
        1,
        "web>all nd solicit fd00:0:0:1::2>ff02::1:ff00:1 target=fd00:0:0:1::1 ttl=255 option=1/web",
    ),
    container(
        1,
        "web>cli nd solicit fd00:0:0:1::2>fd00:0:0:1::3 target=fd00:0:0:1::3 ttl=255",
    ),
    uplink("lan>up udp [2001:db8::9]:53>[2001:db8:100::1]:4000 len=77"),
    uplink("lan>up tcp [2001:db8::9]:80>[2001:db8:100::1]:4000 flags=SA len=4"),
    uplink("lan>up icmp6 2001:db8::9>2001:db8:100::1 type=129 ident=7 len=20"),
    uplink("lan>up udp [2001:db8::9]:53>[fd00:0:0:4::2]:4000 len=20"),
    // From strangers to mappings.
    uplink("lan>up udp [2001:db8::7]:54>[2001:db8:100::1]:4200 len=20"),
    uplink("lan>up udp [2001:db8::7]:54>[2001:db8:100::1]:4300 len=20"),
    container(
        1,
        "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 id=9 frag=0+ len=24",
    ),
    container(
        1,
        "web>gw ip:17 fd00:0:0:1::2>2001:db8::9 id=9 frag=4 len=24",
    ),
    uplink("lan>up ip:17 2001:db8::9>2001:db8:100::1 id=5 frag=3 len=16"),
    uplink("lan>up tcp [2001:db8::9]:53>[fd00:0:0:1::2]:80 flags=S"),
    host("gw>none tcp [fd00:0:0:1::1]:40000>[fd00:0:0:1::2]:80 flags=S"),
    host("gw>none udp [2001:db8:100::1]:40000>[fd00:0:0:1::3]:53 len=9"),
];

/// What mutations start from beside those.
const MORE: &[Line] = &[
    container(1, "web>gw tcp 172.18.0.2:80>203.0.113.9:5000 flags=SA"),
    container(
        1,
        "web>gw tcp 172.18.0.2:80>172.18.0.1:4000 flags=SA len=30",
    ),
    container(1, "web>cli tcp 172.18.0.2:80>172.18.0.3:4000 flags=SA"),
    container(
        1,
        "web>cli udp 172.18.0.2:4000>172.18.0.3:53 len=20 opts=94040000",
    ),
    container(2, "cli>gw udp 172.18.0.3:53>172.18.0.1:9 len=3"),
    container(
        2,
        "cli>gw tcp 172.18.0.3:50000>203.0.113.9:443 flags=PA len=200 opts=01010100",
    ),
    container(
        1,
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 id=9 frag=0+ len=24",
    ),
    container(1, "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=4 len=24"),
    container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=1472 df=1"),
    container(2, "cli>gw ip:47 172.18.0.3>203.0.113.9 len=24"),
    container(4, "shut>gw3 udp 172.20.0.2:4000>203.0.113.9:53 len=20"),
    container(4, "shut>gw3 icmp 172.20.0.2>172.20.0.1 len=20"),
    container(1, "web>all arp request 172.18.0.2/web>172.18.0.1/none"),
    container(1, "web>all arp request 172.18.0.2/web>172.18.0.3/none"),
    container(1, "web>all udp 172.18.0.2:68>255.255.255.255:67 len=20"),
    container(1, "web>all eth:86dd len=60"),
    uplink("lan>up udp 203.0.113.9:53>198.51.100.1:4000 len=77"),
    uplink("lan>up tcp 203.0.113.9:80>198.51.100.1:4000 flags=SA len=4"),
    uplink("lan>up icmp 203.0.113.9>198.51.100.1 type=0 ident=7 len=20"),
    uplink("lan>up tcp 203.0.113.9:5002>198.51.100.1:10009 flags=S opts=01010100"),
    uplink("lan>up ip:17 203.0.113.9>198.51.100.1 id=5 frag=3 len=16"),
    uplink("lan>up udp 203.0.113.9:54>198.51.100.1:4100 len=20"),
    uplink("lan>up udp 203.0.113.7:54>198.51.100.1:4200 len=20"),
    uplink("lan>up udp 203.0.113.7:54>198.51.100.1:4300 len=20"),
    uplink("lan>up udp 203.0.113.9:53>172.21.0.2:4000 len=20"),
    uplink("lan>up tcp 203.0.113.9:53>172.18.0.2:80 flags=S"),
    uplink("lan>up eth:86dd len=60"),
    host("gw>none tcp 172.18.0.1:40000>172.18.0.2:80 flags=S"),
    host("gw>none udp 198.51.100.1:40000>172.18.0.3:53 len=9"),
    host("gw>none icmp 172.18.0.1>172.18.0.2 len=9"),
];

/// ICMP errors: what carries them, and the packet that they quote.
const ERRORS: &[(Line, &str)] = &[
    (
        uplink("lan>up icmp 198.51.100.2>198.51.100.1 type=3 code=1"),
        "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20 ttl=60",
    ),
    (
        uplink("lan>up icmp 198.51.100.2>198.51.100.1 type=3 code=4"),
        "up>lan tcp 198.51.100.1:4000>203.0.113.9:80 flags=S",
    ),
    (
        uplink("lan>up icmp 198.51.100.2>198.51.100.1 type=11 code=0"),
        "up>lan icmp 198.51.100.1>203.0.113.9 ident=7 len=20 ttl=1",
    ),
    (
        container(1, "web>gw icmp 172.18.0.2>203.0.113.9 type=3 code=3"),
        "gw>web udp 203.0.113.9:5000>172.18.0.2:53 len=9 ttl=63",
    ),
    (
        uplink("lan>up icmp6 2001:db8:100::2>2001:db8:100::1 type=2 ident=0 seq=1280"),
        "up>lan udp [2001:db8:100::1]:4000>[2001:db8::9]:53 len=20 ttl=60",
    ),
    (
        uplink("lan>up icmp6 2001:db8:100::2>2001:db8:100::1 type=1 code=4"),
        "up>lan tcp [2001:db8:100::1]:4000>[2001:db8::9]:80 flags=S",
    ),
    (
        uplink("lan>up icmp6 2001:db8:100::2>2001:db8:100::1 type=3"),
        "up>lan icmp6 2001:db8:100::1>2001:db8::9 type=128 ident=7 len=20 ttl=1",
    ),
    (
        container(1, "web>gw icmp6 fd00:0:0:1::2>2001:db8::9 type=1 code=4"),
        "gw>web udp [2001:db8::9]:5000>[fd00:0:0:1::2]:53 len=9 ttl=63",
    ),
];

fn seed(bench: &Bench, (program, endpoint, line): Line) -> Seed {
    Seed {
        program,
        endpoint,
        bytes: packet::build(&bench.names, line),
    }
}

/// First packets of the flows that every epoch begins with.
pub(super) fn opening(bench: &Bench) -> Vec<Seed> {
    let both = OPENING.iter().chain(OPENING6);
    both.map(|line| seed(bench, *line)).collect()
}

/// What mutations start from: those and more.
pub(super) fn all(bench: &Bench) -> Vec<Seed> {
    let errors = ERRORS.iter().map(|((program, endpoint, line), quoted)| {
        let quote = packet::build(&bench.names, quoted);
        Seed {
            program: *program,
            endpoint: *endpoint,
            bytes: packet::quoting(&bench.names, line, &quote[frame::ETH..]),
        }
    });
    let more = MORE.iter().chain(MORE6).map(|line| seed(bench, *line));
    opening(bench)
        .into_iter()
        .chain(more)
        .chain(errors)
        .collect()
}
