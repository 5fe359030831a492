//! Other programs in the lab: `ip` to build and to tamper, `tc`, `iptables` and `nft` to look.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::Lab;
use crate::place::Place;

impl Lab {
    /// Runs a program among the host's processes; it must succeed. Its output.
    #[track_caller]
    pub fn sh(&self, words: &[&str]) -> String {
        run(self.host_place.command(words[0]).args(&words[1..]))
    }

    /// The same in the neighbour's namespace.
    #[track_caller]
    pub fn lan_sh(&self, words: &[&str]) -> String {
        run(self.lan_place.command(words[0]).args(&words[1..]))
    }

    /// `ip` with words in one string: `lab.ip("link set up0 down")`.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        run(self.host_place.command("ip").args(words.split_whitespace()))
    }

    /// `ip` in the neighbour's namespace.
    #[track_caller]
    pub fn lan_ip(&self, words: &str) -> String {
        run(self.lan_place.command("ip").args(words.split_whitespace()))
    }

    /// `ip` in a named namespace of the host.
    #[track_caller]
    pub fn ip_in(&self, name: &str, words: &str) -> String {
        let place = self.host_place.in_netns(&super::netns_path(name));
        run(place.command("ip").args(words.split_whitespace()))
    }

    /// Many `ip` commands at once.
    #[track_caller]
    pub(super) fn ip_batch(&self, place: &Place, script: &str) {
        let mut child = place
            .command("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success(), "ip -batch:\n{script}");
    }
}

#[track_caller]
pub(super) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
