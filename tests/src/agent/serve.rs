//! The agent's side: reads requests, does them, answers.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, Write},
    net::{IpAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    burst,
    client::{self, Held},
    echo, exchange,
    group::{self, Listeners},
    load::Running,
    machine, offload, pairs, ping, probe,
    protocol::{Bind, Link, Proto, Request},
    raw::{self, Sniffer},
    socket, wire,
};
use crate::patience::patient;

/// What the process is to be.
#[derive(Clone, Debug)]
pub enum Role {
    /// A process in the namespaces that it was started in.
    Resident,
    /// A network namespace of its own.
    Neighbour,
    /// A machine of its own with a bpffs at that folder.
    Host { bpffs: PathBuf },
}

#[derive(Default)]
struct State {
    clients: Held,
    listeners: Listeners,
    bound: HashMap<String, Bound>,
    sniffers: HashMap<String, Sniffer>,
    loads: HashMap<String, Running>,
}

/// Only kept open, never used.
enum Bound {
    Tcp { _listener: TcpListener },
    Udp { _socket: UdpSocket },
    Idle { _socket: OwnedFd },
}

/// Answers requests from stdin until it ends.
pub fn run(role: &Role) -> io::Result<()> {
    match role {
        Role::Resident => {}
        Role::Neighbour => machine::neighbour()?,
        Role::Host { bpffs } => machine::host(bpffs)?,
    }
    let mut out = io::stdout();
    // The first line tells that the namespaces are there.
    writeln!(out, "{}", answer(Ok(Value::Null)))?;
    let mut state = State::default();
    for line in io::stdin().lock().lines() {
        let result = serde_json::from_str::<Request>(&line?)
            .map_err(io::Error::other)
            .and_then(|request| state.perform(&request));
        writeln!(out, "{}", answer(result))?;
        out.flush()?;
    }
    Ok(())
}

fn answer(result: io::Result<Value>) -> Value {
    match result {
        Ok(value) => serde_json::json!({ "ok": value }),
        Err(error) => serde_json::json!({ "error": socket::errno_name(&error) }),
    }
}

fn value(of: impl Serialize) -> io::Result<Value> {
    serde_json::to_value(of).map_err(io::Error::other)
}

impl State {
    fn perform(&mut self, request: &Request) -> io::Result<Value> {
        match request {
            Request::Serve { proto, addr } => value(echo::serve(*proto, *addr)?),
            Request::Connect(ask) => value(client::connect(ask, &mut self.clients)?),
            Request::Fetch { target, path } => value(client::fetch(*target, path)?),
            Request::Exchange(ask) => value(exchange::run(ask)?),
            Request::Bind(ask) => value(self.bind(ask)?),
            Request::Finish { hold, how } => {
                let held = self.clients.remove(hold).ok_or(io::ErrorKind::NotFound)?;
                value(client::finish(held, *how)?)
            }
            Request::Release { hold } => {
                self.clients.remove(hold);
                self.bound.remove(hold);
                self.sniffers.remove(hold);
                Ok(Value::Null)
            }
            Request::Ping {
                target,
                identifier,
                count,
                timeout_ms,
            } => value(ping::ping(
                *target,
                *identifier,
                *count,
                patient(Duration::from_millis(*timeout_ms)),
            )?),
            Request::ServeBursts { addr } => value(burst::serve(*addr)?),
            Request::Burst(ask) => value(burst::exchange(ask)?),
            Request::Probe(ask) => value(probe::probe(ask)?),
            Request::Pairs(ask) => value(pairs::ask(ask)?),
            Request::RawSend { interface, frames } => value(raw::send(interface, frames)?),
            Request::SniffStart { hold, interface } => {
                self.sniffers
                    .insert(hold.clone(), Sniffer::start(interface)?);
                Ok(Value::Null)
            }
            Request::SniffTake {
                hold,
                pattern,
                at_least,
                timeout_ms,
            } => {
                let sniffer = self.sniffers.remove(hold).ok_or(io::ErrorKind::NotFound)?;
                let limit = patient(Duration::from_millis(*timeout_ms));
                value(sniffer.take(pattern, *at_least, limit)?)
            }
            Request::LoadStart { hold, load } => {
                self.loads.insert(hold.clone(), Running::start(load));
                Ok(Value::Null)
            }
            Request::LoadStop { hold } => {
                let load = self.loads.remove(hold).ok_or(io::ErrorKind::NotFound)?;
                value(load.stop())
            }
            Request::Switch {
                interface,
                offload,
                on,
            } => value(offload::switch(interface, *offload, *on)?),
            Request::BigSegments { interface, bytes } => {
                value(offload::big_segments(interface, *bytes)?)
            }
            Request::Listen {
                hold,
                group,
                interface,
            } => {
                let listener = group::listen(*group, interface)?;
                self.listeners.insert(hold.clone(), listener);
                Ok(Value::Null)
            }
            Request::Say {
                to,
                interface,
                text,
                count,
            } => value(group::say(*to, interface, text, *count)?),
            Request::Heard {
                hold,
                at_least,
                timeout_ms,
            } => {
                let listener = self.listeners.get(hold).ok_or(io::ErrorKind::NotFound)?;
                let limit = patient(Duration::from_millis(*timeout_ms));
                value(group::heard(listener, *at_least, limit)?)
            }
            Request::Wire {
                interface,
                far_netns,
                far_interface,
                segments,
            } => value(wire::lay(interface, far_netns, far_interface, *segments)?),
            Request::Links => value(links()?),
            Request::In { netns, ask } => self.perform_in(netns, ask),
        }
    }

    /// On a thread of its own, since a thread's namespace is for good.
    fn perform_in(&mut self, netns: &Path, ask: &Request) -> io::Result<Value> {
        let file = File::open(netns)?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET)?;
                self.perform(ask)
            });
            inside
                .join()
                .map_err(|_panic| io::Error::other("the request panicked"))?
        })
    }

    fn bind(&mut self, ask: &Bind) -> io::Result<()> {
        let bound = if ask.proto == Proto::Udp {
            Bound::Udp {
                _socket: socket::udp_server(ask.addr, ask.only_v6)?,
            }
        } else if !ask.listen {
            Bound::Idle {
                _socket: socket::bound_tcp(ask.addr)?,
            }
        } else {
            Bound::Tcp {
                _listener: socket::listener(ask.proto, ask.addr, ask.only_v6)?,
            }
        };
        if let Some(name) = &ask.hold {
            self.bound.insert(name.clone(), bound);
        }
        Ok(())
    }
}

fn links() -> io::Result<Vec<Link>> {
    let mut links: Vec<Link> = Vec::new();
    for entry in getifaddrs()? {
        let position = links
            .iter()
            .position(|link| link.name == entry.interface_name);
        let link = match position {
            Some(position) => &mut links[position],
            None => {
                let index = if_nametoindex(entry.interface_name.as_str())?;
                links.push(Link {
                    name: entry.interface_name.clone(),
                    index,
                    mac: None,
                    addresses: Vec::new(),
                });
                let last = links.len() - 1;
                &mut links[last]
            }
        };
        let Some(address) = entry.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            link.addresses.push(IpAddr::V4(v4.ip()));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            link.addresses.push(IpAddr::V6(v6.ip()));
        } else if let Some(layer2) = address.as_link_addr() {
            link.mac = layer2.addr();
        }
    }
    Ok(links)
}
