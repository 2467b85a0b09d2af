//! Names of runs, made from what decides their results.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

/// Digits of an identifier: 64 bits, so that among a million runs two share one with a probability
/// of 3 · 10⁻⁸.
const DIGITS: usize = 16;

/// The name of a run, and of its folder: 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// A text that is no [`RunId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no run, expected {DIGITS} hexadecimal digits in lower case")]
pub struct ParseRunIdError(String);

impl RunId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A number that is spread evenly over all runs.
    pub(crate) fn number(&self) -> u64 {
        u64::from_str_radix(&self.0, 16).unwrap_or_default()
    }
}

impl TryFrom<String> for RunId {
    type Error = ParseRunIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err(ParseRunIdError(text))
        }
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identifier of a run with this configuration: the beginning of its SHA-256.
///
/// `configuration` is everything that decides what the run computes, in one spelling: with defaults
/// filled in, and with fingerprints of the data instead of paths, which differ from machine to
/// machine. The order of keys does not matter; an integer is not the float of the same value.
pub fn id_of(configuration: &Table) -> RunId {
    let mut hasher = Sha256::new();
    absorb_table(&mut hasher, configuration);
    RunId(files::hex(&hasher.finalize()[..DIGITS / 2]))
}

/// A letter for the kind of value, its length where that differs, and its bytes, so that no two values
/// have the same encoding.
fn absorb(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::String(text) => absorb_bytes(hasher, b's', text.as_bytes()),
        Value::Datetime(time) => absorb_bytes(hasher, b'd', time.to_string().as_bytes()),
        Value::Integer(number) => {
            hasher.update(b"i");
            hasher.update(number.to_le_bytes());
        }
        Value::Float(number) => {
            hasher.update(b"f");
            // Adding zero makes −0 and 0 one value.
            hasher.update((number + 0.0).to_bits().to_le_bytes());
        }
        Value::Boolean(truth) => hasher.update([b'b', u8::from(*truth)]),
        Value::Array(values) => {
            hasher.update(b"a");
            hasher.update((values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| absorb(hasher, value));
        }
        Value::Table(table) => absorb_table(hasher, table),
    }
}

fn absorb_table(hasher: &mut Sha256, table: &Table) {
    hasher.update(b"t");
    hasher.update((table.len() as u64).to_le_bytes());
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    for (key, value) in entries {
        absorb_bytes(hasher, b's', key.as_bytes());
        absorb(hasher, value);
    }
}

fn absorb_bytes(hasher: &mut Sha256, kind: u8, bytes: &[u8]) {
    hasher.update([kind]);
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RunId {
        id_of(&text.parse().unwrap())
    }

    #[test]
    fn only_the_meaning_counts() {
        assert_eq!(
            id("a = 1\nb.c = 0.5\nb.d = \"x\""),
            id("b = { d = \"x\", c = 5e-1 }\na = 1 # so many")
        );
        let texts = [
            "",
            "a = 1",
            "a = 1.0",
            "a = \"1\"",
            "a = [1]",
            "a = [[], 1]",
            "a = [[1]]",
            "a = true",
            "b = 1",
            "a = {}",
        ];
        let ids: std::collections::BTreeSet<RunId> = texts.iter().map(|text| id(text)).collect();
        assert_eq!(ids.len(), texts.len());
        assert_eq!(id("a = -0.0"), id("a = 0.0"));
    }

    /// A change here would make every recorded run unknown.
    #[test]
    fn identifiers_are_stable() {
        assert_eq!(id("").as_str(), "198292266d6019da");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "..", "0123456789abcde", "0123456789ABCDEF"] {
            assert!(RunId::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
