//! The `[docker]` section of netctl.toml, changed with its comments kept.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::SetupError;
use crate::config::Config;

const SECTION: &str = "docker";

/// A configuration that is valid.
pub(super) struct Toml {
    document: DocumentMut,
}

impl Toml {
    /// `path`: for errors, which tell the line.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, SetupError> {
        Config::parse(text, path)?;
        let document = text.parse().map_err(|error| SetupError::Toml {
            path: path.to_owned(),
            source: Box::new(error),
        })?;
        Ok(Self { document })
    }

    pub(super) fn text(&self) -> String {
        self.document.to_string()
    }

    /// A switch of the section, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<bool> {
        let section = self.document.get(SECTION)?.as_table_like()?;
        section.get(key)?.as_bool()
    }

    /// Sets a switch of the section, or takes it out.
    pub(super) fn put(&mut self, key: &str, value: Option<bool>) {
        let Some(value) = value else {
            if let Some(section) = self.section() {
                section.remove(key);
            }
            return;
        };
        if self.section().is_none() {
            let table = Item::Table(Table::new());
            self.document.insert(SECTION, table);
        }
        let Some(section) = self.section() else {
            return;
        };
        match section.get_mut(key).and_then(Item::as_value_mut) {
            // A comment behind it stays.
            Some(old) => {
                let decor = old.decor().clone();
                *old = Value::from(value);
                *old.decor_mut() = decor;
            }
            None => drop(section.insert(key, toml_edit::value(value))),
        }
    }

    fn section(&mut self) -> Option<&mut dyn TableLike> {
        self.document.get_mut(SECTION)?.as_table_like_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, adopt: Option<bool>) -> String {
        let mut toml = Toml::parse(text, Path::new("netctl.toml")).unwrap();
        toml.put("adopt", adopt);
        let text = toml.text();
        let config = Config::parse(&text, Path::new("netctl.toml")).unwrap();
        assert_eq!(config.docker.adopt, adopt.unwrap_or_default());
        text
    }

    #[test]
    fn comments_stay() {
        let text = "# mine\n[docker] # of this host\nadopt = false # not yet\nicc = true\n";
        assert_eq!(
            edited(text, Some(true)),
            text.replace("adopt = false", "adopt = true")
        );
        assert_eq!(
            edited("[nat]\n\n# the end\n", Some(true)),
            "[nat]\n\n[docker]\nadopt = true\n\n# the end\n"
        );
        assert_eq!(edited("", Some(true)), "[docker]\nadopt = true\n");
        assert_eq!(
            edited("docker.icc = false\n", Some(true)),
            "docker.icc = false\ndocker.adopt = true\n"
        );
        assert_eq!(
            edited("docker = { icc = false }\n", Some(true)),
            "docker = { icc = false , adopt = true }\n"
        );
        assert_eq!(edited("[docker]\nadopt = true\n", None), "[docker]\n");
    }

    #[test]
    fn the_sample_can_be_switched() {
        let sample = include_str!("../../../../deploy/netctl.toml");
        let on = edited(sample, Some(true));
        assert_eq!(on.replacen("adopt = true\n", "", 1), sample);
    }

    #[test]
    fn what_netctl_would_not_read_is_refused_with_its_line() {
        let bad = Toml::parse("[docker]\nadpot = true\n", Path::new("/x/netctl.toml"));
        let told = bad.err().unwrap().to_string();
        assert!(told.contains("/x/netctl.toml, line 2"), "{told}");
    }
}
