//! Where in a study's file something is written.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Study, insert};
use crate::field::{FieldConflict, Fields};
use crate::plan::{RunSpec, Track};

/// A place in a file: `experiments/tutorial.toml:12:3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Line and column, both from 1, the column in characters; none where the whole file is meant.
    pub position: Option<(usize, usize)>,
}

impl Place {
    /// The place of these bytes of a file's text.
    pub fn new(path: &Path, text: &str, span: Option<Range<usize>>) -> Self {
        let position = span.and_then(|span| {
            let before = text.get(..span.start)?;
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
            Some((line, column))
        });
        Self {
            path: path.to_owned(),
            position,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// One step on the way to a value in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn key(name: &str) -> Self {
        Self::Key(name.to_owned())
    }
}

impl Study {
    /// Where the study, which is the `text` of the file `path`, sets a field of this run's configuration;
    /// the file alone where it does not say so.
    pub fn place_of(&self, field: &str, spec: &RunSpec, path: &Path, text: &str) -> Place {
        let span = self.way_to(field, spec).and_then(|way| span(text, &way));
        Place::new(path, text, span)
    }

    /// The way to what sets the field of this run: one place, as the study makes sense.
    fn way_to(&self, field: &str, spec: &RunSpec) -> Option<Vec<Step>> {
        let sets = |fields: Result<Fields, FieldConflict>| {
            fields.is_ok_and(|fields| fields.overlapping(field).is_some())
        };
        for (index, contender) in self.contenders.iter().enumerate() {
            if contender.name() == spec.contender && sets(contender.fields()) {
                return Some(vec![Step::key("contenders"), Step::Index(index)]);
            }
        }
        for (index, factor) in self.vary.iter().enumerate() {
            let label = spec.setting.0.get(&factor.name);
            let mut labels = factor.labels().into_iter();
            let Some(value) = labels.position(|each| Some(&each) == label) else {
                continue;
            };
            let mut fields = Fields::default();
            let name = factor.field.as_deref().unwrap_or_default();
            if sets(insert(&mut fields, name, &factor.values[value]).map(|()| fields)) {
                return Some(vec![
                    Step::key("vary"),
                    Step::Index(index),
                    Step::key("values"),
                    Step::Index(value),
                ]);
            }
        }
        let track = match spec.track {
            Track::Common => (vec!["common"], self.common.as_ref()),
            Track::Tuned => (
                vec!["tuned", "recipe"],
                self.tuned.as_ref().map(|tuned| &tuned.recipe),
            ),
        };
        let tables = [(vec!["fixed"], Some(&self.fixed)), track];
        let (names, _) = tables
            .into_iter()
            .find(|(_, table)| table.is_some_and(|table| sets(Fields::from_table(table))))?;
        let names = names.into_iter().chain(field.split('.'));
        Some(names.map(Step::key).collect())
    }
}

/// Where the file says what is at the end of this way, or as far along it as there is something.
pub(super) fn span(text: &str, way: &[Step]) -> Option<Range<usize>> {
    fn walk(value: &DeValue<'_>, steps: &[Step]) -> Option<Range<usize>> {
        let (step, rest) = steps.split_first()?;
        match (step, value) {
            (Step::Key(key), DeValue::Table(table)) => in_table(table, key, rest),
            (Step::Index(index), DeValue::Array(values)) => {
                let value = values.get(*index)?;
                walk(value.get_ref(), rest).or(Some(value.span()))
            }
            _ => None,
        }
    }
    fn in_table(table: &DeTable<'_>, key: &str, rest: &[Step]) -> Option<Range<usize>> {
        let (key, value) = table.get_key_value(key)?;
        walk(value.get_ref(), rest).or(Some(match value.get_ref() {
            // The span of a table can be that of all that is in it.
            DeValue::Table(_) => key.span(),
            _ => value.span(),
        }))
    }
    let table = DeTable::parse(text).ok()?;
    match way.split_first()? {
        (Step::Key(key), rest) => in_table(table.get_ref(), key, rest),
        (Step::Index(_), _) => None,
    }
}
