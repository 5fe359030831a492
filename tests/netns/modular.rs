//! Uplinks whose drivers are modules that not every kernel has: VLANs, bonds, WireGuard,
//! tunnels.
//!
//! `cargo xtask vm` runs these; `cargo xtask test` leaves them out, and says so.

use netctl_tests::lab::Medium;

use crate::over;

#[track_caller]
fn serves(medium: Medium) {
    let (usual, more) = over::start(medium);
    over::every_path_works(&usual, &more, medium);
    over::everything_arrives(&usual, &more, medium);
    over::errors_arrive(&usual, &more, medium);
    over::containers_follow_its_mtu(&usual, &more);
}

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
    serves(Medium::Vlan);
}

#[test]
fn a_bond() {
    serves(Medium::Bond);
}

#[test]
fn ipv4_in_ipv4() {
    serves(Medium::Tunnel("ipip"));
}

#[test]
fn both_families_in_ipv4() {
    serves(Medium::Tunnel("sit"));
}

#[test]
fn gre() {
    serves(Medium::Tunnel("gre"));
}

#[test]
fn wireguard() {
    serves(Medium::WireGuard);
}
