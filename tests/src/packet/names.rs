//! Names for MAC addresses, so that lines of text can be read.

use netctl_common::wire::Mac;

/// A small table, both ways. `all` is the broadcast address and `none` all zero.
#[derive(Clone, Debug)]
pub struct Names(Vec<(String, Mac)>);

impl Default for Names {
    fn default() -> Self {
        Self(vec![
            ("all".to_owned(), Mac::BROADCAST),
            ("none".to_owned(), Mac([0; 6])),
        ])
    }
}

impl Names {
    /// Names an address.
    #[must_use]
    pub fn with(mut self, name: &str, mac: Mac) -> Self {
        self.0.push((name.to_owned(), mac));
        self
    }

    /// By name, or as `aa:bb:cc:dd:ee:ff`.
    #[track_caller]
    pub fn mac(&self, text: &str) -> Mac {
        let named = self.0.iter().find(|(name, _)| name == text);
        match named {
            Some((_, mac)) => *mac,
            None => netctl::model::mac::parse(text)
                .unwrap_or_else(|| panic!("{text:?} is neither a name nor a MAC")),
        }
    }

    /// The name, or the address where it has none.
    pub fn name(&self, bytes: &[u8]) -> String {
        let Ok(octets) = <[u8; 6]>::try_from(bytes) else {
            return "?".to_owned();
        };
        let mac = Mac(octets);
        self.0
            .iter()
            .find(|(_, known)| *known == mac)
            .map_or_else(|| mac.to_string(), |(name, _)| name.clone())
    }
}
