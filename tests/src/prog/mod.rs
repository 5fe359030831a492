//! Programs alone: loaded unpinned, fed by BPF_PROG_TEST_RUN, judged by verdict, packet, counters.
//!
//! Each [`Bench`] moves its thread into a throw-away network namespace with devices of the wanted
//! indexes, since a test run looks its device and routes up there.
//!
//! A test run does not tell where a redirect would go: tests read that from the flow table, or
//! from real traffic in a lab.

pub mod attached;
mod bench;
mod device_sum;
mod fill;
mod frames;
mod maps;
mod object;
mod outcome;
mod race;
mod run;
mod shield;
mod skb;
mod tracked;
mod verified;
mod world;

pub use bench::{Bench, Program};
pub use frames::{Frames, XDP_DROP, XDP_PASS, xdp_on};
pub use object::load;
pub use outcome::{Outcome, Verdict};
pub use race::Raced;
pub use run::{Ran, Shot};
pub use shield::{By, Rules};
pub use verified::{LIMIT, Verified, verify_all};
pub use world::{
    ANCHOR, Endpoint, GATEWAY_MAC, LAN_MAC, Network, UPLINK, UPLINK_ADDR, UPLINK_ADDR6, UPLINK_MAC,
    addr6, endpoint_mac,
};
