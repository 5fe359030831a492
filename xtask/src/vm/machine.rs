//! A virtual machine: QEMU with a kernel, an image and two serial ports. The first is the
//! console, kept in a file; the second is the guest's report, line by line.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Child,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::setup::Emulator;

/// The image lies in memory, and so does everything that tests write.
const MEMORY_MIB: u32 = 3072;

/// A running machine; killed when dropped.
pub(super) struct Machine {
    qemu: Child,
    lines: Receiver<String>,
    console: PathBuf,
    end: Instant,
}

/// Why no more lines come.
pub(super) enum Ended {
    /// The machine was switched off, or QEMU failed: its status.
    Off(String),
    /// It has had its time, and was killed.
    Late,
}

impl Machine {
    pub(super) fn boot(
        emulator: &Emulator,
        kernel: &Path,
        image: &Path,
        console: PathBuf,
        limit: Duration,
    ) -> Result<Self> {
        let mut qemu = emulator
            .qemu()
            .args(["-accel", "tcg", "-cpu", "max", "-smp", "1"])
            .args(["-m", &MEMORY_MIB.to_string()])
            .args(["-display", "none", "-monitor", "none", "-nodefaults"])
            .args(["-no-reboot", "-net", "none"])
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .args(["-serial", "stdio"])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(image)
            // A panic restarts the machine, which -no-reboot makes an end. On a busy host the timer
            // is late, which some kernels take for broken ("IO-APIC + timer doesn't work").
            .args([
                "-append",
                "console=ttyS0 loglevel=4 panic=-1 oops=panic no_timer_check",
            ])
            .spawn()?;
        let output = qemu.stdout.take().context("QEMU has an output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length != 0)
            {
                let text = String::from_utf8_lossy(&line);
                // Nobody listens any more when the machine is being killed.
                if sender
                    .send(text.trim_end_matches(['\n', '\r']).to_owned())
                    .is_err()
                {
                    return;
                }
                line.clear();
            }
        });
        Ok(Self {
            qemu,
            lines,
            console,
            end: Instant::now() + limit,
        })
    }

    /// The next line of the report.
    pub(super) fn line(&mut self) -> Result<String, Ended> {
        let left = self.end.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(Ended::Late)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Ended::Off(match self.qemu.wait() {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            })),
        }
    }

    /// The end of what is on the console, for a person.
    pub(super) fn last_words(&self) -> String {
        const LINES: usize = 40;
        let text = match fs::read(&self.console) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("{}: {error}", self.console.display()),
        };
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    fn kill(&mut self) {
        // One that has ended already is what we want.
        drop(self.qemu.kill());
        drop(self.qemu.wait());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}
