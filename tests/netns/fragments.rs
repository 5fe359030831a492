//! RFC 4787, REQ-14 and 14a: datagrams in pieces, in every order, both ways, both families.

use std::{net::SocketAddr, ops::Range};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    packet::{Family, Names, build, fragment},
};

use crate::usual::{PUBLISHED, Usual};

/// From whom to which echo server, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// From the LAN to a published port.
    In,
    /// From a container, masqueraded, to the LAN.
    Out,
    /// From the LAN to a process of the host.
    Host,
}

const WAYS: [Way; 3] = [Way::In, Way::Out, Way::Host];
/// Where a process of the host listens.
const HOST_PORT: u16 = 7200;

/// Data of each datagram, the UDP header of 8 bytes included.
const LENGTH: usize = 64;
/// Its pieces.
const PIECES: [Range<usize>; 3] = [0..24, 24..48, 48..LENGTH];

struct Sender<'a> {
    agent: &'a Agent,
    interface: &'static str,
    names: Names,
    ends: &'static str,
    server: SocketAddr,
    /// Bytes of a whole datagram's frame.
    whole: usize,
    /// Two ways that go to one address must not use an identification twice within seconds.
    first_id: u16,
}

impl<'a> Sender<'a> {
    fn new(usual: &'a Usual, way: Way, family: Family) -> Self {
        let (agent, interface) = match way {
            Way::In | Way::Host => (usual.lab.lan(), "lan0"),
            Way::Out => (&usual.client, "eth0"),
        };
        let names = usual.names().of(family);
        let (ends, server, port) = match way {
            Way::In => ("lan>up udp {lan}:5000>{host}:8080", "host", PUBLISHED),
            Way::Host => ("lan>up udp {lan}:5000>{host}:7200", "host", HOST_PORT),
            Way::Out => ("client>gw udp {client}:5000>{lan}:7000", "lan", 7000),
        };
        let server = (names.addr(server), port).into();
        Self {
            agent,
            interface,
            names,
            ends,
            server,
            whole: LENGTH + family.pick(34, 54),
            first_id: if way == Way::Host { 10_000 } else { 0 },
        }
    }

    /// A whole datagram, with text that no other has.
    fn datagram(&self, text: &str) -> Vec<u8> {
        let text = format!("{text:-<width$}", width = LENGTH - 8);
        build(&self.names, &format!("{} data={text}", self.ends))
    }

    /// Sends a datagram's pieces.
    fn send(&self, text: &str, id: u16, pieces: &[Range<usize>]) {
        let whole = self.datagram(text);
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| fragment(&whole, self.first_id + id, piece.clone()))
            .collect();
        self.agent.send_frames(self.interface, &frames);
    }

    /// Starts to record the answers.
    fn listen(&self) {
        self.agent.sniff(self.interface);
    }

    /// The texts that the server answered since [`Self::listen`], in order.
    fn answered(&self) -> Vec<String> {
        // The server answers one after the other, and this one last.
        let ask = Connect::to(Proto::Udp, self.server);
        self.agent.connect(ask).unwrap();
        let frames = self.agent.sniffed(self.interface, b"", 0, 5000);
        frames
            .iter()
            .filter(|frame| frame.len() == self.whole)
            .map(|frame| frame.split_at(self.whole - LENGTH).1)
            // To the sender's port: not what was sent.
            .filter(|datagram| datagram[2..4] == 5000_u16.to_be_bytes())
            .map(|datagram| String::from_utf8_lossy(&datagram[8..]).into_owned())
            .map(|text| text.trim_end_matches('-').to_owned())
            .collect()
    }
}

/// A lab where a process of the host listens, too.
fn lab() -> Usual {
    let usual = Usual::start();
    usual.lab.host().serve_all(HOST_PORT);
    usual.lab.host().serve_all6(HOST_PORT);
    usual
}

