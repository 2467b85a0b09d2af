//! Whether a study makes sense.

use std::collections::BTreeSet;

use toml::Value;

use super::seeds::check_range;
use super::{Factor, LEARNING_RATE, Problem, SEED, Study, insert};
use crate::field::{FieldConflict, Fields};
use crate::plan::Track;

impl Study {
    /// Whether the study makes sense by itself. Whether its fields are ones of a run's configuration
    /// shows when runs are made.
    ///
    /// # Errors
    ///
    /// The first thing that does not make sense.
    pub fn check(&self) -> Result<(), Problem> {
        if self.contenders.is_empty() {
            return Err(Problem::NoContenders);
        }
        let mut names = BTreeSet::new();
        for (index, contender) in self.contenders.iter().enumerate() {
            check_name("contenders", index, contender.name())?;
            if !names.insert(contender.name()) {
                let name = contender.name().to_owned();
                return Err(Problem::SameContender { index, name });
            }
        }
        let seeds = self.seeds.check()?;
        for (index, seeds) in self.earlier_seeds.iter().enumerate() {
            seeds.check().map_err(|problem| Problem::EarlierSeeds {
                index,
                problem: Box::new(problem),
            })?;
        }
        for &accuracy in &self.accuracies {
            if !(accuracy > 0.0 && accuracy <= 1.0) {
                return Err(Problem::Accuracy(accuracy));
            }
        }
        self.check_factors()?;
        self.check_tuning(&seeds)?;
        self.check_fields()?;
        self.check_criteria(&names)
    }

    fn check_factors(&self) -> Result<(), Problem> {
        let mut names = BTreeSet::new();
        for (index, factor) in self.vary.iter().enumerate() {
            let Factor {
                name,
                field,
                values,
                labels,
            } = factor;
            if !names.insert(name) {
                let name = name.clone();
                return Err(Problem::SameFactor { index, name });
            }
            if values.is_empty() {
                return Err(Problem::NoValues { index });
            }
            if !labels.is_empty() && labels.len() != values.len() {
                return Err(Problem::Labels {
                    index,
                    labels: labels.len(),
                    values: values.len(),
                });
            }
            if field.is_none() && (labels.is_empty() || !values.iter().all(Value::is_table)) {
                return Err(Problem::NoField { index });
            }
            let labels = factor.labels();
            for name in labels.iter().chain([name]) {
                check_name("vary", index, name)?;
            }
            let distinct: BTreeSet<&String> = labels.iter().collect();
            if distinct.len() < labels.len() {
                return Err(Problem::SameValue { index });
            }
        }
        Ok(())
    }

    fn check_tuning(&self, seeds: &[u64]) -> Result<(), Problem> {
        let Some(tuned) = &self.tuned else {
            return Ok(());
        };
        let rates = &tuned.learning_rates;
        if rates.is_empty() {
            let field = "learning_rates";
            return Err(Problem::NoTrials { field });
        }
        if tuned.seeds_per_rate == 0 {
            let field = "seeds_per_rate";
            return Err(Problem::NoTrials { field });
        }
        for (index, &rate) in rates.iter().enumerate() {
            if !(rate.is_finite() && rate > 0.0) || rates[..index].contains(&rate) {
                return Err(Problem::LearningRate { rate });
            }
        }
        check_range(tuned.first_seed, tuned.seeds_per_rate)
            .map_err(|problem| Problem::TrialSeeds(Box::new(problem)))?;
        let trials = tuned.first_seed..tuned.first_seed.saturating_add(tuned.seeds_per_rate as u64);
        match seeds.iter().find(|seed| trials.contains(seed)) {
            Some(&seed) => Err(Problem::TrialSeed { seed }),
            None => Ok(()),
        }
    }

