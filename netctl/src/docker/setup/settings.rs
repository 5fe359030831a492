//! The keys of both files that the switch is about.

use std::path::Path;

use serde_json::Value;

use super::{SetupError, json::Object, toml::Toml};

/// Keys of daemon.json that are false where netctl carries the packets.
pub const ENGINE_OFF: [&str; 3] = ["iptables", "ip6tables", "userland-proxy"];
/// Containers of docker0 may talk to each other. The Engine does not start with `false` here and
/// without iptables: netctl does it, under its own `icc`.
pub(super) const ICC: &str = "icc";
/// Containers of docker0 are masqueraded. Without iptables the Engine asks no more for it.
pub(super) const IP_MASQ: &str = "ip-masq";

/// A file of settings whose text is kept but for single keys.
pub trait Settings: Sized {
    /// All that the switch may change.
    const KEYS: &'static [&'static str];
    type Value: PartialEq;

    /// `path`: for errors.
    fn read(text: &str, path: &Path) -> Result<Self, SetupError>;
    fn get(&self, key: &str) -> Option<Self::Value>;
    fn put(&mut self, key: &str, value: Option<Self::Value>);
    fn text(&self) -> String;
    /// It says nothing.
    fn is_empty(&self) -> bool;
}

impl Settings for Object {
    const KEYS: &'static [&'static str] = &["iptables", "ip6tables", "userland-proxy", ICC];
    type Value = Value;

    fn read(text: &str, path: &Path) -> Result<Self, SetupError> {
        Self::parse(text).map_err(|bad| SetupError::Json {
            path: path.to_owned(),
            line: bad.place.0,
            column: bad.place.1,
            reason: bad.reason,
        })
    }

    fn get(&self, key: &str) -> Option<Value> {
        self.get(key)
    }

    fn put(&mut self, key: &str, value: Option<Value>) {
        self.put(key, value.as_ref());
    }

    fn text(&self) -> String {
        self.text().to_owned()
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

/// Keys of netctl.toml's section `[docker]`.
pub(super) const ADOPT: &str = "adopt";
pub(super) const OWN_ICC: &str = "icc";
pub(super) const OWN_IP_MASQ: &str = "ip_masq";

impl Settings for Toml {
    const KEYS: &'static [&'static str] = &[ADOPT, OWN_ICC, OWN_IP_MASQ];
    type Value = bool;

    fn read(text: &str, path: &Path) -> Result<Self, SetupError> {
        Self::parse(text, path)
    }

    fn get(&self, key: &str) -> Option<bool> {
        self.get(key)
    }

    fn put(&mut self, key: &str, value: Option<bool>) {
        self.put(key, value);
    }

    fn text(&self) -> String {
        self.text()
    }

    fn is_empty(&self) -> bool {
        matches!(self.text().trim(), "" | "[docker]")
    }
}

/// The Engine's configuration, to be looked at.
pub fn engine(text: &str, path: &Path) -> Result<impl Settings<Value = Value>, SetupError> {
    <Object as Settings>::read(text, path)
}
