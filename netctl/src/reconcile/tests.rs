//! Properties of lowering and planning, on machines in memory.

mod conflict;
mod families;
mod shield;
mod wanted;

use std::collections::BTreeSet;

use netctl_common::endpoint::{ENDPOINT_SLOTS, FLOOD_CHUNK, Flood};
use proptest::prelude::*;

use self::wanted::{add_sandbox, constants, endpoint, host, model, network, port};
use super::{
    lower::lower,
    pass::execute,
    plan::{self, View},
    step::Step,
    touch::{Scope, Touch},
};
use crate::{
    kernel::{
        fake::Fake,
        names::OurLink,
        state::{Key, Object, State},
        tables::Table,
    },
    model::Model,
};

fn plan(desired: &State, observed: &State) -> Vec<Step> {
    plan::plan(desired, observed, View::Whole)
}

fn desired(model: &Model, uplinks: u32, touch: &Touch) -> State {
    lower(model, &host(uplinks), &constants(), touch)
}

/// A machine on which exactly this was applied.
fn machine(state: &State) -> Fake {
    Fake {
        state: state.clone(),
    }
}

fn apply(fake: &mut Fake, steps: &[Step]) {
    for (step, result) in execute(steps, |step| fake.apply(step)) {
        assert_eq!(result, Ok(()), "{step}");
    }
}

fn in_order(steps: &[Step]) {
    assert!(
        steps.is_sorted_by_key(Step::stage),
        "steps out of order: {steps:#?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_to_do_where_all_is_as_wanted(model in model(), uplinks in 0_u32..3) {
        let state = desired(&model, uplinks, &Touch::All);
        prop_assert_eq!(plan(&state, &state), Vec::new());
    }

    #[test]
    fn a_plan_leads_from_anything_to_what_is_wanted(
        before in model(), after in model(), uplinks in (0_u32..3, 0_u32..3),
    ) {
        let from = desired(&before, uplinks.0, &Touch::All);
        let to = desired(&after, uplinks.1, &Touch::All);
        let mut fake = machine(&from);
        let steps = plan(&to, &from);
        in_order(&steps);
        apply(&mut fake, &steps);
        prop_assert_eq!(&fake.state, &to);
        prop_assert_eq!(plan(&to, &fake.observe()), Vec::new());
    }

    #[test]
    fn a_purge_leaves_nothing(model in model(), uplinks in 0_u32..3) {
        let from = desired(&model, uplinks, &Touch::All);
        let mut fake = machine(&from);
        let steps = plan(&State::default(), &from);
        in_order(&steps);
        let removals = steps.iter().filter(|step| matches!(step, Step::RemoveLink(_) | Step::RemoveEveryLink));
        let made = from.0.keys().any(|key| matches!(key, Key::Anchor(_)));
        prop_assert_eq!(removals.count(), usize::from(made));
        apply(&mut fake, &steps);
        prop_assert_eq!(fake.state, State::default());
    }

    #[test]
    fn any_interrupted_pass_is_finished_by_the_next(
        before in model(), after in model(), cut in 0_usize..200,
    ) {
        let from = desired(&before, 1, &Touch::All);
        let to = desired(&after, 2, &Touch::All);
        let mut fake = machine(&from);
        let steps = plan(&to, &from);
        apply(&mut fake, &steps[..cut.min(steps.len())]);
        let rest = plan(&to, &fake.observe());
        apply(&mut fake, &rest);
        prop_assert_eq!(fake.state, to);
    }

    #[test]
    fn whatever_others_remove_comes_back(
        model in model(), removed in proptest::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let to = desired(&model, 1, &Touch::All);
        let mut fake = machine(&to);
        let keys: Vec<Key> = to.0.keys().cloned().collect();
        for index in removed {
            match index.get(&keys) {
                Key::Netns(name) => fake.remove_netns(name),
                Key::Anchor(id) => fake.remove_link(OurLink::Anchor(*id)),
                Key::Veth(id) => fake.remove_link(OurLink::Endpoint(*id)),
                key => { fake.state.0.remove(key); }
            }
        }
        let steps = plan(&to, &fake.observe());
        in_order(&steps);
        apply(&mut fake, &steps);
        prop_assert_eq!(fake.state, to);
    }

    #[test]
    fn a_failed_step_drops_only_what_needs_it(
        before in model(), after in model(), bad in 0_usize..200,
    ) {
        let from = desired(&before, 1, &Touch::All);
        let to = desired(&after, 1, &Touch::All);
        let mut fake = machine(&from);
        let steps = plan(&to, &from);
        let bad = steps.get(bad % steps.len().max(1)).cloned();
        for (step, result) in execute(&steps, |step| {
            if Some(step) == bad.as_ref() { Err("refused".to_owned()) } else { fake.apply(step) }
        }) {
            prop_assert_eq!(result.is_err(), Some(step) == bad.as_ref(), "{}", step);
        }
        let rest = plan(&to, &fake.observe());
        apply(&mut fake, &rest);
        prop_assert_eq!(fake.state, to);
    }

    /// What a scope's pass looks at is enough: the full state is reached without a look at
    /// anything else.
    #[test]
    fn a_scoped_pass_does_what_a_full_one_would(
        before in model(), change in any::<prop::sample::Index>(), remove in any::<bool>(), kind in 0..3,
    ) {
        let mut smaller = before.clone();
        let scope = match kind {
            0 if !before.endpoints.is_empty() => {
                let ids: Vec<u32> = before.endpoints.keys().copied().collect();
                let id = *change.get(&ids);
                if let Some(endpoint) = smaller.endpoints.remove(&id)
                    && !smaller.endpoints.values().any(|e| e.sandbox == endpoint.sandbox)
                {
                    smaller.sandboxes.remove(&endpoint.sandbox);
                    smaller.ports.retain(|_, port| port.sandbox != endpoint.sandbox);
                }
                Scope::Endpoint(id)
            }
            1 if !before.ports.is_empty() => {
                let ids: Vec<u32> = before.ports.keys().copied().collect();
                let id = *change.get(&ids);
                smaller.ports.remove(&id);
                Scope::Port(id)
            }
            _ => {
                let ids: Vec<u32> = before.networks.keys().copied().collect();
                let id = *change.get(&ids);
                prop_assume!(!before.endpoints.values().any(|e| e.network == id));
                smaller.networks.remove(&id);
                Scope::Network(id)
            }
        };
        let (from, to) = if remove { (&before, &smaller) } else { (&smaller, &before) };
        let touch = Touch::new(&[scope], from, to);
        let old = desired(from, 1, &touch);
        let new = desired(to, 1, &touch);
        let mut fake = machine(&desired(from, 1, &Touch::All));
        let keys: BTreeSet<&Key> = old.0.keys().chain(new.0.keys()).collect();
        let observed = fake.observe().0.into_iter().filter(|(key, _)| keys.contains(key)).collect();
        apply(&mut fake, &plan::plan(&new, &State(observed), View::Part));
        prop_assert_eq!(fake.state, desired(to, 1, &Touch::All));
    }
}

