//! A test executable: listed, run, and every line of it passed on.

use std::{
    io::{self, BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus, Stdio},
};

use super::{Plan, Report};

pub(super) fn run(plan: &Plan, report: &mut Report) -> io::Result<()> {
    let list = list(plan)?;
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let wanted = plan.pick(names);
    for test in &wanted {
        report.line(&format!("list {test}"))?;
    }
    // Without a name, the executable would run all that it has.
    if wanted.is_empty() {
        return report.line("exit 0");
    }
    let threads = format!("--test-threads={}", plan.threads);
    let mut child = command(plan)
        .args(["--exact", "--show-output", &threads])
        .args(&wanted)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(plan, &error))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        // By bytes: a test may print what is not UTF-8.
        while reader.read_until(b'\n', &mut line)? != 0 {
            let text = String::from_utf8_lossy(&line);
            report.line(&format!("out {}", text.trim_end_matches('\n')))?;
            line.clear();
        }
    }
    let status = child.wait()?;
    report.line(&format!("exit {}", shown(status)))
}

/// What the executable says that it has.
fn list(plan: &Plan) -> io::Result<String> {
    let output = command(plan)
        .args(["--list", "--format", "terse"])
        .output()
        .map_err(|error| cannot_start(plan, &error))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        let program = plan.program.display();
        return Err(io::Error::other(format!(
            "{program} --list: {}: {complaint}",
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn command(plan: &Plan) -> Command {
    let mut command = Command::new(&plan.program);
    command.envs(&plan.env).stdin(Stdio::null());
    command
}

fn cannot_start(plan: &Plan, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", plan.program.display()))
}

fn shown(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}
