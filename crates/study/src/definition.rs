//! What a study asks, as a TOML file: contenders, what is fixed, what varies, and how the verdict is
//! taken. It is written before the runs.

mod change;
mod check;
mod contender;
mod place;
mod problem;
mod seeds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use statistics::{Direction, pairs_for_significance};
use toml::{Table, Value};

use crate::field::Fields;
use crate::metric::Metric;
use crate::plan::Track;

/// Points closer together, as a share of an axis, are hard to tell apart.
const LEAST_GAP: f64 = 0.05;

pub use contender::Contender;
pub use place::Place;
pub use problem::{DefinitionError, Problem, toml_message};
pub use seeds::Seeds;

/// The configuration field that holds the activation function.
pub const ACTIVATION: &str = "network.activation";
/// The configuration field that holds the seed.
pub const SEED: &str = "seed";
/// The configuration field that holds the learning rate.
pub const LEARNING_RATE: &str = "optimizer.learning_rate";

/// A study. Every field of a run's configuration that it sets is set in one place only: by a contender,
/// in `fixed`, by a factor or by a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// A line that says what is compared.
    pub title: String,
    /// What is to be found out, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// What the results mean, in prose; paragraphs are separated by an empty line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub analysis: String,
    /// The activation functions, at least one; the first is the baseline unless `verdict` says
    /// otherwise.
    pub contenders: Vec<Contender>,
    /// The seeds of the runs, the same for every contender, so that runs are paired.
    #[serde(default)]
    pub seeds: Seeds,
    /// Other seeds that the study was made with before. A report says so, as a level allows for one look at
    /// the results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_seeds: Vec<Seeds>,
    /// Validation accuracies, 0 to 1, that times are taken to.
    #[serde(default = "accuracies")]
    pub accuracies: Vec<f64>,
    /// The statement on trial, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Statement>,
    /// Fields of the configuration that are the same in all runs, where they differ from the program's
    /// defaults.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub fixed: Table,
    /// What varies besides the contender. All combinations are run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vary: Vec<Factor>,
    /// The common recipe: fields that are the same for all contenders on this track. Without either
    /// track, there is a common one that sets nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<Table>,
    /// The tuned track: a learning rate for each contender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<Tuning>,
    /// How the verdict is taken.
    #[serde(default)]
    pub verdict: Criteria,
}

/// A statement that a study puts on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What is said.
    pub text: String,
    /// Where.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// Something that varies besides the contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// What it is called: `depth`.
    pub name: String,
    /// The field of the configuration: `network.preset`. Without one, every value is a table of several
    /// fields that vary together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the field becomes, in the order of figures and tables.
    pub values: Vec<Value>,
    /// What the values are called; needed where they are tables, otherwise by default what they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// The tuned track: every contender gets the same number of trials, each with one of the learning rates
/// of the grid, and its final runs use the rate with the highest mean validation accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// The grid.
    pub learning_rates: Vec<f64>,
    /// Trials with each rate, with seeds of their own. The budget of a contender is this times the
    /// number of rates, in every setting.
    #[serde(default = "one")]
    pub seeds_per_rate: usize,
    /// The first seed of the trials; none of them may be a seed of a final run.
    #[serde(default = "first_trial_seed")]
    pub first_seed: u64,
    /// Fields that are the same in all runs of the track, such as
    /// `network.initialization = "matched"`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub recipe: Table,
}

/// How the verdict is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Criteria {
    /// The contender that the others are compared with; by default the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What is compared.
    pub metric: Metric,
    /// Which scores are good; by default what the metric says. Where neither says so, contenders are
    /// higher or lower than the baseline, not better or worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The smallest difference that matters, in the unit of the metric; by default 0.001 (0.1
    /// percentage points) for accuracies, otherwise 0, with which nothing is equivalent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// How probable one or more wrong claims may be in all comparisons together.
    pub level: f64,
    /// The power that the number of seeds advised and the minimum detectable effect are computed for.
    pub power: f64,
    /// The track that decides; by default the tuned one where there is one. The other is shown too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<Track>,
    /// The setting that decides, as labels by factor: `{ depth = "20" }`. Factors that are left out
    /// count with all their values; what does not decide is shown as exploratory.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "labels")]
    pub setting: BTreeMap<String, String>,
    /// What the claim expects of contenders, by name, against the baseline. A claim expects something
    /// of one contender or more.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, Expectation>,
}

