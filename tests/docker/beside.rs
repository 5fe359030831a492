//! The same script with an Engine that netctl serves and with one that serves itself, by iptables
//! and docker-proxy: nothing differs but what is listed, with its reason.

mod intended;
mod scene;
mod script;

use std::thread;

use serde_json::json;

use self::{
    intended::{INTENDED, Intended},
    script::Said,
};
use crate::adopted::Adopted;

#[test]
fn only_what_is_listed_differs() {
    let settings = json!({"live-restore": true});
    let (stock, netctl) = thread::scope(|scope| {
        let stock = scope.spawn(|| script::play(Adopted::stock(&settings)));
        let netctl = scope.spawn(|| script::play(Adopted::start_with(&settings)));
        (stock.join().unwrap(), netctl.join().unwrap())
    });
    println!("{}", table(&stock, &netctl));
    let questions = |said: &Said| {
        said.iter()
            .map(|(what, _)| what.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(questions(&stock), questions(&netctl), "one script for both");
    let mut complaints = Vec::new();
    for ((what, stock), (_, netctl)) in stock.iter().zip(&netctl) {
        let is_about = |one: &&Intended| one.asked.contains(&what.as_str());
        let listed: Vec<_> = INTENDED.iter().filter(is_about).collect();
        let seen = format!("{what}: stock Docker: {stock}; netctl: {netctl}");
        match listed.as_slice() {
            [] if stock == netctl => {}
            [] => complaints.push(format!("not listed: {seen}")),
            [one] if (one.stock, one.netctl) == (stock, netctl) => {}
            [one] => complaints.push(format!("listed as {:?}, but {seen}", one.name)),
            [one, ..] => complaints.push(format!("listed as {:?} and again: {what}", one.name)),
        }
    }
    for one in INTENDED {
        let known = |asked: &&&str| netctl.iter().any(|(what, _)| what == **asked);
        let unknown = one.asked.iter().filter(|asked| !known(asked));
        complaints.extend(unknown.map(|what| format!("{:?}: nothing asks {what:?}", one.name)));
        if !include_str!("../../README.md").contains(&format!("| {} |", one.name)) {
            complaints.push(format!("README.md does not tell that {:?}", one.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn table(stock: &Said, netctl: &Said) -> String {
    let rows = stock.iter().zip(netctl);
    let row = |((what, stock), (_, netctl)): (&(String, String), &(String, String))| {
        let mark = if stock == netctl { " " } else { "≠" };
        format!("{mark} {what:<60} {stock:<40} {netctl}")
    };
    rows.map(row).collect::<Vec<_>>().join("\n")
}
