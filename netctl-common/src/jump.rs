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
    SEARCH4 = 8, "search4";
    SEARCH6 = 9, "search6";
}

/// Entries of the JUMP array, with room for programs to come.
pub const SLOTS: u32 = 32;
