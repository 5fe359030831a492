//! The test's side of an agent.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    load::{Load, LoadReport},
    offload::Offload,
    protocol::{
        Bind, Burst, Connect, Connected, End, Heard, Link, Probe, Probed, Proto, Request, Returned,
        Segments, Sniffed,
    },
};
use crate::packet::hex;

/// A running agent; killed when dropped.
pub struct Agent {
    child: Child,
    pipes: Mutex<Pipes>,
    name: String,
}

struct Pipes {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Where cargo put the agent: two folders are possible beside the running binary.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("NETCTL_AGENT") {
        return path.into();
    }
    let this = std::env::current_exe().unwrap();
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("agent"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no agent beside {}", this.display()))
}

impl Agent {
    /// Starts one with `place` making the command, for example [`crate::place::Place::command`].
    pub fn start(name: &str, arguments: &[&str], place: impl FnOnce(PathBuf) -> Command) -> Self {
        let mut child = place(program())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("agent {name}: {error}"));
        let pipes = Pipes {
            requests: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
        };
        let agent = Self {
            child,
            pipes: Mutex::new(pipes),
            name: name.to_owned(),
        };
        agent
            .answer::<Value>(&mut agent.lock())
            .unwrap_or_else(|error| panic!("agent {name} does not start: {error}"));
        agent
    }

