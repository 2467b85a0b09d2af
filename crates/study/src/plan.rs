//! Which runs a study needs, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::definition::{self, Contender, LEARNING_RATE, Problem, SEED, Study};
use crate::field::{FieldConflict, Fields};
use crate::id::{RunId, id_of};
use crate::metric::Metric;
use crate::record::RunRecord;
use crate::records::Records;

/// How the learning rate is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Track {
    /// One recipe for all contenders.
    Common,
    /// A learning rate for each contender, from the same number of trials.
    Tuned,
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Common => "common",
            Self::Tuned => "tuned",
        })
    }
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Tries a learning rate. Scored on the validation images only.
    Trial,
    /// Counts. Scored on the test images once.
    Final,
}

/// The value of every factor of a study, as labels by factor.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Setting(pub BTreeMap<String, String>);

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (factor, label)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{factor} {label}")?;
        }
        Ok(())
    }
}

/// A run of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// What the run is known by within its study: the identifier of `overrides`.
    pub key: RunId,
    /// Name of the contender.
    pub contender: String,
    /// Its activation function.
    pub activation: String,
    /// The values of the factors.
    #[serde(default)]
    pub setting: Setting,
    /// Which track it belongs to.
    pub track: Track,
    /// What it is for.
    pub stage: Stage,
    /// The learning rate that it tries, or that was chosen for it; none on the common track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The seed of all its random draws.
    pub seed: u64,
    /// All fields of the run's configuration that the study sets, as nested tables: activation and seed
    /// too. What is left out has the program's defaults.
    pub overrides: Table,
}

/// The learning rate of a contender in a setting of the tuned track.
#[derive(Clone, Debug, PartialEq)]
pub struct RateChoice {
    /// Name of the contender.
    pub contender: String,
    /// The values of the factors.
    pub setting: Setting,
    /// What came of each rate of the grid, in its order.
    pub trials: Vec<RateScore>,
    /// The rate chosen: none before all trials are there, or if none of them has a score.
    pub chosen: Option<f64>,
    /// Whether it is the smallest or the largest of several rates, so that a still better one may lie
    /// outside the grid.
    pub at_edge: bool,
    /// Whether all trials are there.
    pub is_complete: bool,
}

/// What came of the trials with one learning rate.
#[derive(Clone, Debug, PartialEq)]
pub struct RateScore {
    /// The rate.
    pub learning_rate: f64,
    /// Validation accuracy of each trial at its chosen epoch; that of chance for one that diverged.
    pub accuracies: Vec<f64>,
    /// Trials that have no score, as they failed or are not there yet.
    pub missing: usize,
}

/// The runs of a study.
#[derive(Clone, Debug)]
pub struct Plan {
    study: Study,
    settings: Vec<(Setting, Fields)>,
}

impl Plan {
    /// The plan of a study.
    ///
    /// # Errors
    ///
    /// If the study makes no sense.
    pub fn new(study: &Study) -> Result<Self, Problem> {
        study.check()?;
        let conflict = |conflict| Problem::Conflict {
            at: "vary",
            index: None,
            conflict,
        };
        let mut settings = vec![(Setting::default(), Fields::default())];
        for factor in &study.vary {
            let field = factor.field.as_deref().unwrap_or_default();
            let mut product = Vec::new();
            for (setting, fields) in &settings {
                for (label, value) in factor.labels().into_iter().zip(&factor.values) {
                    let (mut setting, mut fields) = (setting.clone(), fields.clone());
                    setting.0.insert(factor.name.clone(), label);
                    definition::insert(&mut fields, field, value).map_err(conflict)?;
                    product.push((setting, fields));
                }
            }
            settings = product;
        }
        Ok(Self {
            study: study.clone(),
            settings,
        })
    }

