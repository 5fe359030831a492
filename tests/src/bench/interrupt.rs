//! Ctrl-C and SIGTERM: the run ends early and takes everything down that it has made.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use nix::sys::signal::{SigSet, Signal};

static CAUGHT: AtomicBool = AtomicBool::new(false);

/// From here on signals are caught. Before any other thread, which would get them.
pub fn watch() -> nix::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    thread::spawn(move || {
        while signals.wait().is_ok() {
            if CAUGHT.swap(true, Ordering::Relaxed) {
                // Asked twice: whoever asks wants the end more than order.
                std::process::exit(130);
            }
            eprintln!("ending early: taking the peers down (once more to end at once)");
        }
    });
    Ok(())
}

/// Whether the run is to end.
pub fn caught() -> bool {
    CAUGHT.load(Ordering::Relaxed)
}

/// [`caught`] as an error for what would begin now.
pub fn check() -> Result<(), String> {
    if caught() {
        return Err("the run was ended early".to_owned());
    }
    Ok(())
}
