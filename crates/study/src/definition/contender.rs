//! One of the functions that a study compares.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use super::ACTIVATION;
use crate::field::{FieldConflict, Fields};

/// One of the functions that a study compares: `"relu"`, or a table with a name or more fields:
/// `{ activation = "identity", name = "identity, layer", with = { network.normalization = "layer" } }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// The activation function with its parameters, as the program reads it: `leaky-relu:0.2`.
    pub activation: String,
    /// What it is called in reports, where that is not the activation.
    pub name: Option<String>,
    /// Further fields of the configuration that belong to this contender.
    pub with: Table,
}

/// The long form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    activation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    with: Table,
}

impl Contender {
    /// The contender that is nothing but an activation function.
    pub fn new(activation: &str) -> Self {
        Self {
            activation: activation.to_owned(),
            name: None,
            with: Table::new(),
        }
    }

    /// What it is called in reports.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.activation)
    }

    /// The fields of the configuration that it sets.
    pub(crate) fn fields(&self) -> Result<Fields, FieldConflict> {
        let mut fields = Fields::from_table(&self.with)?;
        fields.insert(ACTIVATION, Value::String(self.activation.clone()))?;
        Ok(fields)
    }
}

impl Serialize for Contender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.name.is_none() && self.with.is_empty() {
            return serializer.serialize_str(&self.activation);
        }
        let Self {
            activation,
            name,
            with,
        } = self.clone();
        Long {
            activation,
            name,
            with,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Contender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Contender;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"an activation such as "relu", or a table { activation = "relu", name = "…", with = { … } }"#)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Contender, E> {
                Ok(Contender::new(text))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Contender, M::Error> {
                let Long {
                    activation,
                    name,
                    with,
                } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Contender {
                    activation,
                    name,
                    with,
                })
            }
        }

        deserializer.deserialize_any(Either)
    }
}
