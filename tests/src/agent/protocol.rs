//! What a test can ask of an agent, and the answers.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{exchange::Exchange, load::Load, offload::Offload, pairs::Pairs};

/// Kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    Tcp,
    Udp,
    /// HTTP/1.1 over TCP; the body is the address that the server saw.
    Http,
    /// One association for a socket (RFC 6458, section 4), by the kernel's own stack, which is a
    /// module.
    Sctp,
}

/// How a UDP client sends: the kernel's hooks differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// connect(), send(), recv(); TCP always does this.
    #[default]
    Connected,
    /// sendto() and recvfrom().
    Unconnected,
}

/// What a wire between two tun interfaces carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Segments {
    /// Packets as they would be on a wire.
    Single,
    /// Also several segments in one, and packets whose checksum is not made yet.
    Large,
}

/// One request to a namespace's agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Starts a server that echoes, and answers `peer?` with the address that it saw.
    Serve { proto: Proto, addr: SocketAddr },
    /// Asks a server whom it sees. Answer: [`Connected`].
    Connect(Connect),
    /// HTTP GET of a path on a server of this namespace; answers the body.
    Fetch { target: SocketAddr, path: String },
    /// Sends exact amounts and counts what comes back. Answer: [`super::Exchanged`].
    Exchange(Exchange),
    /// Asks by two datagrams at once, again and again. Answer: [`super::Paired`].
    Pairs(Pairs),
    /// Binds a socket. Answer: null, or the error.
    Bind(Bind),
    /// Ends a held connection. Answer: the bytes that came before the peer's end.
    Finish { hold: String, how: End },
    /// Closes what was held under that name.
    Release { hold: String },
    /// ICMP echo; answers how many came back. The identifier is one of the agent's own if none is
    /// given.
    Ping {
        target: IpAddr,
        identifier: Option<u16>,
        count: u16,
        timeout_ms: u64,
    },
    /// Starts a server that sends back as many datagrams at a time as it receives.
    ServeBursts { addr: SocketAddr },
    /// Sends datagrams by the dozen to such a server. Answer: [`Returned`].
    Burst(Burst),
    /// Sends one packet and waits for what comes back. Answer: [`Probed`].
    Probe(Probe),
    /// Puts frames (hex) on an interface.
    RawSend {
        interface: String,
        frames: Vec<String>,
    },
    /// Starts to record an interface's frames, both directions.
    SniffStart { hold: String, interface: String },
    /// Stops after `at_least` frames that hold `pattern` (hex, may be empty) or when the time is
    /// over. Answer: [`Sniffed`].
    SniffTake {
        hold: String,
        pattern: String,
        at_least: usize,
        timeout_ms: u64,
    },
    /// Starts background traffic.
    LoadStart { hold: String, load: Load },
    /// Ends it. Answer: [`super::LoadReport`].
    LoadStop { hold: String },
    /// Turns a switch of the interface on or off.
    Switch {
        interface: String,
        offload: Offload,
        on: bool,
    },
    /// Lets IPv4 packets of many segments on the interface be that large.
    BigSegments { interface: String, bytes: u32 },
    /// Listens to what is said to a multicast or broadcast address on an interface.
    Listen {
        hold: String,
        group: SocketAddr,
        interface: String,
    },
    /// Says something to many, so many times.
    Say {
        to: SocketAddr,
        interface: String,
        text: String,
        count: u32,
    },
    /// What a listener has heard; it stays. Answer: list of [`Heard`].
    Heard {
        hold: String,
        at_least: usize,
        timeout_ms: u64,
    },
    /// Makes a tun interface here and one in another namespace, and carries packets between them.
    Wire {
        interface: String,
        far_netns: PathBuf,
        far_interface: String,
        segments: Segments,
    },
    /// Interfaces of the namespace. Answer: list of [`Link`].
    Links,
    /// Does the request in another network namespace of the same machine.
    In { netns: PathBuf, ask: Box<Request> },
}

/// A datagram to many, as one of them got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    pub from: IpAddr,
    pub text: String,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// By a FIN, after which the peer's is waited for.
    Close,
    /// The same with a question just before the FIN: the answer comes over what is half closed.
    Half,
    /// By an RST.
    Reset,
}

/// See [`Request::Connect`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Connect {
    pub proto: Proto,
    pub target: SocketAddr,
    /// Address and port to bind first.
    pub source: Option<SocketAddr>,
    #[serde(default)]
    pub style: Style,
    /// Keeps the socket under that name, or uses the one that is kept there.
    pub hold: Option<String>,
    pub timeout_ms: u64,
}