    /// Tries every source of fields with every other that it meets in a run.
    fn check_fields(&self) -> Result<(), Problem> {
        let conflict = |at: &'static str, index| {
            move |conflict| Problem::Conflict {
                at,
                index,
                conflict,
            }
        };
        for (index, contender) in self.contenders.iter().enumerate() {
            let mut fields = Fields::default();
            fields
                .insert(SEED, Value::Integer(0))
                .and_then(|()| fields.extend(&contender.fields()?))
                .map_err(conflict("contenders", Some(index)))?;
            fields
                .extend(&Fields::from_table(&self.fixed).map_err(conflict("fixed", None))?)
                .map_err(conflict("fixed", None))?;
            let mut met = vec![fields];
            for (index, factor) in self.vary.iter().enumerate() {
                let field = factor.field.as_deref().unwrap_or_default();
                let mut values = Vec::new();
                for value in &factor.values {
                    let mut own = Fields::default();
                    insert(&mut own, field, value)
                        .and_then(|()| check_beside(&met, &own))
                        .map_err(conflict("vary", Some(index)))?;
                    values.push(own);
                }
                // Values of one factor replace each other, and so may set the same.
                met.append(&mut values);
            }
            for track in self.tracks() {
                let (at, recipe) = match (track, &self.common, &self.tuned) {
                    (Track::Tuned, _, Some(tuned)) => ("tuned", &tuned.recipe),
                    (Track::Common, Some(common), _) => ("common", common),
                    _ => continue,
                };
                let mut own = Fields::from_table(recipe).map_err(conflict(at, None))?;
                if track == Track::Tuned {
                    own.insert(LEARNING_RATE, Value::Float(0.0))
                        .map_err(conflict(at, None))?;
                }
                check_beside(&met, &own).map_err(conflict(at, None))?;
            }
        }
        Ok(())
    }

    fn check_criteria(&self, names: &BTreeSet<&str>) -> Result<(), Problem> {
        let criteria = &self.verdict;
        let known = || names.iter().copied().collect::<Vec<_>>().join(", ");
        let named = criteria.baseline.iter().map(|name| ("baseline", name));
        let expected = criteria.expect.keys().map(|name| ("expect", name));
        for (at, name) in named.chain(expected) {
            if !names.contains(name.as_str()) {
                return Err(Problem::UnknownContender {
                    at,
                    name: name.clone(),
                    known: known(),
                });
            }
        }
        if criteria.expect.contains_key(self.baseline()) {
            return Err(Problem::BaselineExpected {
                name: self.baseline().to_owned(),
            });
        }
        if self.claim.is_some() && criteria.expect.is_empty() {
            return Err(Problem::NoExpectation);
        }
        if criteria.direction().is_none()
            && let Some((name, expectation)) = criteria
                .expect
                .iter()
                .find(|(_, expectation)| expectation.needs_direction())
        {
            return Err(Problem::NoDirection {
                name: name.clone(),
                expectation: *expectation,
                metric: criteria.metric,
            });
        }
        for (name, label) in &criteria.setting {
            let Some(factor) = self.vary.iter().find(|factor| factor.name == *name) else {
                let known: Vec<&str> = self.vary.iter().map(|one| one.name.as_str()).collect();
                return Err(Problem::UnknownFactor {
                    factor: name.clone(),
                    known: known.join(", "),
                });
            };
            let labels = factor.labels();
            if !labels.contains(label) {
                return Err(Problem::UnknownSetting {
                    factor: name.clone(),
                    label: label.clone(),
                    known: labels.join(", "),
                });
            }
        }
        if let Some(track) = criteria.track
            && !self.tracks().contains(&track)
        {
            return Err(Problem::UnknownTrack { track });
        }
        let checked = criteria.statistics().check();
        checked.map_err(|error| Problem::Criterion { error })
    }
}

/// Whether a run can have these fields with any of those that it may have besides.
fn check_beside(met: &[Fields], fields: &Fields) -> Result<(), FieldConflict> {
    met.iter()
        .try_for_each(|others| others.clone().extend(fields))
}

/// Whether a name can stand in figures and tables.
fn check_name(at: &'static str, index: usize, name: &str) -> Result<(), Problem> {
    if name.trim().is_empty() || name.contains(char::is_control) {
        let name = name.to_owned();
        return Err(Problem::Name { at, index, name });
    }
    Ok(())
}
