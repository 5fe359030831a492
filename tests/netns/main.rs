//! Tier 3: labs of real namespaces around the real daemon. One file per topic; every test has a
//! lab of its own, so that all run side by side.
#![allow(
    clippy::unwrap_used,
    reason = "test code: a panic with its place is the report"
)]

mod lab_itself;
