//! Programs alone.