impl Connect {
    /// A new socket, the kernel's choice of source.
    pub fn to(proto: Proto, target: impl Into<SocketAddr>) -> Self {
        Self {
            proto,
            target: target.into(),
            source: None,
            style: Style::Connected,
            hold: None,
            timeout_ms: 3000,
        }
    }

    /// Binds to a source first.
    #[must_use]
    pub fn from(mut self, source: impl Into<SocketAddr>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// UDP by sendto() and recvfrom().
    #[must_use]
    pub fn unconnected(mut self) -> Self {
        self.style = Style::Unconnected;
        self
    }

    /// Keeps the socket for later requests.
    #[must_use]
    pub fn hold(mut self, name: &str) -> Self {
        self.hold = Some(name.to_owned());
        self
    }

    /// Gives up after that long.
    #[must_use]
    pub fn within_ms(mut self, timeout_ms: u64) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }
}

/// A server's answer as the client has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// getsockname().
    pub local: SocketAddr,
    /// The client's address as the server saw it.
    pub seen: SocketAddr,
    /// getpeername(); for unconnected UDP the source of the reply.
    pub peer: SocketAddr,
}

/// See [`Request::Burst`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Burst {
    pub target: SocketAddr,
    /// Data of each datagram, in bytes.
    pub size: u16,
    /// Datagrams that one call sends.
    pub together: usize,
    pub rounds: u32,
    pub timeout_ms: u64,
}

/// What came back, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    pub sent: usize,
    pub received: usize,
    /// Rounds whose bytes are not what was sent, in order.
    pub wrong_rounds: u32,
    /// The most that came in one piece.
    pub largest: usize,
}

/// What a [`Probe`] sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A datagram, to a server that echoes.
    Udp,
    /// A SYN.
    Tcp,
    /// An ICMP echo.
    Echo,
}

/// Whether the packet may be cut on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cutting {
    /// As the kernel does by itself.
    #[default]
    Usual,
    /// By nobody, the sender included; IPv4: DF is set.
    Never,
    /// IPv4: DF is clear.
    Allowed,
}

/// See [`Request::Probe`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    pub kind: Kind,
    /// The port does not matter for an echo.
    pub target: SocketAddr,
    pub source: Option<SocketAddr>,
    /// Time to live; the kernel's choice if none.
    pub hops: Option<u8>,
    /// Bytes of data behind the transport header; none of TCP.
    pub size: usize,
    pub cutting: Cutting,
    pub timeout_ms: u64,
}

impl Probe {
    /// Of 16 bytes, by the kernel's defaults.
    pub fn to(kind: Kind, target: impl Into<SocketAddr>) -> Self {
        Self {
            kind,
            target: target.into(),
            source: None,
            hops: None,
            size: 16,
            cutting: Cutting::Usual,
            timeout_ms: 3000,
        }
    }

    /// With so many hops to live.
    #[must_use]
    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = Some(hops);
        self
    }

    /// With so many bytes of data, which may be cut or not.
    #[must_use]
    pub fn size(mut self, size: usize, cutting: Cutting) -> Self {
        (self.size, self.cutting) = (size, cutting);
        self
    }
}

/// What came back; nothing of it: silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The very data, an echo reply or a handshake.
    pub answered: bool,
    /// An ICMP error.
    pub told: Option<Told>,
    /// What the kernel knows of the path's MTU after it, 0 without a connection.
    pub path_mtu: u32,
}

/// An ICMP error as a socket's error queue has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who sent it.
    pub from: Option<IpAddr>,
    /// Whom the quoted packet was sent to.
    pub about: Option<IpAddr>,
    pub kind: u8,
    pub code: u8,
    /// Of "too big" messages.
    pub mtu: u32,
    pub errno: String,
}

/// See [`Request::Bind`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bind {
    pub proto: Proto,
    pub addr: SocketAddr,
    /// Keeps the socket under that name; else it is closed at once.
    pub hold: Option<String>,
    /// TCP: whether it listens.
    pub listen: bool,
    /// On an IPv6 address: whether it takes no IPv4.
    #[serde(default)]
    pub only_v6: bool,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    pub index: u32,
    pub mac: Option<[u8; 6]>,
    pub addresses: Vec<IpAddr>,
}

/// Frames seen on an interface (hex), oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sniffed {
    pub frames: Vec<String>,
}
