//! The same script with an Engine that serves itself, by iptables and docker-proxy, with one that
//! netctl serves, and on networks of netctl's driver: nothing differs but what is listed, with its
//! reason.

mod intended;
mod scene;
mod script;

use std::thread;

use serde_json::json;

use self::{
    intended::{INTENDED, OF_DRIVER, PINNED},
    script::Said,
};
use crate::{adopted::Adopted, driven::Driven, mode::Mode as _};

#[test]
fn only_what_is_listed_differs() {
    let settings = json!({"live-restore": true});
    let (stock, netctl, driver) = thread::scope(|scope| {
        let stock = scope.spawn(|| script::play(Adopted::stock(&settings)));
        let netctl = scope.spawn(|| script::play(Adopted::start_as("", &settings)));
        let driver = scope.spawn(|| script::play(Driven::start_as("", &settings)));
        let said = |side: thread::ScopedJoinHandle<'_, Said>| side.join().unwrap();
        (said(stock), said(netctl), said(driver))
    });
    println!("{}", table([&stock, &netctl, &driver]));
    let intended: Vec<Listed<'_>> = INTENDED
        .iter()
        .map(|one| (one.asked, [one.stock, one.netctl]))
        .collect();
    let mut complaints = compare(["stock Docker", "netctl"], [&stock, &netctl], &intended);
    let of_driver: Vec<Listed<'_>> = OF_DRIVER
        .iter()
        .map(|one| (one.asked, [one.adopted, one.driver]))
        .collect();
    complaints.extend(compare(
        ["netctl, Docker's networks", "the driver's"],
        [&netctl, &driver],
        &of_driver,
    ));
    // What is alike on all sides may be alike because nothing works.
    for (what, outcome) in PINNED {
        let is_asked = |(asked, _): &&(String, String)| asked == what;
        for (side, said) in [
            ("stock Docker", &stock),
            ("netctl", &netctl),
            ("the driver", &driver),
        ] {
            match said.iter().find(is_asked) {
                Some((_, seen)) if seen == outcome => {}
                seen => complaints.push(format!("{what}: {side}: {seen:?}, and not {outcome}")),
            }
        }
    }
    for one in INTENDED {
        if !include_str!("../../README.md").contains(&format!("| {} |", one.name)) {
            complaints.push(format!("README.md does not tell that {:?}", one.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Questions, and the outcome that each is to have on either side.
type Listed<'a> = (&'a [&'a str], [&'a str; 2]);

/// What differs between two sides and is not listed, and what is listed and does not.
fn compare(sides: [&str; 2], said: [&Said; 2], listed: &[Listed<'_>]) -> Vec<String> {
    let questions = |said: &Said| {
        said.iter()
            .map(|(what, _)| what.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(questions(said[0]), questions(said[1]), "one script for all");
    let mut complaints = Vec::new();
    for ((what, first), (_, second)) in said[0].iter().zip(said[1]) {
        let is_about = |one: &&Listed<'_>| one.0.contains(&what.as_str());
        let listed: Vec<_> = listed.iter().filter(is_about).collect();
        let seen = format!("{what}: {}: {first}; {}: {second}", sides[0], sides[1]);
        match listed.as_slice() {
            [] if first == second => {}
            [] => complaints.push(format!("not listed: {seen}")),
            [(_, outcomes)] if outcomes == &[first, second] => {}
            [(_, outcomes)] => complaints.push(format!("listed as {outcomes:?}, but {seen}")),
            _ => complaints.push(format!("listed more than once: {what}")),
        }
    }
    let asked = listed.iter().flat_map(|(asked, _)| asked.iter());
    let is_unknown = |asked: &&&str| !said[0].iter().any(|(what, _)| what == **asked);
    complaints.extend(
        asked
            .filter(is_unknown)
            .map(|what| format!("nothing asks {what:?}")),
    );
    complaints
}

fn table(said: [&Said; 3]) -> String {
    let rows = said[0].iter().enumerate().map(|(row, (what, stock))| {
        let [netctl, driver] = [said[1], said[2]].map(|side| &side[row].1);
        let mark = if stock == netctl && netctl == driver {
            " "
        } else {
            "≠"
        };
        format!("{mark} {what:<60} {stock:<40} {netctl:<40} {driver}")
    });
    rows.collect::<Vec<_>>().join("\n")
}
