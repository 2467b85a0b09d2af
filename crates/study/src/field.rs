//! Fields of a run's configuration, named by their dotted path.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Values of configuration fields: `optimizer.learning_rate` = 0.01.
///
/// A table of the configuration is never a value, only what is in it; a list is one value. So it does
/// not matter whether a file writes `network.preset = "small"`, `"network.preset" = "small"` or a
/// table `[network]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(BTreeMap<String, Value>);

/// A field is set twice, or both as a value and as a table of values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is set already{}", by(field, earlier))]
pub struct FieldConflict {
    /// What was to be set.
    pub field: String,
    /// What is there.
    pub earlier: String,
}

/// A field that has two values, in words: `not set` where it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// Its value in the first place.
    pub there: String,
    /// Its value in the second place.
    pub here: String,
}

impl Difference {
    /// The first field that differs.
    pub fn first(there: &Fields, here: &Fields) -> Option<Self> {
        Self::all(there, here).next()
    }

    /// All fields that differ; those that are set in the second place alone are last.
    pub(crate) fn all<'f>(there: &'f Fields, here: &'f Fields) -> impl Iterator<Item = Self> {
        let text = |fields: &Fields, field: &str| {
            let value = fields.0.get(field);
            value.map_or_else(|| String::from("not set"), Value::to_string)
        };
        let added = here
            .iter()
            .filter(|(field, _)| !there.0.contains_key(*field));
        let differences = there.iter().chain(added).map(move |(field, _)| Self {
            field: field.to_owned(),
            there: text(there, field),
            here: text(here, field),
        });
        differences.filter(|difference| difference.there != difference.here)
    }
}

/// What else a conflict is with, if not with the field itself.
fn by(field: &str, earlier: &str) -> String {
    if field == earlier {
        return String::new();
    }
    format!(", by `{earlier}`")
}

impl Fields {
    /// The fields of a table.
    ///
    /// # Errors
    ///
    /// If two spellings name the same field.
    pub fn from_table(table: &Table) -> Result<Self, FieldConflict> {
        let mut fields = Self::default();
        fields.insert_table("", table)?;
        Ok(fields)
    }

    /// Sets a field that is not set yet.
    ///
    /// # Errors
    ///
    /// If it is, or a part of it, or something that it is a part of.
    pub fn insert(&mut self, field: &str, value: Value) -> Result<(), FieldConflict> {
        if let Value::Table(table) = &value {
            return self.insert_table(field, table);
        }
        if let Some(earlier) = self.overlapping(field) {
            return Err(FieldConflict {
                field: field.to_owned(),
                earlier: earlier.to_owned(),
            });
        }
        self.0.insert(field.to_owned(), value);
        Ok(())
    }

    /// Sets all fields of `others`.
    ///
    /// # Errors
    ///
    /// As of [`Fields::insert`].
    pub fn extend(&mut self, others: &Self) -> Result<(), FieldConflict> {
        others
            .0
            .iter()
            .try_for_each(|(field, value)| self.insert(field, value.clone()))
    }

    /// The field that is `field`, is in it, or has it inside.
    pub fn overlapping(&self, field: &str) -> Option<&str> {
        let contains = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.0
            .keys()
            .map(String::as_str)
            .find(|set| contains(set, field) || contains(field, set))
    }

    /// All fields with their values, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value))
    }

    /// The fields as nested tables, as a configuration file has them.
    pub fn to_table(&self) -> Table {
        let mut root = Table::new();
        for (field, value) in &self.0 {
            let mut table = &mut root;
            let mut names = field.split('.').peekable();
            while let Some(name) = names.next() {
                if names.peek().is_none() {
                    table.insert(name.to_owned(), value.clone());
                } else if let Value::Table(inner) = table
                    .entry(name)
                    .or_insert_with(|| Value::Table(Table::new()))
                {
                    table = inner;
                } else {
                    // `insert` lets no field be both a value and a table.
                    break;
                }
            }
        }
        root
    }

    fn insert_table(&mut self, prefix: &str, table: &Table) -> Result<(), FieldConflict> {
        table.iter().try_for_each(|(name, value)| {
            if prefix.is_empty() {
                self.insert(name, value.clone())
            } else {
                self.insert(&format!("{prefix}.{name}"), value.clone())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Fields, FieldConflict> {
        Fields::from_table(&text.parse().unwrap())
    }

    #[test]
    fn all_spellings_are_one() {
        let nested = fields("epochs = 3\n[network]\npreset = \"small\"").unwrap();
        let dotted = fields("epochs = 3\nnetwork.preset = \"small\"").unwrap();
        let quoted = fields("epochs = 3\n\"network.preset\" = \"small\"").unwrap();
        assert_eq!(nested, dotted);
        assert_eq!(nested, quoted);
        assert_eq!(nested.to_table(), dotted.to_table());
        assert_eq!(Fields::from_table(&nested.to_table()).unwrap(), nested);
    }

    #[test]
    fn nothing_is_set_twice() {
        let mut set = fields("network.preset = \"small\"").unwrap();
        assert!(set.insert("network.preset", Value::Integer(1)).is_err());
        assert!(set.insert("network", Value::Integer(1)).is_err());
        assert!(set.insert("network.preset.x", Value::Integer(1)).is_err());
        assert!(set.insert("network.presets", Value::Integer(1)).is_ok());
        assert!(fields("\"a.b\" = 1\n[a]\nb = 2").is_err());
    }
}