/// What a claim expects of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// Better than the baseline.
    Better,
    /// Worse than the baseline.
    Worse,
    /// Equivalent within the margin.
    Equivalent,
    /// Worse or equivalent.
    NotBetter,
    /// Better or equivalent.
    NotWorse,
    /// A higher score than the baseline's, whether that is good or not.
    Higher,
    /// A lower score.
    Lower,
    /// Lower or equivalent.
    NotHigher,
    /// Higher or equivalent.
    NotLower,
}

fn accuracies() -> Vec<f64> {
    vec![0.9, 0.95, 0.98, 0.99]
}

fn one() -> usize {
    1
}

fn first_trial_seed() -> u64 {
    Tuning::FIRST_SEED
}

impl Tuning {
    /// The first seed of trials unless a study says otherwise, far from those of final runs.
    pub const FIRST_SEED: u64 = 1_000_000;
}

impl Default for Criteria {
    fn default() -> Self {
        let statistics::Criteria { level, power, .. } = statistics::Criteria::default();
        Self {
            baseline: None,
            metric: Metric::default(),
            direction: None,
            margin: None,
            level,
            power,
            track: None,
            setting: BTreeMap::new(),
            expect: BTreeMap::new(),
        }
    }
}

impl Expectation {
    /// Whether it says which scores are good.
    pub(crate) fn needs_direction(self) -> bool {
        matches!(
            self,
            Self::Better | Self::Worse | Self::NotBetter | Self::NotWorse
        )
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Equivalent => "equivalent",
            Self::NotBetter => "not better",
            Self::NotWorse => "not worse",
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NotHigher => "not higher",
            Self::NotLower => "not lower",
        })
    }
}

impl Criteria {
    /// Which scores are good, if the study or its metric says so.
    pub fn direction(&self) -> Option<Direction> {
        self.direction.or(self.metric.direction())
    }

    /// The criteria in numbers. Where no direction is good, higher scores come first.
    pub fn statistics(&self) -> statistics::Criteria {
        statistics::Criteria {
            direction: self.direction().unwrap_or(Direction::HigherIsBetter),
            margin: self.margin.unwrap_or(self.metric.margin()),
            level: self.level,
            power: self.power,
            seed: 0,
        }
    }
}

impl Factor {
    /// What the values are called, one label for each.
    pub fn labels(&self) -> Vec<String> {
        if self.labels.is_empty() {
            self.values.iter().map(label).collect()
        } else {
            self.labels.clone()
        }
    }

    /// The values as numbers, by which they can be placed along an axis: at least three that rise, none of them
    /// too close to the next to be told apart.
    pub(crate) fn numbers(&self) -> Option<Vec<f64>> {
        let number = |label: &String| label.replace(',', "").parse().ok();
        let numbers: Vec<f64> = self.labels().iter().map(number).collect::<Option<_>>()?;
        let [first, _, .., last] = numbers[..] else {
            return None;
        };
        let apart = LEAST_GAP * (last - first);
        let are_apart = numbers.windows(2).all(|pair| pair[1] - pair[0] > apart);
        (numbers.len() >= 3 && apart > 0.0 && are_apart).then_some(numbers)
    }
}

/// What values are called, which may be written as such: `{ epochs = 2 }`.
fn labels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
    Ok(values
        .into_iter()
        .map(|(factor, value)| (factor, label(&value)))
        .collect())
}

