//! The TC programs, one a file, named for where they sit.

mod from_container;
mod from_host;
mod from_uplink;
mod routes;
