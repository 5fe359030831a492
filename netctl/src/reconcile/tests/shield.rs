//! Rules of published ports: never a moment in which nobody keeps them.

use bytemuck::pod_read_unaligned;
use netctl_common::{
    host::{Uplink, uplink_flags},
    settings::{self, Settings},
};

use super::{
    add_sandbox, constants, lower, plan,
    wanted::{endpoint, host, network, port},
};
use crate::{
    config::XdpMode,
    kernel::{
        host::{Host, XdpHolder},
        netlink::link::XdpPlace,
        state::Hook,
        tables::Table,
    },
    model::Model,
    reconcile::{step::Step, touch::Touch},
};

/// A port with rules, number 3.
fn model() -> Model {
    let mut model = Model::default();
    model.networks.insert(1, network(1).into());
    model.endpoints.insert(1, endpoint(1, 1, "s").into());
    add_sandbox(&mut model, "s");
    model.ports.insert(3, port(3, "s", 8080, 1).into());
    model
}

fn steps(before: &Host, after: &Host) -> Vec<Step> {
    let lower = |host| lower(&model(), host, &constants(), &Touch::All);
    plan(&lower(after), &lower(before))
}

#[test]
fn xdp_leaves_once_tc_keeps_the_rules() {
    let mut by_xdp = host(1);
    by_xdp.xdp.insert(2, XdpHolder::Ours(XdpPlace::Driver));
    let mut carrier = by_xdp.clone();
    carrier.carriers.insert(2, "eth2.10".into());
    let mut unwanted = by_xdp.clone();
    unwanted.xdp_mode = XdpMode::Off;
    for by_tc in [carrier, unwanted] {
        let steps = steps(&by_xdp, &by_tc);
        let at = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).expect("such a step");
        let (uplink, setting) = (at(sets_uplink), at(sets_setting));
        let detached = at(|step| matches!(step, Step::Detach(Hook::XdpShield, 2)));
        assert!(uplink < detached && setting < detached, "{steps:#?}");
    }
}

fn sets_uplink(step: &Step) -> bool {
    let Step::PutEntry { table, value, .. } = step else {
        return false;
    };
    *table == Table::Uplink
        && pod_read_unaligned::<Uplink>(value).flags & uplink_flags::SHIELD_BY_TC != 0
}

fn sets_setting(step: &Step) -> bool {
    let Step::PutEntry { table, value, .. } = step else {
        return false;
    };
    *table == Table::Settings
        && pod_read_unaligned::<Settings>(value).flags & settings::flags::SHIELD_BY_TC != 0
}
