//! Docker's calls over a real socket, the machine behind it in memory.

mod addresses;
mod calls;
mod ports;
mod rules;
mod socket;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{
    client::Client,
    service::fake::{Fake, service},
};

const NET: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const EP: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const EP2: &str = "2222222222222222222222222222222222222222222222222222222222222222";

struct Docker {
    server: tokio::task::JoinHandle<io::Result<()>>,
    client: Client,
    service: Arc<Service>,
    fake: Fake,
    _socket: Socket,
    _folders: [tempfile::TempDir; 2],
}

fn start() -> Docker {
    let (service, fake, state) = service();
    let run = tempfile::tempdir().unwrap();
    let (listener, socket) = Socket::listen(&run.path().join("netctl.sock")).unwrap();
    let (_, ready) = watch::channel(Some(Arc::clone(&service)));
    let server = tokio::spawn(serve(listener, ready, std::future::pending()));
    Docker {
        server,
        client: Client::new(run.path()),
        service,
        fake,
        _socket: socket,
        _folders: [state, run],
    }
}

impl Docker {
    /// The answer to a method, which may be an error.
    async fn call(&self, method: &str, request: Value) -> Value {
        let path = format!("/{method}");
        self.client.post(&path, &request).await.unwrap()
    }

    /// A method of the network driver that must not fail.
    async fn ok(&self, method: &str, request: Value) -> Value {
        let answer = self.call(&format!("NetworkDriver.{method}"), request).await;
        assert_eq!(answer.get("Err"), None, "{method}: {answer}");
        answer
    }

    /// A method of the network driver that must fail; the error.
    async fn err(&self, method: &str, request: Value) -> String {
        let answer = self.call(&format!("NetworkDriver.{method}"), request).await;
        let error = answer["Err"].as_str();
        error
            .unwrap_or_else(|| panic!("{method}: {answer}"))
            .to_owned()
    }

    async fn network(&self, labels: Value) {
        self.ok("CreateNetwork", network(labels)).await;
    }

    /// An endpoint that a container has joined.
    async fn joined(&self, id: &str, address: &str, sandbox: &str) -> Value {
        self.ok("CreateEndpoint", endpoint(id, address)).await;
        self.ok("Join", join(id, sandbox)).await
    }

    /// The specs of what is published, and whose it is.
    fn published(&self) -> Vec<String> {
        let model = self.service.model();
        let ports = model.ports.values();
        ports
            .map(|port| format!("{} {port}", port.sandbox))
            .collect()
    }
}

fn network(options: Value) -> Value {
    json!({
        "NetworkID": NET,
        "Options": { "com.docker.network.enable_ipv6": false, "com.docker.network.generic": options },
        "IPv4Data": [{ "AddressSpace": "LocalDefault", "Pool": "172.20.0.0/16", "Gateway": "172.20.0.1/16", "AuxAddresses": null }],
        "IPv6Data": null,
    })
}

fn which(id: &str) -> Value {
    json!({ "NetworkID": NET, "EndpointID": id })
}

fn endpoint(id: &str, address: &str) -> Value {
    json!({
        "NetworkID": NET,
        "EndpointID": id,
        "Interface": { "Address": address, "AddressIPv6": "", "MacAddress": "" },
        "Options": { "com.docker.network.endpoint.exposedports": [], "com.docker.network.portmap": [] },
    })
}

fn join(id: &str, sandbox: &str) -> Value {
    json!({ "NetworkID": NET, "EndpointID": id, "SandboxKey": sandbox, "Options": null })
}

/// Host port (0: any), and the last one where one of several is meant, and container port.
fn program(id: &str, ports: &[(u16, u16, u16)]) -> Value {
    let binding = |(host, last, port): &(u16, u16, u16)| json!({ "Proto": 6, "IP": "", "Port": port, "HostIP": "", "HostPort": host, "HostPortEnd": last });
    let map: Vec<Value> = ports.iter().map(binding).collect();
    json!({ "NetworkID": NET, "EndpointID": id, "Options": { "com.docker.network.portmap": map } })
}
