//! The command line under test: `lab.netctl("network create net1")`.

use std::process::{Command, Output};

use serde_json::Value;

use crate::{daemon::netctl_path, lab::Lab};

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// The words, for messages.
    pub words: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    /// Runs netctl as a process of the host; words are split at spaces.
    #[track_caller]
    pub fn netctl(&self, words: &str) -> Outcome {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.netctl_words(&words)
    }

    /// The same with words that may hold spaces or odd characters.
    #[track_caller]
    pub fn netctl_words(&self, words: &[&str]) -> Outcome {
        let output = self.netctl_command().args(words).output();
        Outcome::new(words.join(" "), output.unwrap())
    }

    /// The command without words, for a test that needs more of it.
    pub fn netctl_command(&self) -> Command {
        let mut command = self.host_place().command(netctl_path());
        command.env("NETCTL_RUN", self.run()).env("NO_COLOR", "1");
        command
    }

    /// A network and namespaces with published ports: `&[("web", "-p 8080:80")]`.
    #[track_caller]
    pub fn populate(&self, network: &str, namespaces: &[(&str, &str)]) {
        self.netctl(&format!("network create {network}")).ok();
        let name = network.split_whitespace().next().unwrap();
        for (namespace, more) in namespaces {
            self.netctl(&format!("ns create {namespace} --network {name} {more}"))
                .ok();
        }
    }
}

impl Outcome {
    fn new(words: String, output: Output) -> Self {
        Self {
            words,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            self.code == 0,
            "netctl {}: exit {}\n{}{}",
            self.words,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// It must have failed with that code and an error that holds every one of `parts`.
    #[track_caller]
    pub fn fails_with(self, code: i32, parts: &[&str]) -> Self {
        assert!(
            self.code == code,
            "netctl {}: exit {} instead of {code}\n{}{}",
            self.words,
            self.code,
            self.stdout,
            self.stderr
        );
        for part in parts {
            assert!(
                self.stderr.to_lowercase().contains(&part.to_lowercase()),
                "netctl {}: {part:?} is not in: {}",
                self.words,
                self.stderr
            );
        }
        self
    }

    /// Its output as JSON; it must have succeeded.
    #[track_caller]
    pub fn json(self) -> Value {
        let done = self.ok();
        serde_json::from_str(&done.stdout)
            .unwrap_or_else(|error| panic!("netctl {}: {error}:\n{}", done.words, done.stdout))
    }
}
