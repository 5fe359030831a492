//! What can go wrong with an operation, by what the caller can do about it.

use std::error::Error as _;

use thiserror::Error;

use crate::{
    model::{ipam::IpamError, names::NameError, shield::ShieldError, spec::SpecError},
    store::StoreError,
};

pub type Result<T> = std::result::Result<T, Error>;

/// Every message names the input, the reason and the remedy, and nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The request makes no sense, now or later.
    #[error("{0}")]
    Invalid(String),
    /// What it speaks of does not exist.
    #[error("{0}")]
    Missing(String),
    /// It cannot be had beside what is there.
    #[error("{0}")]
    Conflict(String),
    /// The machine did not follow.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// A task of the daemon's ended without an answer: a fault of netctl's.
    pub fn internal(reason: &tokio::task::JoinError) -> Self {
        Self::Failed(format!(
            "internal error: {reason}; please report it, with the daemon's log"
        ))
    }
}

impl From<NameError> for Error {
    fn from(e: NameError) -> Self {
        Self::Invalid(e.to_string())
    }
}

impl From<IpamError> for Error {
    fn from(e: IpamError) -> Self {
        Self::Invalid(e.to_string())
    }
}

impl From<SpecError> for Error {
    fn from(e: SpecError) -> Self {
        Self::Invalid(e.to_string())
    }
}

impl From<ShieldError> for Error {
    fn from(e: ShieldError) -> Self {
        Self::Invalid(e.to_string())
    }
}

impl From<StoreError> for Error {
    fn from(e: StoreError) -> Self {
        let mut message = e.to_string();
        if let StoreError::Write { source, .. } = &e {
            message.push_str(&format!(": {source}"));
        } else if let Some(source) = e.source().filter(|s| !message.contains(&s.to_string())) {
            message.push_str(&format!(": {source}"));
        }
        Self::Failed(message)
    }
}

pub(super) fn no_network(name: &str) -> Error {
    Error::Missing(format!(
        "network {name:?} does not exist; `netctl network ls` lists those that do"
    ))
}

pub(super) fn no_ns(name: &str) -> Error {
    Error::Missing(format!(
        "namespace {name:?} does not exist; `netctl ns ls` lists those that do"
    ))
}
