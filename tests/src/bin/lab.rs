//! Labs by hand: the demo.
fn main() {}