    /// The study.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// All settings, in the order of the study's factors, the last one varying fastest.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter().map(|(setting, _)| setting)
    }

    /// Whether the verdict is taken from this setting.
    pub fn decides(&self, setting: &Setting) -> bool {
        let asked = &self.study.verdict.setting;
        asked
            .iter()
            .all(|(factor, label)| setting.0.get(factor) == Some(label))
    }

    /// All trials of the tuned track: seed by seed, so that early results are about all contenders.
    pub fn trials(&self) -> Vec<RunSpec> {
        let Some(tuned) = &self.study.tuned else {
            return Vec::new();
        };
        let mut specs = Vec::new();
        for seed in (tuned.first_seed..).take(tuned.seeds_per_rate) {
            for (setting, _) in &self.settings {
                for contender in &self.study.contenders {
                    for &rate in &tuned.learning_rates {
                        specs.extend(self.spec(
                            contender,
                            setting,
                            Track::Tuned,
                            Stage::Trial,
                            Some(rate),
                            seed,
                        ));
                    }
                }
            }
        }
        specs
    }

    /// The learning rates of the tuned track, by setting and contender: the one with the highest mean
    /// validation accuracy of its trials, of equals the smallest.
    pub fn choices(&self, records: &Records) -> Vec<RateChoice> {
        let Some(tuned) = &self.study.tuned else {
            return Vec::new();
        };
        // Each list of trials by contender, setting, and bits of the rate.
        let mut trials: BTreeMap<(&str, &Setting, u64), Vec<Option<&RunRecord>>> = BTreeMap::new();
        let specs = self.trials();
        for spec in &specs {
            let bits = spec.learning_rate.unwrap_or_default().to_bits();
            let place = (spec.contender.as_str(), &spec.setting, bits);
            trials
                .entry(place)
                .or_default()
                .push(records.answering(spec));
        }
        let mut choices = Vec::new();
        for (setting, _) in &self.settings {
            for contender in &self.study.contenders {
                let scores = tuned.learning_rates.iter().map(|&rate| {
                    let place = (contender.name(), setting, rate.to_bits());
                    let runs = trials.get(&place).map_or(&[][..], Vec::as_slice);
                    (RateScore::new(rate, runs), runs.contains(&None))
                });
                let (scores, incomplete): (Vec<_>, Vec<_>) = scores.unzip();
                let complete = !incomplete.contains(&true);
                choices.push(RateChoice::new(contender.name(), setting, scores, complete));
            }
        }
        choices
    }

    /// All runs that are known to be needed by now: the trials, then the final runs, seed by seed. Those
    /// of a contender on the tuned track are known once all its trials in that setting are there.
    pub fn known(&self, records: &Records) -> Vec<RunSpec> {
        let choices = self.choices(records);
        let chosen: BTreeMap<(&str, &Setting), f64> = choices
            .iter()
            .filter_map(|choice| {
                let place = (choice.contender.as_str(), &choice.setting);
                Some((place, choice.chosen?))
            })
            .collect();
        let mut specs = self.trials();
        for seed in self.study.seeds.list() {
            for track in self.study.tracks() {
                for (setting, _) in &self.settings {
                    for contender in &self.study.contenders {
                        let rate = chosen.get(&(contender.name(), setting)).copied();
                        if track == Track::Tuned && rate.is_none() {
                            continue;
                        }
                        let rate = rate.filter(|_| track == Track::Tuned);
                        specs.extend(self.spec(
                            contender,
                            setting,
                            track,
                            Stage::Final,
                            rate,
                            seed,
                        ));
                    }
                }
            }
        }
        specs
    }

    /// The runs that can be made now, in the order in which they should be: those known to be needed
    /// that no record answers. Empty when the study is complete.
    ///
    /// Runs that failed are results, and are not made again, but for [`Store::forget_failed`]. Two runs
    /// with the same configuration are one, and are asked for once.
    ///
    /// [`Store::forget_failed`]: crate::Store::forget_failed
    pub fn pending(&self, records: &Records) -> Vec<RunSpec> {
        let mut seen = BTreeSet::new();
        let mut specs = self.known(records);
        specs.retain(|spec| records.answering(spec).is_none() && seen.insert(spec.key.clone()));
        specs
    }

    /// The runs that failed, of those known to be needed by now. That some have diverged is a result.
    pub fn failed<'r>(&self, records: &'r Records) -> BTreeSet<&'r RunId> {
        self.known(records)
            .iter()
            .filter_map(|spec| records.answering(spec))
            .filter(|run| run.has_failed())
            .map(|run| &run.id)
            .collect()
    }

    /// How many runs are done, of those known to be needed by now, however they ended.
    pub fn done(&self, records: &Records) -> usize {
        let known = self.known(records);
        let done = known
            .iter()
            .filter(|spec| records.answering(spec).is_some());
        done.count()
    }

    /// How many runs the study has in all, trials included. If runs of both tracks turn out to be the
    /// same, fewer have to be made.
    pub fn total(&self) -> usize {
        let per_seed = self.settings.len() * self.study.contenders.len();
        self.trials().len() + per_seed * self.study.tracks().len() * self.study.seeds.list().len()
    }

    fn spec(
        &self,
        contender: &Contender,
        setting: &Setting,
        track: Track,
        stage: Stage,
        learning_rate: Option<f64>,
        seed: u64,
    ) -> Option<RunSpec> {
        // `Study::check` has tried all these combinations, so that none is left out here.
        let overrides = self
            .overrides(contender, setting, track, learning_rate, seed)
            .ok()?
            .to_table();
        Some(RunSpec {
            key: id_of(&overrides),
            contender: contender.name().to_owned(),
            activation: contender.activation.clone(),
            setting: setting.clone(),
            track,
            stage,
            learning_rate,
            seed,
            overrides,
        })
    }

    fn overrides(
        &self,
        contender: &Contender,
        setting: &Setting,
        track: Track,
        learning_rate: Option<f64>,
        seed: u64,
    ) -> Result<Fields, FieldConflict> {
        let mut fields = contender.fields()?;
        fields.extend(&Fields::from_table(&self.study.fixed)?)?;
        if let Some((_, values)) = self.settings.iter().find(|(known, _)| known == setting) {
            fields.extend(values)?;
        }
        let recipe = match track {
            Track::Common => self.study.common.as_ref(),
            Track::Tuned => self.study.tuned.as_ref().map(|tuned| &tuned.recipe),
        };
        if let Some(recipe) = recipe {
            fields.extend(&Fields::from_table(recipe)?)?;
        }
        if let Some(rate) = learning_rate {
            fields.insert(LEARNING_RATE, Value::Float(rate))?;
        }
        // `Study::check` keeps seeds below 2⁶³.
        fields.insert(SEED, Value::Integer(seed as i64))?;
        Ok(fields)
    }
}