    /// Process id: its namespaces are found by it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn lock(&self) -> MutexGuard<'_, Pipes> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: DeserializeOwned>(&self, pipes: &mut Pipes) -> Result<T, String> {
        let mut line = String::new();
        let length = pipes.answers.read_line(&mut line).unwrap();
        assert!(length > 0, "agent {} ended", self.name);
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Ok(serde_json::from_value(answer["ok"].take()).unwrap()),
        }
    }

    /// Asks and waits; the error is the errno's name.
    pub fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, String> {
        let mut pipes = self.lock();
        let line = serde_json::to_string(request).unwrap();
        writeln!(pipes.requests, "{line}").unwrap();
        self.answer(&mut pipes)
    }

    #[track_caller]
    pub(super) fn must<T: DeserializeOwned>(&self, request: &Request) -> T {
        self.ask(request)
            .unwrap_or_else(|error| panic!("{}: {request:?}: {error}", self.name))
    }

    /// Does a request in another network namespace of the same machine.
    pub fn ask_in<T: DeserializeOwned>(&self, netns: &Path, ask: Request) -> Result<T, String> {
        self.ask(&Request::In {
            netns: netns.to_owned(),
            ask: Box::new(ask),
        })
    }

    /// Starts an echo server.
    #[track_caller]
    pub fn serve(&self, proto: Proto, addr: impl Into<SocketAddr>) {
        let addr = addr.into();
        self.must(&Request::Serve { proto, addr })
    }

    /// Starts echo servers for TCP, UDP at `port` and HTTP at `port + 1`, on every address.
    #[track_caller]
    pub fn serve_all(&self, port: u16) {
        self.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, port));
        self.serve(Proto::Udp, (Ipv4Addr::UNSPECIFIED, port));
        self.serve(Proto::Http, (Ipv4Addr::UNSPECIFIED, port + 1));
    }

    /// The same for IPv6 only: beside [`Self::serve_all`] on the same ports.
    #[track_caller]
    pub fn serve_all6(&self, port: u16) {
        self.serve(Proto::Tcp, (Ipv6Addr::UNSPECIFIED, port));
        self.serve(Proto::Udp, (Ipv6Addr::UNSPECIFIED, port));
        self.serve(Proto::Http, (Ipv6Addr::UNSPECIFIED, port + 1));
    }

    /// Asks a server whom it sees.
    pub fn connect(&self, ask: Connect) -> Result<Connected, String> {
        self.ask(&Request::Connect(ask))
    }

    /// A page of an HTTP server of this namespace.
    pub fn fetch(&self, target: impl Into<SocketAddr>, path: &str) -> Result<String, String> {
        self.ask(&Request::Fetch {
            target: target.into(),
            path: path.to_owned(),
        })
    }

    /// Binds a socket; the error is the errno's name.
    pub fn bind(
        &self,
        proto: Proto,
        addr: impl Into<SocketAddr>,
        hold: Option<&str>,
    ) -> Result<(), String> {
        self.ask(&Request::Bind(Bind {
            proto,
            addr: addr.into(),
            hold: hold.map(str::to_owned),
            listen: true,
            only_v6: false,
        }))
    }

    /// Holds a socket of an IPv6 address that takes no IPv4.
    #[track_caller]
    pub fn bind_only_v6(&self, proto: Proto, addr: impl Into<SocketAddr>, hold: &str) {
        self.must(&Request::Bind(Bind {
            proto,
            addr: addr.into(),
            hold: Some(hold.to_owned()),
            listen: true,
            only_v6: true,
        }))
    }

    /// Holds a TCP socket that is bound and does not listen.
    #[track_caller]
    pub fn bind_idle(&self, addr: impl Into<SocketAddr>, hold: &str) {
        self.must(&Request::Bind(Bind {
            proto: Proto::Tcp,
            addr: addr.into(),
            hold: Some(hold.to_owned()),
            listen: false,
            only_v6: false,
        }))
    }

    /// Ends a held connection; the bytes that came before the peer's end.
    pub fn finish(&self, hold: &str, how: End) -> Result<usize, String> {
        let hold = hold.to_owned();
        self.ask(&Request::Finish { hold, how })
    }

    /// Closes what is held under a name.
    pub fn release(&self, hold: &str) {
        self.must(&Request::Release {
            hold: hold.to_owned(),
        })
    }

    /// How many of `count` echo requests were answered; 0 also when there is no route.
    pub fn ping(&self, target: impl Into<IpAddr>, count: u16, timeout_ms: u64) -> u16 {
        self.ping_as(None, target, count, timeout_ms)
    }

    /// The same with that identifier.
    pub fn ping_as(
        &self,
        identifier: Option<u16>,
        target: impl Into<IpAddr>,
        count: u16,
        timeout_ms: u64,
    ) -> u16 {
        self.ask(&Request::Ping {
            target: target.into(),
            identifier,
            count,
            timeout_ms,
        })
        .unwrap_or(0)
    }

    /// Starts a server that sends back as many datagrams at a time as it receives.
    #[track_caller]
    pub fn serve_bursts(&self, addr: impl Into<SocketAddr>) {
        let addr = addr.into();
        self.must(&Request::ServeBursts { addr })
    }

    /// Sends datagrams by the dozen.
    #[track_caller]
    pub fn burst(&self, ask: Burst) -> Returned {
        self.must(&Request::Burst(ask))
    }

    /// Sends one packet and waits for what comes back; the error is the errno's name.
    pub fn probe(&self, ask: Probe) -> Result<Probed, String> {
        self.ask(&Request::Probe(ask))
    }

    /// Puts a frame on an interface.
    #[track_caller]
    pub fn send_frames(&self, interface: &str, frames: &[Vec<u8>]) {
        self.must(&Request::RawSend {
            interface: interface.to_owned(),
            frames: frames.iter().map(|frame| hex::encode(frame)).collect(),
        })
    }

    /// Records an interface until [`Self::sniffed`].
    #[track_caller]
    pub fn sniff(&self, interface: &str) {
        self.must(&Request::SniffStart {
            hold: interface.to_owned(),
            interface: interface.to_owned(),
        })
    }

    /// Frames that contain `pattern`: returns early once there are `at_least`.
    #[track_caller]
    pub fn sniffed(
        &self,
        interface: &str,
        pattern: &[u8],
        at_least: usize,
        timeout_ms: u64,
    ) -> Vec<Vec<u8>> {
        let sniffed: Sniffed = self.must(&Request::SniffTake {
            hold: interface.to_owned(),
            pattern: hex::encode(pattern),
            at_least,
            timeout_ms,
        });
        sniffed
            .frames
            .iter()
            .map(|frame| hex::decode(frame).unwrap())
            .collect()
    }

    /// Starts background traffic.
    #[track_caller]
    pub fn load_start(&self, load: Load) {
        self.must(&Request::LoadStart {
            hold: "load".to_owned(),
            load,
        })
    }

    /// Ends it.
    #[track_caller]
    pub fn load_stop(&self) -> LoadReport {
        self.must(&Request::LoadStop {
            hold: "load".to_owned(),
        })
    }

    /// Has the kernel make the checksums of what leaves an interface, and cut up large segments.
    #[track_caller]
    pub fn no_checksums(&self, interface: &str) {
        self.switch(interface, Offload::Checksums, false)
    }

    /// Leaves both to the device, as it is at first.
    #[track_caller]
    pub fn all_offloads(&self, interface: &str) {
        self.switch(interface, Offload::Checksums, true)
    }

    /// Turns a switch of an interface on or off.
    #[track_caller]
    pub fn switch(&self, interface: &str, offload: Offload, on: bool) {
        let interface = interface.to_owned();
        self.must(&Request::Switch {
            interface,
            offload,
            on,
        })
    }

    /// Lets IPv4 packets of many segments on an interface be so many bytes (kernel 6.3).
    pub fn big_segments(&self, interface: &str, bytes: u32) -> Result<(), String> {
        let interface = interface.to_owned();
        self.ask(&Request::BigSegments { interface, bytes })
    }

    /// Listens to what is said to a multicast or broadcast address on eth0.
    #[track_caller]
    pub fn listen(&self, group: SocketAddr) {
        self.must(&Request::Listen {
            hold: group.to_string(),
            group,
            interface: "eth0".to_owned(),
        })
    }

    /// Says something to many, from eth0.
    #[track_caller]
    pub fn say(&self, to: SocketAddr, text: &str, count: u32) {
        self.must(&Request::Say {
            to,
            interface: "eth0".to_owned(),
            text: text.to_owned(),
            count,
        })
    }

    /// What was heard of [`Self::listen`] since it was last asked: returns early once there are
    /// `at_least`.
    #[track_caller]
    pub fn heard(&self, group: SocketAddr, at_least: usize, timeout_ms: u64) -> Vec<Heard> {
        self.must(&Request::Heard {
            hold: group.to_string(),
            at_least,
            timeout_ms,
        })
    }

    /// Makes the tun interfaces `interface` here and `far_interface` where `far` is, and carries
    /// packets between them.
    #[track_caller]
    pub fn wire(&self, interface: &str, far: &Self, far_interface: &str, segments: Segments) {
        self.must(&Request::Wire {
            interface: interface.to_owned(),
            far_netns: format!("/proc/{}/ns/net", far.pid()).into(),
            far_interface: far_interface.to_owned(),
            segments,
        })
    }

    /// Interfaces of the namespace.
    #[track_caller]
    pub fn links(&self) -> Vec<Link> {
        self.must(&Request::Links)
    }

    /// One interface.
    #[track_caller]
    pub fn link(&self, name: &str) -> Link {
        self.links()
            .into_iter()
            .find(|link| link.name == name)
            .unwrap_or_else(|| panic!("{} has no interface {name}", self.name))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // An agent that is gone already is what we want.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
