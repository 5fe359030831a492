//! Single keys of a JSON file, changed in its text: order, indentation and everything else stay as
//! their owner wrote them.

use std::{fmt, ops::Range};

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

/// Why a text is no JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Line and column, from 1 on.
    pub(super) place: (usize, usize),
    pub(super) reason: String,
}

/// The text of an object, with the places of its values.
#[derive(Clone, Debug)]
pub(super) struct Object {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    /// Bytes of the value in the text.
    place: Range<usize>,
}

impl Object {
    /// An empty text is an object without keys, as the Engine takes it.
    pub(super) fn parse(text: &str) -> Result<Self, Bad> {
        let text = match text.trim().is_empty() {
            true => "{}\n",
            false => text,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = reader.deserialize_map(Entries);
        let found = found.and_then(|found| reader.end().map(|()| found));
        let found: Vec<(String, &RawValue)> = found.map_err(|error| {
            let told = error.to_string();
            let place = (error.line(), error.column());
            let suffix = format!(" at line {} column {}", place.0, place.1);
            Bad {
                place,
                reason: told.strip_suffix(&suffix).unwrap_or(&told).to_owned(),
            }
        })?;
        let entry = |(key, raw): (String, &RawValue)| {
            // A part of the same text.
            let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
            Entry {
                key,
                place: start..start + raw.get().len(),
            }
        };
        Ok(Self {
            entries: found.into_iter().map(entry).collect(),
            text: text.to_owned(),
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value; of a key that is there twice the last one, as Go reads it.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        let entry = &self.entries[self.position(key)?];
        serde_json::from_str(&self.text[entry.place.clone()]).ok()
    }

    /// Gives the key that value, or takes it out.
    pub(super) fn put(&mut self, key: &str, value: Option<&Value>) {
        let edited = match (value, self.position(key)) {
            (Some(value), Some(at)) => self.spliced(self.entries[at].place.clone(), value),
            (Some(value), None) => self.appended(key, value),
            (None, Some(at)) => self.without(at),
            (None, None) => return,
        };
        match Self::parse(&edited) {
            Ok(edited) => *self = edited,
            Err(bad) => unreachable!("{} {:?}: {edited}", bad.reason, bad.place),
        }
        // There twice.
        if value.is_none() {
            self.put(key, None);
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.key == key)
    }

    fn spliced(&self, place: Range<usize>, with: impl fmt::Display) -> String {
        let (before, after) = (&self.text[..place.start], &self.text[place.end..]);
        format!("{before}{with}{after}")
    }

    fn appended(&self, key: &str, value: &Value) -> String {
        let key = Value::from(key);
        let Some(last) = self.entries.last() else {
            let open = self.text.find('{').unwrap_or_default();
            let close = self.text.rfind('}').unwrap_or(self.text.len());
            let inside = format!("\n  {key}: {value}\n");
            return self.spliced(open + 1..close, inside);
        };
        let more = match self.indent() {
            Some(indent) => format!(",\n{indent}{key}: {value}"),
            None => format!(", {key}: {value}"),
        };
        self.spliced(last.place.end..last.place.end, more)
    }

    fn without(&self, at: usize) -> String {
        let end = self.entries[at].place.end;
        let rest = &self.text[end..];
        let removed = match at.checked_sub(1).map(|before| &self.entries[before]) {
            // With the comma before it.
            Some(before) => before.place.end..end,
            None => {
                let open = self.text.find('{').unwrap_or_default() + 1;
                match self.entries.len() {
                    1 => open..end + rest.find('}').unwrap_or_default(),
                    // With the comma after it.
                    _ => open..end + rest.find(',').map_or(0, |comma| comma + 1),
                }
            }
        };
        self.spliced(removed, "")
    }

    /// What the first key's line begins with; none: it is on the line of the brace.
    fn indent(&self) -> Option<&str> {
        let open = self.text.find('{')?;
        let first = &self.text[open + 1..];
        let white = &first[..first.find('"')?];
        Some(&white[white.rfind('\n')? + 1..])
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object, { \"key\": value, … }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(text: &str, key: &str, value: Option<Value>) -> String {
        let mut object = Object::parse(text).unwrap();
        object.put(key, value.as_ref());
        object.text().to_owned()
    }

    #[test]
    fn nothing_but_the_key_changes() {
        let text =
            "{\n\t\"dns\": [\"1.1.1.1\", \"8.8.8.8\"],\n\t\"iptables\" : true,\n\t\"mtu\": 1450 }";
        assert_eq!(
            edited(text, "iptables", Some(json!(false))),
            text.replace("true", "false")
        );
        assert_eq!(
            edited(text, "iptables", None),
            text.replace(",\n\t\"iptables\" : true", "")
        );
        assert_eq!(
            edited(text, "icc", Some(json!(false))),
            text.replace("1450", "1450,\n\t\"icc\": false")
        );
        assert_eq!(
            edited(text, "dns", None),
            "{\n\t\"iptables\" : true,\n\t\"mtu\": 1450 }"
        );
        assert_eq!(
            edited(text, "mtu", None),
            text.replace(",\n\t\"mtu\": 1450", "")
        );
        assert_eq!(edited(text, "none", None), text);
    }

    #[test]
    fn objects_of_one_line_and_of_nothing() {
        let set = |text| edited(text, "iptables", Some(json!(false)));
        assert_eq!(
            set(r#"{"mtu": 1450}"#),
            r#"{"mtu": 1450, "iptables": false}"#
        );
        assert_eq!(set("{}\n"), "{\n  \"iptables\": false\n}\n");
        assert_eq!(set("{ }"), "{\n  \"iptables\": false\n}");
        assert_eq!(set(" \n"), "{\n  \"iptables\": false\n}\n");
        assert_eq!(edited("{\"a\": {}}", "a", None), "{}");
        assert_eq!(edited("{\n  \"a\": 1\n}\n", "a", None), "{}\n");
    }

    #[test]
    fn a_key_that_is_there_twice_is_its_last_and_goes_as_a_whole() {
        let text = r#"{"a": 1, "b": 2, "a": 3}"#;
        assert_eq!(Object::parse(text).unwrap().get("a"), Some(json!(3)));
        assert_eq!(edited(text, "a", Some(json!(4))), text.replace('3', "4"));
        assert_eq!(edited(text, "a", None), r#"{ "b": 2}"#);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let bad = |text| Object::parse(text).unwrap_err();
        let comma = bad("{\n  \"a\": 1\n  \"b\": 2\n}");
        assert_eq!(comma.place, (3, 3));
        assert_eq!(comma.reason, "expected `,` or `}`");
        assert_eq!(bad("[1]").place, (1, 0));
        assert!(bad("[1]").reason.contains("an object"));
        assert_eq!(bad("{} {}").place, (1, 4));
        assert_eq!(bad("{\"a\": tru}").place, (1, 10));
    }
}
