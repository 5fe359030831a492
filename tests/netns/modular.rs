//! Uplinks whose drivers are modules that not every kernel has: VLANs, bonds, WireGuard,
//! tunnels.
//!
//! `cargo xtask vm` runs these; `cargo xtask test` leaves them out, and says so.

use netctl_tests::lab::Medium;

use crate::over;

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