/// A value as a reader would write it: texts without quotes.
fn label(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Study {
    /// A study that compares these activation functions, the first with all others, with the seeds 0 to
    /// `seeds` − 1 and the program's default recipe.
    ///
    /// # Errors
    ///
    /// If there are no contenders or seeds, or one contender twice.
    pub fn compare<T: AsRef<str>>(contenders: &[T], seeds: usize) -> Result<Self, Problem> {
        let names: Vec<&str> = contenders.iter().map(AsRef::as_ref).collect();
        let study = Self {
            title: match names.len() {
                0..=6 => format!("Comparison of {}", listed(&names)),
                many => format!("Comparison of {many} activation functions"),
            },
            question: String::new(),
            analysis: String::new(),
            contenders: names.into_iter().map(Contender::new).collect(),
            seeds: Seeds::Count(seeds),
            earlier_seeds: Vec::new(),
            accuracies: accuracies(),
            claim: None,
            fixed: Table::new(),
            vary: Vec::new(),
            common: None,
            tuned: None,
            verdict: Criteria::default(),
        };
        study.check()?;
        Ok(study)
    }

    /// Reads a study file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or makes no sense; the error names file, line and column.
    pub fn read(path: &Path) -> Result<Self, DefinitionError> {
        let text = std::fs::read_to_string(path).map_err(|source| DefinitionError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// The fewest seeds with which a difference of any size could be shown: all of them agreeing, in all
    /// comparisons that the verdict asks for. `None` where no number would do, or nothing is compared.
    pub fn fewest_seeds(&self) -> Option<usize> {
        let level = self.verdict.statistics().level;
        pairs_for_significance(level, self.comparisons()).ok()?
    }

    /// How many comparisons the verdict asks for: every contender with the baseline, in every setting that
    /// decides.
    pub fn comparisons(&self) -> usize {
        let open = self
            .vary
            .iter()
            .filter(|factor| !self.verdict.setting.contains_key(&factor.name));
        let settings = open.map(|factor| factor.values.len());
        let others = self.contenders.len().saturating_sub(1);
        settings.fold(others, usize::saturating_mul)
    }

    /// Reads a study from the text of the file `path`.
    ///
    /// # Errors
    ///
    /// As of [`Study::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, DefinitionError> {
        let study: Self = toml::from_str(text).map_err(|error| DefinitionError::Syntax {
            place: Place::new(path, text, error.span()),
            message: toml_message(&error),
        })?;
        study.check().map_err(|problem| DefinitionError::Invalid {
            place: Place::new(path, text, place::span(text, &problem.path())),
            problem: Box::new(problem),
        })?;
        Ok(study)
    }

    /// The study as the text of a file.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as TOML, such as a number beyond 2⁶³.
    pub fn to_toml(&self) -> Result<String, DefinitionError> {
        toml::to_string_pretty(self).map_err(|error| DefinitionError::Write(error.to_string()))
    }

    /// Saves the study as a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DefinitionError> {
        let text = self.to_toml()?;
        files::write_atomically(path, text.as_bytes()).map_err(|error| DefinitionError::Save {
            path: path.to_owned(),
            source: error.source,
        })
    }

    /// The tracks, the common one first.
    pub fn tracks(&self) -> Vec<Track> {
        let common = self.common.is_some() || self.tuned.is_none();
        [
            common.then_some(Track::Common),
            self.tuned.is_some().then_some(Track::Tuned),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The fields, besides the learning rate, that the common recipe and the tuned one set differently.
    pub(crate) fn recipes_differ_in(&self) -> Vec<String> {
        let fields = |table: Option<&Table>| {
            // `Study::check` has found them to be without conflict.
            table.and_then(|table| Fields::from_table(table).ok())
        };
        let common = fields(self.common.as_ref()).unwrap_or_default();
        let tuned = fields(self.tuned.as_ref().map(|tuned| &tuned.recipe)).unwrap_or_default();
        let differs = |&(field, value): &(&str, &Value)| {
            field != LEARNING_RATE
                && !(common.iter().any(|other| other == (field, value))
                    && tuned.iter().any(|other| other == (field, value)))
        };
        let all = common.iter().chain(tuned.iter());
        let names: BTreeSet<String> = all
            .filter(differs)
            .map(|(field, _)| field.to_owned())
            .collect();
        names.into_iter().collect()
    }

    /// What the tuned recipe changes besides the learning rate, after words about that: ` and another
    /// value of epochs`; empty if nothing.
    pub(crate) fn recipe_differences_text(&self) -> String {
        match self.recipes_differ_in()[..] {
            [] => String::new(),
            ref fields => format!(" and another value of {}", listed(fields)),
        }
    }

    /// The track that decides.
    pub fn deciding_track(&self) -> Track {
        self.verdict.track.unwrap_or(if self.tuned.is_some() {
            Track::Tuned
        } else {
            Track::Common
        })
    }

    /// The name of the contender that the others are compared with; empty if there are none.
    pub fn baseline(&self) -> &str {
        let first = || self.contenders.first().map_or("", Contender::name);
        self.verdict.baseline.as_deref().unwrap_or_else(first)
    }
}

/// Sets `field`, or, without a name, the fields of a table.
pub(crate) fn insert(
    fields: &mut Fields,
    field: &str,
    value: &Value,
) -> Result<(), crate::field::FieldConflict> {
    match value {
        Value::Table(table) if field.is_empty() => fields.extend(&Fields::from_table(table)?),
        _ => fields.insert(field, value.clone()),
    }
}

/// `a, b and c`.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}