impl RateScore {
    fn new(learning_rate: f64, runs: &[Option<&RunRecord>]) -> Self {
        let accuracies: Vec<f64> = runs
            .iter()
            .flatten()
            .filter_map(|run| Metric::ValidationAccuracy.value(run).number())
            .collect();
        Self {
            learning_rate,
            missing: runs.len() - accuracies.len(),
            accuracies,
        }
    }

    /// The mean accuracy of its trials; none if they have no scores.
    pub fn mean(&self) -> Option<f64> {
        statistics::mean(&self.accuracies).ok()
    }
}

impl RateChoice {
    fn new(contender: &str, setting: &Setting, trials: Vec<RateScore>, complete: bool) -> Self {
        // Without the trials that failed, rates would be compared on different images.
        let has_whole = trials.iter().any(|score| score.missing == 0);
        let best = trials
            .iter()
            .filter(|score| score.missing == 0 || !has_whole)
            .filter_map(|score| Some((score.mean()?, score.learning_rate)))
            .reduce(|best, other| {
                let better = other.0 > best.0 || (other.0 == best.0 && other.1 < best.1);
                if better { other } else { best }
            });
        let chosen = best.map(|(_, rate)| rate).filter(|_| complete);
        let rates = || trials.iter().map(|score| score.learning_rate);
        let is_end =
            |chosen: f64| rates().all(|rate| rate >= chosen) || rates().all(|rate| rate <= chosen);
        // Of several that are best, one may lie inside.
        let at_edge = best.is_some_and(|(highest, _)| {
            let are_best = trials.iter().filter(|score| score.mean() == Some(highest));
            chosen.is_some()
                && trials.iter().any(|score| score.mean() != Some(highest))
                && are_best.clone().all(|score| is_end(score.learning_rate))
        });
        Self {
            contender: contender.to_owned(),
            setting: setting.clone(),
            trials,
            chosen,
            at_edge,
            is_complete: complete,
        }
    }

    /// Whether the trials tell the chosen rate from the one of `other`: whether the 95 % interval of the
    /// mean difference, by Student's t over the seeds of the trials, lies above zero. It is not corrected
    /// for the number of rates. False for the chosen rate itself, where one is not chosen, and for a
    /// single seed.
    pub fn is_told_from(&self, other: &RateScore) -> bool {
        let chosen = self
            .trials
            .iter()
            .find(|trial| Some(trial.learning_rate) == self.chosen);
        let Some(chosen) = chosen.filter(|chosen| chosen.missing == 0 && other.missing == 0) else {
            return false;
        };
        let told = || {
            let differences =
                statistics::paired_differences(&chosen.accuracies, &other.accuracies)?;
            let deviation = statistics::standard_deviation(&differences)?;
            let count = differences.len();
            let error = deviation / (count as f64).sqrt();
            let reach = statistics::t_multiplier(count, 0.05)? * error;
            Ok::<_, statistics::Error>(statistics::mean(&differences)? > reach)
        };
        told().unwrap_or(false)
    }

    /// The rates of the grid that may be as good as the chosen one.
    pub fn rivals(&self) -> impl Iterator<Item = &RateScore> {
        self.trials.iter().filter(|trial| {
            self.chosen
                .is_some_and(|chosen| chosen != trial.learning_rate)
                && !trial.accuracies.is_empty()
                && !self.is_told_from(trial)
        })
    }

    /// Whether there is a trial.
    pub(crate) fn is_begun(&self) -> bool {
        let has_score = |trial: &RateScore| !trial.accuracies.is_empty();
        self.is_complete || self.trials.iter().any(has_score)
    }

    /// Whether no rate will ever be chosen, as all trials failed.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_complete && self.chosen.is_none()
    }
}

/// One of several processes, on any machines that share a folder, that work on one study. Written as
/// `2/3`, the second of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

/// A text that is no [`Shard`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share of a study, expected I/N with I from 1 to N, such as 2/3")]
pub struct ParseShardError(String);

impl FromStr for Shard {
    type Err = ParseShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseShardError(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(error)?;
        let index: u64 = index.parse().map_err(|_| error())?;
        let count: u64 = count.parse().map_err(|_| error())?;
        if index == 0 || index > count {
            return Err(error());
        }
        Ok(Self {
            index: index - 1,
            count,
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

impl Shard {
    /// Whether a run is one of this share's own.
    pub fn owns(self, spec: &RunSpec) -> bool {
        spec.key.number() % self.count == self.index
    }

    /// The share's own runs first, then those of the others, last ones first: a share that is done helps
    /// the others, and does what one that has died has left. Leases keep two from making the same run.
    pub fn order(self, pending: Vec<RunSpec>) -> Vec<RunSpec> {
        let (mut own, mut others): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|spec| self.owns(spec));
        others.reverse();
        own.append(&mut others);
        own
    }
}
