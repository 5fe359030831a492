//! What takes modules that not every kernel has: uplinks that are VLANs, bonds, WireGuard, tunnels;
//! SCTP.
//!
//! `cargo xtask vm` runs these; `cargo xtask test` leaves them out, and says so.

use netctl_tests::lab::Medium;

use crate::{over, protocols, shield};

/// A tunnel's module makes an interface in every new namespace; that is none that netctl's own
/// trial of the kernel takes for its own.
#[test]
fn a_start_beside_a_tunnels_module() {
    let (usual, _more) = over::start(Medium::Tunnel("ipip"));
    let shown = usual.lab.ip_in("client", "-o link show");
    assert!(shown.contains("tunl0"), "{shown}");
    usual.lab.kill_daemon();
    usual.lab.start_daemon();
    assert!(usual.answers());
}

#[test]
fn a_vlan() {
    over::serves(Medium::Vlan);
}

#[test]
fn a_bond() {
    over::serves(Medium::Bond);
}

/// Generic XDP would see the VLAN's packets on the interface below as well, without the tag.
#[test]
fn rules_where_a_vlan_is_carried() {
    shield::rules_hold_over(
        Medium::Vlan,
        [("up1", "xdp"), ("up1-part", "tc (carries up1")],
    );
}

/// A native program of the bond runs on its parts, and is told their indexes (from 5.15 on).
#[test]
fn rules_of_a_bond() {
    shield::rules_hold_over(Medium::Bond, [("up0", "xdp"), ("up1", "xdp")]);
}

#[test]
fn ipv4_in_ipv4() {
    over::serves(Medium::Tunnel("ipip"));
}

#[test]
fn both_families_in_ipv4() {
    over::serves(Medium::Tunnel("sit"));
}

#[test]
fn gre() {
    over::serves(Medium::Tunnel("gre"));
}

#[test]
fn wireguard() {
    over::serves(Medium::WireGuard);
}

#[test]
fn sctp_associations() {
    protocols::real_associations();
}
