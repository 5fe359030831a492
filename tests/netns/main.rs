//! Tier 3: labs of real namespaces around the real daemon. One file per topic; every test has a
//! lab of its own, so that all run side by side.
#![allow(
    clippy::unwrap_used,
    reason = "test code: a panic with its place is the report"
)]

mod advisories;
mod advisories_of_ports;
mod bad_input;
mod collision;
mod counters;
mod differential;
mod docker_setup;
mod exposure;
mod firewall;
mod fragments;
mod healing;
mod icmp_errors;
mod ip_uplinks;
mod ipv6_objects;
mod isolation;
mod lab_itself;
mod many_namespaces;
mod meeting;
mod modular;
mod multicast;
mod namespaces;
mod nat_behaviour;
mod offload;
mod outbound;
mod over;
mod path;
mod path_mtu;
mod protocols;
mod purge;
mod ranges;
mod rebind;
mod renumbering;
mod reserved;
mod restart;
mod rfc;
mod rfc_icmp;
mod rfc_tcp;
mod rfc_udp;
mod segments;
mod shield;
mod spoofing;
mod startup;
mod truth_table;
mod uplink_kinds;
mod uplinks;
mod usual;
mod ways;
mod witness;
