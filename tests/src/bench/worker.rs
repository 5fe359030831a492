//! Both ends of a load as processes of this program in the places that a bed names.

use std::{
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{bed::Route, load::Load};
use crate::place::Place;

/// Which CPUs client and server run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpus {
    One,
    Two,
}

impl Cpus {
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "1 CPU",
            Self::Two => "2 CPUs",
        }
    }

    pub const fn client(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 0,
        }
    }

    pub const fn server(self) -> usize {
        1
    }

    /// All of them, for what stands between the two.
    pub const fn all(self) -> &'static [usize] {
        match self {
            Self::One => &[1],
            Self::Two => &[0, 1],
        }
    }
}

/// A process that is killed when dropped.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that is gone already is what we want.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs the load once; its rate in the load's unit.
pub fn measure(load: Load, route: &Route, cpus: Cpus, time: Duration) -> Result<f64, String> {
    let _server = start_server(route, load, cpus.server())?;
    let output = worker(&route.client, "drive", load, route.target, cpus.client())
        .arg(time.as_millis().to_string())
        .output()
        .map_err(|error| format!("starting a client: {error}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let why = match output.status.signal() {
            Some(_) => "no answer came in time",
            None => error.trim(),
        };
        return Err(format!("{} to {}: {why}", load.name(), route.target));
    }
    rate(load, &String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| "the client's answer cannot be read".to_owned())
}

/// Makes that many new flows by the route, on one CPU; how many a second.
pub fn fill(from: &Place, route: &Route, count: u32) -> Result<f64, String> {
    let (cpu, load) = (Cpus::One.server(), Load::Udp);
    let _sink = start_server(route, load, cpu)?;
    let mut command = program(from);
    command
        .args(["worker", "flood", &route.target.to_string()])
        .args([count.to_string(), cpu.to_string()]);
    let (done, nanoseconds) = answer(&mut command, "a flood")?;
    Ok(done * load.scale() / (nanoseconds / 1e9))
}

/// What a flood of frames was.
pub struct Flood {
    pub sent: f64,
    /// CPU time of sending and receiving.
    pub seconds: f64,
}

/// Sends one frame over and over from the lab's neighbour, on one CPU that also receives it.
pub fn frames(
    from: &Place,
    interface: &str,
    target: SocketAddr,
    time: Duration,
) -> Result<Flood, String> {
    let mut command = program(from);
    command
        .args(["worker", "frames", interface, &target.to_string()])
        .args([Cpus::One.client().to_string(), time.as_millis().to_string()]);
    let (sent, nanoseconds) = answer(&mut command, "a flood of frames")?;
    Ok(Flood {
        sent,
        seconds: nanoseconds / 1e9,
    })
}

/// The two numbers that a worker prints.
fn answer(command: &mut Command, what: &str) -> Result<(f64, f64), String> {
    let output = command
        .output()
        .map_err(|error| format!("starting {what}: {error}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{what}: {}", error.trim()));
    }
    numbers(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| format!("the answer of {what} cannot be read"))
}

fn start_server(route: &Route, load: Load, cpu: usize) -> Result<Running, String> {
    let server = worker(&route.server, "serve", load, route.listen, cpu)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("starting a server: {error}"))?;
    let mut server = Running(server);
    wait_ready(server.0.stdout.take())?;
    Ok(server)
}

fn program(place: &Place) -> Command {
    place.command(std::env::current_exe().unwrap())
}

fn worker(place: &Place, role: &str, load: Load, addr: SocketAddr, cpu: usize) -> Command {
    let mut command = program(place);
    let load = clap::ValueEnum::to_possible_value(&load).unwrap();
    command
        .args(["worker", role, load.get_name()])
        .args([addr.to_string(), cpu.to_string()]);
    command
}

fn wait_ready(output: Option<impl Read>) -> Result<(), String> {
    let mut line = String::new();
    let read = match output {
        Some(output) => BufReader::new(output).read_line(&mut line),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    match read {
        Ok(length) if length > 0 => Ok(()),
        Ok(_) => Err("the server ended before it listened".to_owned()),
        Err(error) => Err(format!("the server: {error}")),
    }
}

fn rate(load: Load, text: &str) -> Option<f64> {
    let (done, nanoseconds) = numbers(text)?;
    Some(done * load.scale() / (nanoseconds / 1e9))
}

/// Operations and nanoseconds, as a worker prints them.
fn numbers(text: &str) -> Option<(f64, f64)> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
