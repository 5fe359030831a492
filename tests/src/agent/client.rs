//! Clients: who does the server see, and do exact amounts come back?

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use super::{
    echo::QUESTION,
    protocol::{Connect, Connected, End, Proto, Style},
    socket,
};
use crate::patience::patient;

/// A client's socket, kept between requests when the test wants so.
pub(super) enum Client {
    Stream(TcpStream),
    Datagram(UdpSocket),
}

/// Sockets kept by name.
pub(super) type Held = HashMap<String, Client>;

pub(super) fn connect(ask: &Connect, held: &mut Held) -> io::Result<Connected> {
    let limit = patient(Duration::from_millis(ask.timeout_ms));
    let kept = ask.hold.as_ref().and_then(|name| held.remove(name));
    let client = match kept {
        Some(client) => client,
        None => open(ask, limit)?,
    };
    let answer = question(ask, &client, limit);
    if let Some(name) = &ask.hold {
        held.insert(name.clone(), client);
    }
    answer
}

fn open(ask: &Connect, limit: Duration) -> io::Result<Client> {
    if ask.proto != Proto::Udp {
        return socket::stream(ask.proto, ask.target, ask.source, limit).map(Client::Stream);
    }
    let client = socket::udp(&ask.target, ask.source, limit)?;
    if ask.style == Style::Connected {
        client.connect(ask.target)?;
    }
    Ok(Client::Datagram(client))
}

fn question(ask: &Connect, client: &Client, limit: Duration) -> io::Result<Connected> {
    match client {
        Client::Stream(stream) => {
            stream.set_read_timeout(Some(limit))?;
            let text = match ask.proto {
                Proto::Http => http_get(stream, "/", false)?,
                Proto::Tcp | Proto::Sctp | Proto::Udp => {
                    let mut stream = stream;
                    stream.write_all(QUESTION)?;
                    let mut line = String::new();
                    BufReader::new(stream).read_line(&mut line)?;
                    line
                }
            };
            Ok(Connected {
                local: stream.local_addr()?,
                seen: parse(&text)?,
                peer: stream.peer_addr()?,
            })
        }
        Client::Datagram(client) => {
            client.set_read_timeout(Some(limit))?;
            let mut buffer = [0_u8; 256];
            let (length, peer) = match ask.style {
                Style::Connected => {
                    client.send(QUESTION)?;
                    (client.recv(&mut buffer)?, client.peer_addr()?)
                }
                Style::Unconnected => {
                    client.send_to(QUESTION, ask.target)?;
                    client.recv_from(&mut buffer)?
                }
            };
            Ok(Connected {
                local: client.local_addr()?,
                seen: parse(&String::from_utf8_lossy(&buffer[..length]))?,
                peer,
            })
        }
    }
}

fn parse(text: &str) -> io::Result<SocketAddr> {
    text.trim().parse().map_err(|reason| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{text:?} from the server: {reason}"),
        )
    })
}

/// A page of a server in the agent's namespace.
pub(super) fn fetch(target: SocketAddr, path: &str) -> io::Result<String> {
    http_get(
        &socket::stream(Proto::Http, target, None, patient(Duration::from_secs(5)))?,
        path,
        true,
    )
}

/// One GET; the body of the answer. The connection stays open unless `close`.
pub(super) fn http_get(mut stream: &TcpStream, path: &str, close: bool) -> io::Result<String> {
    let connection = if close { "close" } else { "keep-alive" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0_u8; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Ends a connection; see [`super::protocol::Request::Finish`]. A datagram socket has no end.
pub(super) fn finish(client: Client, how: End) -> io::Result<usize> {
    let Client::Stream(mut stream) = client else {
        return Ok(0);
    };
    match how {
        End::Reset => {
            socket::reset_on_close(&stream)?;
            return Ok(0);
        }
        End::Half => stream.write_all(QUESTION)?,
        End::Close => {}
    }
    stream.shutdown(Shutdown::Write)?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)
}
