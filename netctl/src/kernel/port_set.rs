//! A set of port numbers, read and written as ip_local_reserved_ports is: `80,9000-9010`.

use std::{fmt, io, str::FromStr};

use fixedbitset::FixedBitSet;

const PORTS: usize = 1 << 16;

#[derive(Clone, PartialEq, Eq)]
pub struct PortSet(FixedBitSet);

impl Default for PortSet {
    fn default() -> Self {
        Self(FixedBitSet::with_capacity(PORTS))
    }
}

impl PortSet {
    pub fn insert(&mut self, first: u16, last: u16) {
        self.0
            .insert_range(usize::from(first)..usize::from(last) + 1);
    }

    /// Whether it has a port of `first..=last`.
    pub fn meets(&self, first: u16, last: u16) -> bool {
        let range = usize::from(first)..usize::from(last) + 1;
        self.0.contains_any_in_range(range)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0)
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(&self.0 & &other.0)
    }

    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = self.0.clone();
        rest.difference_with(&other.0);
        Self(rest)
    }

    /// First and last of each run, ascending.
    pub fn ranges(&self) -> Vec<(u16, u16)> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for port in self.0.ones() {
            let port = port as u16;
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == port => *last = port,
                _ => ranges.push((port, port)),
            }
        }
        ranges
    }
}

impl FromStr for PortSet {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let mut set = Self::default();
        for item in text.trim().split(',').filter(|item| !item.is_empty()) {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => set.insert(first, last),
                _ => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("{item:?} is no range of ports"),
                    ));
                }
            }
        }
        Ok(set)
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.ranges().into_iter().map(range_name).collect();
        f.write_str(&names.join(","))
    }
}

/// `80` or `9000-9010`.
pub fn range_name((first, last): (u16, u16)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

/// At most a few ranges: what a plan or a log shows of it.
impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        match text.match_indices(',').nth(7) {
            Some((end, _)) => write!(f, "{},… ({} ports)", &text[..end], self.0.count_ones(..)),
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> PortSet {
        text.parse().unwrap()
    }

    #[test]
    fn is_read_and_written_as_the_kernel_does() {
        for text in ["", "0", "65535", "80,443", "8080,9000-9010,65530-65535"] {
            assert_eq!(set(&format!("{text}\n")).to_string(), text);
        }
        assert_eq!(set("1-2,3,4-5").to_string(), "1-5", "neighbours join");
        assert!("80,x".parse::<PortSet>().is_err());
        assert!("80-70000".parse::<PortSet>().is_err());
    }

    #[test]
    fn operations() {
        let (a, b) = (set("1-10"), set("5-20"));
        assert_eq!(a.union(&b), set("1-20"));
        assert_eq!(a.intersection(&b), set("5-10"));
        assert_eq!(a.difference(&b), set("1-4"));
        assert!(a.difference(&a).is_empty());
        assert!(a.meets(10, 20) && a.meets(0, 65535) && !a.meets(11, 65535) && !a.meets(0, 0));
        let many = set("1,3,5,7,9,11,13,15,17,19-20");
        assert_eq!(format!("{many:?}"), "1,3,5,7,9,11,13,15,… (11 ports)");
    }
}