/// Fragments that the host's stack was given.
fn given_to_the_host(usual: &Usual, family: Family) -> u64 {
    let name = family.pick("IpReasmReqds", "Ip6ReasmReqds");
    let shown = usual.lab.sh(&["nstat", "-asz", name]);
    let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Every way, in each family.
fn ways() -> impl Iterator<Item = (Way, Family)> {
    let both = |way| Family::BOTH.map(|family| (way, family));
    WAYS.into_iter().flat_map(both)
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    (0..count)
        .flat_map(|at| shorter.iter().map(move |order| (at, order)))
        .map(|(at, order)| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        })
        .collect()
}

/// Sends a datagram for each order of the pieces, on every way; each has to arrive once.
#[track_caller]
fn each_order_arrives(name: &str, sent: impl Fn(&[usize]) -> Vec<usize>) {
    let usual = lab();
    for (way, family) in ways() {
        let sender = Sender::new(&usual, way, family);
        sender.listen();
        let mut expected = Vec::new();
        for (number, order) in orders(PIECES.len()).iter().enumerate() {
            let pieces: Vec<_> = sent(order).iter().map(|&at| PIECES[at].clone()).collect();
            let text = format!("{name}-{order:?}").replace(", ", "-");
            sender.send(&text, 100 + number as u16, &pieces);
            expected.push(text);
        }
        assert_eq!(sender.answered(), expected, "{way:?} {family:?}");
    }
}

#[test]
fn pieces_arrive_in_every_order() {
    each_order_arrives("order", <[usize]>::to_vec);
}

#[test]
fn duplicates_do_no_harm() {
    each_order_arrives("twice", |order| {
        [0, 0, 1, 0, 1, 2].map(|at: usize| order[at]).to_vec()
    });
}

/// RFC 5722 for both families. A piece that comes after the datagram was complete cannot take it
/// back, so the overlapping one is never the last.
#[test]
fn what_overlaps_never_arrives() {
    let usual = lab();
    for (way, family) in ways() {
        let sender = Sender::new(&usual, way, family);
        sender.listen();
        let before = given_to_the_host(&usual, family);
        let (mut id, mut pieces_sent) = (300, 0);
        // Over the end of the first, and over the end of the second.
        for overlap in [16..40, 32..56] {
            for order in orders(4).into_iter().filter(|order| order[3] != 3) {
                let pieces: Vec<_> = order
                    .iter()
                    .map(|&at| PIECES.get(at).unwrap_or(&overlap).clone())
                    .collect();
                sender.send(&format!("overlap-{id}"), id, &pieces);
                id += 1;
                pieces_sent += pieces.len() as u64;
            }
        }
        let answered = sender.answered();
        let given = given_to_the_host(&usual, family) - before;
        if way == Way::Host {
            // Its own stack judges, which overlooks a piece that lies within others: it gets all.
            assert_eq!(given, pieces_sent, "{family:?}");
        } else {
            assert_eq!(answered, [""; 0], "{way:?} {family:?}");
            assert_eq!(given, 0, "{way:?} {family:?}");
        }
    }
}

/// Each side floods while datagrams of the other, in pieces and out of order, go through: all of
/// them, since the flood has only its own source's places.
#[test]
fn a_flood_of_first_fragments_hurts_nobody_else() {
    const ROUNDS: u16 = 50;
    const FLOOD: u16 = 1000;
    for (flooding, other) in [(Way::In, Way::Out), (Way::Out, Way::In)] {
        // The receiver of a flood runs out of room for fragments, its own kernel's: another lab
        // has another.
        let usual = Usual::start();
        let flood = Sender::new(&usual, flooding, Family::V4);
        let sender = Sender::new(&usual, other, Family::V4);
        let whole = flood.datagram("flood");
        for round in 0..ROUNDS {
            let text = format!("round-{round}");
            sender.listen();
            sender.send(&text, round, &PIECES[2..]);
            let first = |number| fragment(&whole, round * FLOOD + number, PIECES[0].clone());
            let frames: Vec<_> = (0..FLOOD).map(first).collect();
            flood.agent.send_frames(flood.interface, &frames);
            sender.send(&text, round, &[PIECES[0].clone(), PIECES[1].clone()]);
            assert_eq!(sender.answered(), [text], "{flooding:?}");
        }
    }
}
