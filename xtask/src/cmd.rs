//! Runs commands, each shown before it starts, so that a reader can repeat any step by hand.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// A command that is echoed when it runs.
pub(crate) struct Cmd(Command);

impl From<Command> for Cmd {
    fn from(command: Command) -> Self {
        Self(command)
    }
}

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self(Command::new(program))
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs the command and fails when it does.
    pub(crate) fn run(self) -> Result<()> {
        let shown = self.shown();
        let status = self.status()?;
        ensure!(status.success(), "`{shown}` failed: {status}");
        Ok(())
    }

    /// Runs the command; how it ended is for the caller to judge.
    pub(crate) fn status(mut self) -> Result<ExitStatus> {
        let shown = self.echo();
        self.0
            .status()
            .with_context(|| format!("`{shown}` cannot be started"))
    }

    /// Runs the command without terminal input and passes on each line of its output.
    pub(crate) fn lines(mut self, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
        let shown = self.echo();
        let mut child = self
            .0
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{shown}` cannot be started"))?;
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            // By bytes: a test may print what is not UTF-8.
            while reader
                .read_until(b'\n', &mut line)
                .with_context(|| format!("read the output of `{shown}`"))?
                != 0
            {
                each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
                line.clear();
            }
        }
        child
            .wait()
            .with_context(|| format!("wait for `{shown}` to end"))
    }

    /// Starts the command; its output is for the caller to read.
    pub(crate) fn spawn(mut self) -> Result<Child> {
        let shown = self.echo();
        self.0
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{shown}` cannot be started"))
    }

    /// Whether the command succeeds; silent, for questions to the machine.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    }

    fn echo(&mut self) -> String {
        // Nobody is there to answer a question in CI; it must fail instead of waiting.
        if env::var_os("CI").is_some() {
            self.0.stdin(Stdio::null());
        }
        let shown = self.shown();
        eprintln!("$ {shown}");
        shown
    }

    /// The command as one could type it. Variables that are only removed are left out.
    fn shown(&self) -> String {
        let variables = self.0.get_envs().filter_map(|(name, value)| {
            Some(format!(
                "{}={}",
                name.to_string_lossy(),
                quoted(&value?.to_string_lossy())
            ))
        });
        let words = std::iter::once(self.0.get_program())
            .chain(self.0.get_args())
            .map(|word| quoted(&word.to_string_lossy()));
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_typed() {
        let cmd = Cmd::new("env")
            .args(["a b", "it's", "", "-p"])
            .env("X", "1 2");
        assert_eq!(cmd.shown(), r"X='1 2' env 'a b' 'it'\''s' '' -p");
    }

    #[test]
    fn every_line_is_passed_on() {
        let mut seen = Vec::new();
        let status = Cmd::new("printf")
            .arg("one\ntwo")
            .lines(|line| seen.push(line.to_owned()))
            .expect("printf is everywhere");
        assert!(status.success());
        assert_eq!(seen, ["one", "two"]);
    }
}
