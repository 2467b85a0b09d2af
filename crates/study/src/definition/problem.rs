//! What can be wrong with a study file, where, and what to do.

use std::io;
use std::path::PathBuf;

use super::Expectation;
use super::place::{Place, Step};
use crate::field::FieldConflict;
use crate::metric::Metric;
use crate::plan::Track;

/// A study file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The file cannot be read.
    #[error("cannot read the study {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no TOML, or not that of a study.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong there.
        message: String,
    },
    /// The file says something that makes no sense.
    #[error("{place}: {problem}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong there.
        problem: Box<Problem>,
    },
    /// The study cannot be written as TOML.
    #[error("cannot write the study as TOML: {0}")]
    Write(String),
    /// The file cannot be written.
    #[error("cannot save the study as {path}")]
    Save {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What the reader of a TOML file says, in words for who does not know Rust, on one line.
pub fn toml_message(error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', "; ");
    let Some((before, expected)) = message.rsplit_once("expected ") else {
        return message;
    };
    let words = match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number that is not negative",
        "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        _ => return message,
    };
    format!("{before}expected {words}")
}

/// Something in a study that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Nothing is compared.
    #[error("there are no contenders; list activations, as in contenders = [\"relu\", \"tanh\"]")]
    NoContenders,
    /// Two contenders have one name.
    #[error(
        "`{name}` is a contender already; leave it out, or give it another name = \"…\" in the study's file"
    )]
    SameContender {
        /// Which contender, from 0.
        index: usize,
        /// The name.
        name: String,
    },
    /// A name that cannot be shown.
    #[error("{name:?} is no name; write at least one character, and no control characters")]
    Name {
        /// The list that it is in.
        at: &'static str,
        /// Which contender or factor, from 0.
        index: usize,
        /// The name.
        name: String,
    },
    /// There are no runs.
    #[error("there are no seeds; write seeds = 10 for the seeds 0 to 9")]
    NoSeeds,
    /// One seed is there twice, which would count one run as two.
    #[error("a seed is listed twice; list each once")]
    SameSeed,
    /// A seed is beyond what a configuration file can hold.
    #[error("a seed is 2^63 or more; choose smaller ones")]
    LargeSeed,
    /// There are more seeds than can be meant.
    #[error("{count} seeds are too many; choose at most {most}")]
    ManySeeds {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Seeds of an earlier time are none.
    #[error("{problem}")]
    EarlierSeeds {
        /// Which of them, from 0.
        index: usize,
        /// What is wrong with them.
        problem: Box<Problem>,
    },
    /// An accuracy to be reached is none.
    #[error("{0} is no accuracy to be reached; write shares above 0 and at most 1, such as 0.98")]
    Accuracy(f64),
    /// Two factors have one name.
    #[error("`{name}` varies already; give this factor another name")]
    SameFactor {
        /// Which factor, from 0.
        index: usize,
        /// The name.
        name: String,
    },
    /// A factor has no values.
    #[error("the factor has no values; list them, as in values = [1, 2]")]
    NoValues {
        /// Which factor, from 0.
        index: usize,
    },
    /// A factor has another number of labels than of values.
    #[error("the factor has {labels} labels for {values} values; write one for each")]
    Labels {
        /// Which factor, from 0.
        index: usize,
        /// Number of labels.
        labels: usize,
        /// Number of values.
        values: usize,
    },
    /// A factor names no field.
    #[error(
        "the factor names no field; write field = \"…\", or make every value a table of fields and write labels = […]"
    )]
    NoField {
        /// Which factor, from 0.
        index: usize,
    },
    /// Two values of a factor are called the same.
    #[error("two values of the factor are called the same; write labels that differ")]
    SameValue {
        /// Which factor, from 0.
        index: usize,
    },
    /// There is nothing to tune with.
    #[error("there are no trials; list learning_rates, and let seeds_per_rate be at least 1")]
    NoTrials {
        /// The field that leaves none.
        field: &'static str,
    },
    /// The seeds of trials are none.
    #[error("{0}")]
    TrialSeeds(Box<Problem>),
    /// A learning rate is none, or is there twice.
    #[error("the learning rate {rate} is not positive or listed twice; list positive rates once")]
    LearningRate {
        /// The rate.
        rate: f64,
    },
    /// A trial has the seed of a final run.
    #[error("{seed} is a seed of both a trial and a final run; choose another first_seed")]
    TrialSeed {
        /// The seed.
        seed: u64,
    },
    /// A field is set twice.
    #[error(
        "{conflict}; set each field in one place only: by a contender, in fixed, by a factor, or by a track"
    )]
    Conflict {
        /// The part of the study that sets it the second time.
        at: &'static str,
        /// Which contender or factor, from 0.
        index: Option<usize>,
        /// What is set twice.
        conflict: FieldConflict,
    },
    /// A contender is named that there is not.
    #[error("there is no contender `{name}`; the contenders are {known}")]
    UnknownContender {
        /// The part of the verdict that names it.
        at: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Something is expected of the baseline.
    #[error(
        "`{name}` is the baseline, which is not compared with itself; expect something of others"
    )]
    BaselineExpected {
        /// The baseline.
        name: String,
    },
    /// A claim that nothing can contradict.
    #[error(
        "the claim expects nothing; write under [verdict.expect] what it says of contenders, such as tanh = \"better\""
    )]
    NoExpectation,
    /// Something is to be better by a metric that has no good direction.
    #[error(
        "`{expectation}` says nothing with the metric {metric}, of which neither more nor less is good in itself; expect higher, lower, not-higher, not-lower or equivalent, or set the direction"
    )]
    NoDirection {
        /// The contender.
        name: String,
        /// What is expected of it.
        expectation: Expectation,
        /// The metric.
        metric: Metric,
    },
    /// The verdict asks for a setting that there is not.
    #[error("there is no factor `{factor}`; {}", match known.as_str() {
        "" => String::from("there is no [[vary]]"),
        known => format!("the factors of [[vary]] are {known}"),
    })]
    UnknownFactor {
        /// The factor.
        factor: String,
        /// Those that there are.
        known: String,
    },
    /// The verdict asks for a label that a factor has not.
    #[error("`{factor}` is never `{label}`; its labels are {known}")]
    UnknownSetting {
        /// The factor.
        factor: String,
        /// The label.
        label: String,
        /// The labels that the factor has.
        known: String,
    },
    /// The verdict asks for a track that there is not.
    #[error("there is no {track} track; write a table [{track}], or choose the other track")]
    UnknownTrack {
        /// The track.
        track: Track,
    },
    /// A margin, level or power outside its range.
    #[error("{error}{}", usual(error))]
    Criterion {
        /// What is wrong with it.
        error: statistics::Error,
    },
}

