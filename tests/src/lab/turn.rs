//! Labs side by side share one kernel, and some of its tables are one for all namespaces: the
//! neighbour table above all (gc_thresh3). A lab that fills such a table runs alone.

use std::{
    cell::Cell,
    sync::{Condvar, Mutex, PoisonError},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    Shared(usize),
    Alone,
}

static NOW: Mutex<(Now, bool)> = Mutex::new((Now::Shared(0), false));
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// Turns that this thread has: one test may have several labs, and must not wait for itself.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// A place among the labs that run; given back when dropped.
pub(super) struct Turn {
    _private: (),
}

impl Turn {
    /// Beside others. Waits for one that runs, or waits to run, alone.
    pub(super) fn shared() -> Self {
        let own = OWN.get();
        let guard = NOW.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guard = CHANGED
            .wait_while(guard, |(now, wanted)| {
                own == 0 && (*now == Now::Alone || *wanted)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if let (Now::Shared(count), _) = &mut *guard {
            *count += 1;
        }
        OWN.set(own + 1);
        Self { _private: () }
    }

    /// Waits until no other lab runs; meanwhile none begins.
    pub(super) fn alone() -> Self {
        let mut guard = NOW.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1 = true;
        let mut guard = CHANGED
            .wait_while(guard, |(now, _)| *now != Now::Shared(0))
            .unwrap_or_else(PoisonError::into_inner);
        *guard = (Now::Alone, false);
        OWN.set(OWN.get() + 1);
        Self { _private: () }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut guard = NOW.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut guard.0 {
            Now::Shared(count) => *count = count.saturating_sub(1),
            now @ Now::Alone => *now = Now::Shared(0),
        }
        OWN.set(OWN.get().saturating_sub(1));
        CHANGED.notify_all();
    }
}
