//! Programs that others jump to: their places in the JUMP array.
//!
//! A jump ends the program that makes it. What is rare, or would make the verifier check the
//! common walk many times over, stands in a program of its own.

macro_rules! jumps {
    ($($name:ident = $number:literal, $program:literal;)+) => {
        $(#[doc = concat!("Place of the program `", $program, "`.")] pub const $name: u32 = $number;)+

        /// Every place with the name of its program.
        pub const ALL: &[(u32, &str)] = &[$(($name, $program),)+];
    };
}

jumps! {
    FLOOD = 0, "flood";
    FROM_CONTAINER6 = 1, "from_container6";
    FROM_HOST6 = 2, "from_host6";
    FROM_UPLINK6 = 3, "from_uplink6";
    ND = 4, "nd";
    OPEN_FROM_CONTAINER6 = 5, "open_from_container6";
    CREATE4 = 6, "create4";
    CREATE6 = 7, "create6";
    ICMP_FROM_CONTAINER4 = 8, "icmp_from_container4";
    ICMP_FROM_CONTAINER6 = 9, "icmp_from_container6";
    ICMP_FROM_HOST4 = 10, "icmp_from_host4";
    ICMP_FROM_HOST6 = 11, "icmp_from_host6";
    ICMP_FROM_UPLINK4 = 12, "icmp_from_uplink4";
    ICMP_FROM_UPLINK6 = 13, "icmp_from_uplink6";
    ICMP_REPLY4 = 14, "icmp_reply4";
    ICMP_REPLY6 = 15, "icmp_reply6";
    HOLD = 16, "hold";
    RELEASE = 17, "release";
    FROM_CONTAINER4 = 18, "from_container";
    FROM_UPLINK4 = 19, "from_uplink4";
    SEARCH4 = 20, "search4";
    SEARCH6 = 21, "search6";
    SAMPLE4 = 22, "sample4";
    SAMPLE6 = 23, "sample6";
    CUT = 24, "cut";
    PIECES = 25, "pieces";
    ICMP_CHECK4 = 26, "icmp_check4";
    ICMP_CHECK6 = 27, "icmp_check6";
    HAIRPIN4 = 28, "hairpin4";
    HAIRPIN6 = 29, "hairpin6";
    SHIELD4 = 30, "shield4";
    SHIELD6 = 31, "shield6";
}

/// Entries of the JUMP array, with room for programs to come.
pub const SLOTS: u32 = 48;
