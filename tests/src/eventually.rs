//! The one way to wait: ask again until it holds or a deadline has passed.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::patience::patient;

/// First pause between two questions; doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(50);

/// Asks `question` until it answers `Some`, at most for `limit` (times the patience).
pub fn eventually<T>(limit: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patient(limit);
    let mut pause = SHORTEST;
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        let now = Instant::now();
        if now >= end {
            return None;
        }
        thread::park_timeout(pause.min(end - now));
        pause = (pause * 2).min(LONGEST);
    }
}

/// Waits until `question` is true; panics with `what` when `limit` has passed.
#[track_caller]
pub fn wait_for(what: &str, limit: Duration, mut question: impl FnMut() -> bool) {
    assert!(
        eventually(limit, || question().then_some(())).is_some(),
        "waited {limit:?} in vain for: {what}"
    );
}
