//! The API's client: one request, one connection.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::api::{socket, types::Problem};

/// A daemon, by its run folder.
pub struct Client {
    socket: PathBuf,
}

impl Client {
    pub fn new(run: &Path) -> Self {
        Self {
            socket: socket::path(run),
        }
    }

    /// Whether a daemon answers there.
    pub async fn is_up(&self) -> Result<bool> {
        match UnixStream::connect(&self.socket).await {
            Ok(_) => Ok(true),
            Err(e) if is_down(&e) => Ok(false),
            Err(e) => Err(self.unreachable(e)),
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let body = serde_json::to_vec(body).context("request")?;
        self.send(Method::POST, path, body.into()).await
    }

    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let body = serde_json::to_vec(body).context("request")?;
        self.send(Method::PUT, path, body.into()).await
    }

    pub async fn delete(&self, path: &str) -> Result<()> {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub async fn delete_with(&self, path: &str, body: &impl Serialize) -> Result<()> {
        let body = serde_json::to_vec(body).context("request")?;
        self.send(Method::DELETE, path, body.into()).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|e| self.unreachable(e))?;
        let lost = || format!("the daemon at {} did not answer", self.socket.display());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .with_context(lost)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "netctl")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .context("request")?;
        // Drives the exchange; how it ends is seen there.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.with_context(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await.with_context(lost)?;
        let body = body.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body)
                .context("the daemon's answer is not understood; is it of another version?");
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(anyhow!(problem.error)),
            Err(_other_server) => Err(anyhow!(
                "the daemon answered {status}: {}",
                String::from_utf8_lossy(&body)
            )),
        }
    }

    fn unreachable(&self, error: io::Error) -> anyhow::Error {
        let socket = self.socket.display();
        match error.kind() {
            _ if is_down(&error) => anyhow!(
                "no daemon answers at {socket}; start it with `netctl daemon`, or name its run folder by --run"
            ),
            io::ErrorKind::PermissionDenied => anyhow!(
                "socket {socket} is not open to you; be root, or a member of the group netctl"
            ),
            _ => anyhow!(error).context(format!("socket {socket}")),
        }
    }
}

/// No socket, or one that a killed daemon left.
fn is_down(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// A name as one segment of a path (RFC 3986, section 2.1).
pub fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