#[test]
fn the_last_of_many_endpoints_costs_what_the_first_did() {
    let mut model = Model::default();
    model.networks.insert(1, network(1).into());
    for id in 1..=1100 {
        let name = format!("s{id}");
        model.endpoints.insert(id, endpoint(id, 1, &name).into());
        add_sandbox(&mut model, &name);
    }
    let mut before = model.clone();
    before.endpoints.remove(&1100);
    before.sandboxes.remove("s1100");
    let touch = Touch::new(&[Scope::Endpoint(1100)], &before, &model);
    let steps = plan(&desired(&model, 1, &touch), &desired(&before, 1, &touch));
    let texts: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(steps.len(), 9, "{texts:#?}");
    let floods: Vec<&Step> = steps
        .iter()
        .filter(|step| matches!(step, Step::PutEntry { table, .. } if *table == Table::Flood))
        .collect();
    assert_eq!(floods.len(), 1, "only the last chunk changes");
}

#[test]
fn flood_chunks_have_no_gap() {
    let mut model = Model::default();
    model.networks.insert(1, network(1).into());
    for id in 1..=(FLOOD_CHUNK as u32 * 2 + 3) {
        model.endpoints.insert(id, endpoint(id, 1, "s").into());
    }
    for removed in [1, 5, 40] {
        model.endpoints.remove(&removed);
    }
    let state = desired(&model, 0, &Touch::All);
    let chunks: Vec<Flood> = state
        .0
        .iter()
        .filter_map(|(key, object)| match (key, object) {
            (Key::Entry(Table::Flood, _), Object::Entry(value)) => {
                Some(bytemuck::pod_read_unaligned(value))
            }
            _ => None,
        })
        .collect();
    assert_eq!(chunks.len(), 2);
    assert!(chunks[0].ifindex.iter().all(|ifindex| *ifindex != 0));
    assert!(chunks[1].ifindex.iter().all(|ifindex| *ifindex != 0));
}

#[test]
fn what_is_published_goes_first_and_its_flows_after() {
    let mut model = Model::default();
    model.networks.insert(1, network(1).into());
    model.endpoints.insert(1, endpoint(1, 1, "s").into());
    add_sandbox(&mut model, "s");
    let without = desired(&model, 1, &Touch::All);
    model.ports.insert(2, port(2, "s", 8080, 1).into());
    let with = desired(&model, 1, &Touch::All);
    let texts = |steps: Vec<Step>| -> Vec<String> {
        steps
            .iter()
            .map(|step| step.to_string().split('[').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        texts(plan(&without, &with)),
        [
            "delete PUBLISHED4",
            "delete RESERVED",
            "flush flows of published port 2",
            "put ENDPOINT",
            "remove ours from ip_local_reserved_ports"
        ]
    );
    assert_eq!(
        texts(plan(&with, &without)),
        [
            "put ENDPOINT",
            "keep 8080 in ip_local_reserved_ports",
            "put PUBLISHED4",
            "put RESERVED"
        ]
    );
    // The endpoint's own end kills its flows: no walk through the table.
    let nothing = desired(&Model::default(), 1, &Touch::All);
    let steps = plan(&nothing, &with);
    assert!(
        !steps
            .iter()
            .any(|step| matches!(step, Step::FlushFlows(super::step::Flush::Port(_))))
    );
}

/// An endpoint whose slot another one takes over at once is gone as any other: its flows are dead
/// by themselves, and what the plan does about the slot is one write.
#[test]
fn a_slot_goes_from_one_endpoint_to_another() {
    let with = |id: u32| {
        let mut model = Model::default();
        model.networks.insert(1, network(1).into());
        let mut one = endpoint(7, 1, "s");
        one.id = id;
        model.endpoints.insert(id, one.into());
        add_sandbox(&mut model, "s");
        model.ports.insert(id, port(id, "s", 8080, 1).into());
        desired(&model, 1, &Touch::All)
    };
    let (before, after) = (with(7), with(7 + ENDPOINT_SLOTS));
    let steps = plan(&after, &before);
    let of_slot: Vec<&Step> = steps
        .iter()
        .filter(|step| step.to_string().contains("ENDPOINT["))
        .collect();
    assert_eq!(of_slot.len(), 1, "{of_slot:?}");
    assert!(!steps.iter().any(|step| matches!(step, Step::FlushFlows(_))));
    let mut fake = machine(&before);
    apply(&mut fake, &steps);
    assert_eq!(fake.state, after);
}
