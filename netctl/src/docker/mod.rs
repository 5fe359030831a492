//! Docker Engine: its bridge networks are adopted and served as they are.
//!
//! ```text
//! engine (API, events) ─► read ─► Facts ─┐
//!                                         ├─► translate ─► Model ─► service ─► …
//! kernel::adopted (bridges, veths) ───────┘
//! ```
//!
//! Nothing is ever written to the Engine. It asks nothing of us either: what it made goes on when
//! netctl ends, and what netctl serves goes on when the Engine ends.

mod adopt;
pub mod check;
mod early;
mod engine;
mod facts;
mod ports;
mod read;
pub mod setup;
mod translate;

pub use adopt::follow;