/// The field under `verdict` that an error is about.
fn criterion(error: &statistics::Error) -> &'static str {
    match error {
        statistics::Error::Parameter { name, .. } => name.trim_start_matches("the "),
        _ => "",
    }
}

/// What a criterion is as a rule, after what is wrong with it.
fn usual(error: &statistics::Error) -> String {
    let statistics::Criteria { level, power, .. } = statistics::Criteria::default();
    match criterion(error) {
        "level" => format!("; {level} is usual"),
        "power" => format!("; {power} is usual"),
        _ => String::from(", in the unit of the metric"),
    }
}

impl Problem {
    /// The way to the value that causes the problem.
    pub(super) fn path(&self) -> Vec<Step> {
        let key = |key: &str| vec![Step::Key(key.to_owned())];
        let item = |list: &str, index: usize| vec![Step::Key(list.to_owned()), Step::Index(index)];
        let inner = |table: &str, inner: &str| {
            vec![Step::Key(table.to_owned()), Step::Key(inner.to_owned())]
        };
        match self {
            Self::NoContenders => key("contenders"),
            Self::SameContender { index, .. } => item("contenders", *index),
            Self::Name { at, index, .. } => item(at, *index),
            Self::NoSeeds | Self::SameSeed | Self::LargeSeed | Self::ManySeeds { .. } => {
                key("seeds")
            }
            Self::EarlierSeeds { index, .. } => item("earlier_seeds", *index),
            Self::Accuracy(_) => key("accuracies"),
            Self::SameFactor { index, .. }
            | Self::NoValues { index }
            | Self::Labels { index, .. }
            | Self::NoField { index }
            | Self::SameValue { index } => item("vary", *index),
            Self::NoTrials { field } => inner("tuned", field),
            Self::LearningRate { .. } => inner("tuned", "learning_rates"),
            Self::TrialSeed { .. } => inner("tuned", "first_seed"),
            Self::TrialSeeds(problem) => match **problem {
                Self::LargeSeed => inner("tuned", "first_seed"),
                _ => inner("tuned", "seeds_per_rate"),
            },
            Self::Conflict {
                at,
                index: Some(index),
                ..
            } => item(at, *index),
            Self::Conflict {
                at,
                index: None,
                conflict,
            } => {
                let mut path = key(at);
                path.extend(
                    conflict
                        .field
                        .split('.')
                        .map(|name| Step::Key(name.to_owned())),
                );
                path
            }
            Self::UnknownContender { at, name, .. } => {
                let mut path = inner("verdict", at);
                path.push(Step::Key(name.clone()));
                path
            }
            Self::NoExpectation => key("claim"),
            Self::BaselineExpected { name } | Self::NoDirection { name, .. } => {
                let mut path = inner("verdict", "expect");
                path.push(Step::Key(name.clone()));
                path
            }
            Self::UnknownFactor { factor, .. } | Self::UnknownSetting { factor, .. } => {
                let mut path = inner("verdict", "setting");
                path.push(Step::Key(factor.clone()));
                path
            }
            Self::UnknownTrack { .. } => inner("verdict", "track"),
            Self::Criterion { error } => inner("verdict", criterion(error)),
        }
    }
}
