//! Agents: processes that live in one namespace of a lab and do there what a test asks.
//!
//! Separate processes rather than threads with `setns`, so that sockets, cgroups and namespaces
//! are those of an ordinary program. One request a line on stdin, one answer a line on stdout;
//! an agent ends when its stdin does, so none outlives its test.

mod burst;
mod client;
mod echo;
mod exchange;
mod group;
mod handle;
mod load;
mod machine;
mod offload;
mod pairs;
mod ping;
mod probe;
mod protocol;
mod raw;
mod serve;
mod socket;
mod wire;

pub use exchange::{Exchange, Exchanged};
pub use handle::Agent;
pub use load::{Load, LoadReport};
pub use offload::Offload;
pub use pairs::{Paired, Pairs};
pub use protocol::{
    Bind, Burst, Connect, Connected, Cutting, End, Heard, Kind, Link, Probe, Probed, Proto,
    Request, Returned, Segments, Sniffed, Style, Told,
};
pub use raw::raw_ip;
pub use serve::{Role, run};
