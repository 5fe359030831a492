//! Load by programs that people measure with: iperf3, sockperf and wrk, each by its defaults.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use procfs::net::TcpState;

use super::{
    bed::Route,
    load::pin,
    result::Better,
    worker::{Cpus, Running},
};
use crate::{eventually::eventually, lab::docker::tool};

/// A load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Iperf3,
    Sockperf,
    Wrk,
}

/// Client and server each have a CPU of their own, as these programs expect.
const CPUS: Cpus = Cpus::Two;
/// Until the server listens.
const READY: Duration = Duration::from_secs(5);
const CONNECTIONS: &str = "8";

impl Tool {
    pub const ALL: [Self; 3] = [Self::Iperf3, Self::Sockperf, Self::Wrk];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Iperf3 => "stream by iperf3, 2 CPUs",
            Self::Sockperf => "TCP latency by sockperf, 2 CPUs",
            Self::Wrk => "HTTP by wrk, 8 connections, 2 CPUs",
        }
    }

    pub const fn unit(self) -> &'static str {
        match self {
            Self::Iperf3 => "GB/s",
            Self::Sockperf => "µs",
            Self::Wrk => "requests/s",
        }
    }

    pub const fn better(self) -> Better {
        match self {
            Self::Sockperf => Better::Lower,
            Self::Iperf3 | Self::Wrk => Better::Higher,
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Iperf3 => "usr/bin/iperf3",
            Self::Sockperf => "usr/bin/sockperf",
            Self::Wrk => "usr/bin/wrk",
        }
    }

    /// Runs it once for a second.
    pub fn measure(self, route: &Route, tools: &Path) -> Result<f64, String> {
        let program = tools.join(self.program());
        if !fs::exists(&program).unwrap_or(false) {
            return Err(format!("{} is not there", program.display()));
        }
        let server = self.start_server(route, tools)?;
        // Not by connecting to it: that would be its first client.
        let listens = eventually(READY, || {
            is_listening(server.0.id(), route.listen.port()).then_some(())
        });
        listens.ok_or_else(|| format!("{}: the server does not listen", self.name()))?;
        let found = self.run_client(route, tools);
        found.map_err(|error| format!("{} to {}: {error}", self.name(), route.target))
    }

    fn start_server(self, route: &Route, tools: &Path) -> Result<Running, String> {
        let port = route.listen.port().to_string();
        let mut command = match self {
            Self::Wrk => route.server.command(
                std::env::current_exe().map_err(|error| format!("this program: {error}"))?,
            ),
            Self::Iperf3 | Self::Sockperf => tool(&route.server, tools, self.program()),
        };
        match self {
            Self::Iperf3 => command.args(["-s", "-p", &port]),
            Self::Sockperf => {
                // Others have served on this port a moment ago.
                let options = [
                    "sr",
                    "--tcp",
                    "--uc-reuseaddr",
                    "-i",
                    "0.0.0.0",
                    "-p",
                    &port,
                ];
                command.args(options)
            }
            Self::Wrk => command.args(["worker", "http", &route.listen.to_string()]),
        };
        let child = on_cpu(&mut command, CPUS.server())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program()))?;
        Ok(Running(child))
    }

    fn run_client(self, route: &Route, tools: &Path) -> Result<f64, String> {
        let mut command = tool(&route.client, tools, self.program());
        let (ip, port) = (route.target.ip().to_string(), route.target.port());
        let port = port.to_string();
        match self {
            Self::Iperf3 => command.args(["-c", &ip, "-p", &port, "-t", "1", "-J"]),
            Self::Sockperf => command.args(["pp", "--tcp", "-i", &ip, "-p", &port, "-t", "1"]),
            Self::Wrk => {
                let url = format!("http://{}/", route.target);
                command.args(["-t", "1", "-c", CONNECTIONS, "-d", "1", &url])
            }
        };
        let output = on_cpu(&mut command, CPUS.client())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", self.program()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = output.status.success().then(|| self.parse(&text)).flatten();
        found.ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            format!("no result: {} {}", text.trim(), error.trim())
        })
    }

    /// The figure in what it prints.
    fn parse(self, text: &str) -> Option<f64> {
        let after = |words: &str| -> Option<f64> {
            let rest = text.split_once(words)?.1;
            rest.split_whitespace().next()?.parse().ok()
        };
        match self {
            Self::Iperf3 => {
                let json: serde_json::Value = serde_json::from_str(text).ok()?;
                let bits = json["end"]["sum_received"]["bits_per_second"].as_f64()?;
                (bits > 0.0).then_some(bits / 8e9)
            }
            // Half a round trip.
            Self::Sockperf => after("Summary: Latency is"),
            Self::Wrk => after("Requests/sec:").filter(|rate| *rate > 0.0),
        }
    }
}

/// Whether somebody in the network namespace of that process listens on the port.
fn is_listening(pid: u32, port: u16) -> bool {
    let found = || -> procfs::ProcResult<bool> {
        let process = procfs::process::Process::new(pid as i32)?;
        let sockets = process.tcp()?.into_iter().chain(process.tcp6()?);
        let mut ports = sockets
            .filter(|socket| socket.state == TcpState::Listen)
            .map(|socket| socket.local_address.port());
        Ok(ports.any(|listens| listens == port))
    };
    // A server that has ended does not.
    found().unwrap_or(false)
}

fn on_cpu(command: &mut Command, cpu: usize) -> &mut Command {
    // SAFETY: one system call between fork and exec.
    unsafe { command.pre_exec(move || pin(cpu)) }
}

/// What wrk asks: every request gets the same answer, for as long as the client likes.
pub fn serve_http(addr: SocketAddr) -> io::Result<()> {
    for stream in TcpListener::bind(addr)?.incoming() {
        let stream = stream?;
        // A client that goes away ends its own connection only.
        thread::spawn(move || answer(&stream));
    }
    Ok(())
}

fn answer(stream: &TcpStream) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nnetctl";
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line)? {
            0 => return Ok(()),
            // The empty line ends a request without a body.
            2 => (&mut &*stream).write_all(ANSWER)?,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tool;

    #[test]
    fn figures_are_found_in_what_is_printed() {
        let json = r#"{"end": {"sum_received": {"bits_per_second": 16e9}}}"#;
        assert_eq!(Tool::Iperf3.parse(json), Some(2.0));
        assert_eq!(Tool::Iperf3.parse("{}"), None);
        let text = "sockperf: Summary: Latency is 12.647 usec\n";
        assert_eq!(Tool::Sockperf.parse(text), Some(12.647));
        let text = "Requests/sec:  61034.55\nTransfer/sec: 2MB\n";
        assert_eq!(Tool::Wrk.parse(text), Some(61034.55));
        assert_eq!(Tool::Wrk.parse("Requests/sec: 0.00"), None);
    }
}
