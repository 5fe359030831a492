//! ICMP and ICMPv6 errors: those of others are translated, what is refused here is answered.

pub(crate) mod check;
pub(crate) mod quote;
pub(crate) mod reply;
pub(crate) mod translate;
