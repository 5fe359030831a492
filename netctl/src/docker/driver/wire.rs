//! What Docker sends, as far as it is read (moby, libnetwork/drivers/remote/api/api.go and
//! libnetwork/ipams/remote/api/api.go). What newer Engines add is ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Labels of whatever type.
pub(super) type Options = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateNetwork {
    #[serde(rename = "NetworkID")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "null")]
    pub(super) options: Options,
    #[serde(default, rename = "IPv4Data", deserialize_with = "null")]
    pub(super) ipv4: Vec<IpamData>,
    #[serde(default, rename = "IPv6Data", deserialize_with = "null")]
    pub(super) ipv6: Vec<IpamData>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IpamData {
    #[serde(default)]
    pub(super) pool: String,
    /// With the length of the subnet's prefix.
    #[serde(default)]
    pub(super) gateway: String,
    #[serde(default, deserialize_with = "null")]
    pub(super) aux_addresses: Options,
}

/// A network, and an endpoint of it where one is meant.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(rename = "NetworkID")]
    pub(super) network: String,
    #[serde(default, rename = "EndpointID")]
    pub(super) endpoint: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEndpoint {
    #[serde(flatten)]
    pub(super) which: Which,
    #[serde(default)]
    pub(super) interface: Option<Interface>,
    #[serde(default, deserialize_with = "null")]
    pub(super) options: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Interface {
    pub(super) address: String,
    #[serde(rename = "AddressIPv6")]
    pub(super) address6: String,
    pub(super) mac_address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Join {
    #[serde(flatten)]
    pub(super) which: Which,
    #[serde(default)]
    pub(super) sandbox_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Program {
    #[serde(flatten)]
    pub(super) which: Which,
    #[serde(default, deserialize_with = "null")]
    pub(super) options: Options,
}

/// One entry of a port map.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PortBinding {
    /// IP protocol number.
    pub(super) proto: u8,
    pub(super) port: u16,
    #[serde(rename = "HostIP")]
    pub(super) host_ip: String,
    /// 0: a free one.
    pub(super) host_port: u16,
    /// Above `host_port`: a free one of these.
    pub(super) host_port_end: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RequestPool {
    pub(super) address_space: String,
    pub(super) pool: String,
    pub(super) sub_pool: String,
    pub(super) v6: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Address {
    #[serde(rename = "PoolID")]
    pub(super) pool: String,
    #[serde(default)]
    pub(super) address: String,
    #[serde(default, deserialize_with = "null")]
    pub(super) options: Options,
}

/// Go writes null for an empty list or map.
fn null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
