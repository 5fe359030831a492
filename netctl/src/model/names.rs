//! Rules for the names of networks and namespaces.
//!
//! A namespace's name becomes a file in /run/netns and part of URLs and labels, so the rule is
//! one that needs no escaping anywhere. It is Docker's, with a limit on the length.

use thiserror::Error;

/// Characters that a name may have at most.
pub const MAX_LEN: usize = 64;

/// A name that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "name {input:?}: {reason}; use 1 to {MAX_LEN} of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", beginning with a letter or a digit"
)]
pub struct NameError {
    input: String,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Reason {
    #[error("it is empty")]
    Empty,
    #[error("it has {0} characters")]
    TooLong(usize),
    #[error("it begins with {0:?}")]
    Start(char),
    #[error("it contains {0:?}")]
    Character(char),
}

/// Checks a name of a network or a namespace.
pub fn check(name: &str) -> Result<(), NameError> {
    let reason = match reason(name) {
        Some(reason) => reason,
        None => return Ok(()),
    };
    // A 300-byte name is not repeated in whole.
    let mut input: String = name.chars().take(MAX_LEN).collect();
    if input.len() < name.len() {
        input.push('…');
    }
    Err(NameError { input, reason })
}

fn reason(name: &str) -> Option<Reason> {
    let Some(first) = name.chars().next() else {
        return Some(Reason::Empty);
    };
    let bad = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if let Some(c) = name.chars().find(bad) {
        return Some(Reason::Character(c));
    }
    if !first.is_ascii_alphanumeric() {
        return Some(Reason::Start(first));
    }
    let length = name.chars().count();
    (length > MAX_LEN).then_some(Reason::TooLong(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken() {
        for name in ["a", "0", "web-1.prod_x", &"n".repeat(MAX_LEN)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn every_refusal_names_input_reason_and_remedy() {
        let long = "n".repeat(300);
        for (name, reason) in [
            ("", "it is empty"),
            ("a/b", "it contains '/'"),
            ("..", "it begins with '.'"),
            ("-x", "it begins with '-'"),
            ("a\0b", "it contains '\\0'"),
            ("web🦀", "it contains '🦀'"),
            ("a b", "it contains ' '"),
            (long.as_str(), "it has 300 characters"),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(error.contains("use 1 to 64 of"), "{error}");
            assert!(error.len() < 300, "{error}");
        }
    }
}
