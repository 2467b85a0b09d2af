//! What a study decides by, now and earlier.

use toml::Table;

use super::{Factor, Seeds, Study};
use crate::field::{Difference, Fields};
use crate::plan::Track;

impl Study {
    /// What decides the verdict and is not what it was in an earlier definition: contenders, recipes, what
    /// varies, the tracks, and how the verdict is taken. Texts do not decide; of seeds,
    /// [`Study::earlier_seeds`] tells.
    pub(crate) fn changes_since(&self, earlier: &Self) -> Vec<Difference> {
        Difference::all(&earlier.deciding_fields(), &self.deciding_fields()).collect()
    }

    /// Notes the seeds of an earlier definition if there were runs of it, and those that it has noted itself, where they
    /// are others.
    pub fn note_seeds_of(&mut self, earlier: &Self, had_runs: bool) {
        let seeds = had_runs.then_some(&earlier.seeds);
        for seeds in earlier.earlier_seeds.iter().chain(seeds) {
            let are_known =
                seeds.are(&self.seeds) || self.earlier_seeds.iter().any(|known| seeds.are(known));
            if !are_known {
                self.earlier_seeds.push(seeds.clone());
            }
        }
    }

    /// What decides, with the defaults filled in, so that two ways to write the same do not differ.
    fn deciding_fields(&self) -> Fields {
        let labelled = |factor: &Factor| Factor {
            labels: factor.labels(),
            ..factor.clone()
        };
        let mut study = Self {
            title: String::new(),
            question: String::new(),
            analysis: String::new(),
            seeds: Seeds::default(),
            earlier_seeds: Vec::new(),
            accuracies: Vec::new(),
            claim: None,
            vary: self.vary.iter().map(labelled).collect(),
            common: self
                .tracks()
                .contains(&Track::Common)
                .then(|| self.common.clone().unwrap_or_default()),
            ..self.clone()
        };
        study.verdict.baseline = Some(self.baseline().to_owned());
        study.verdict.direction = self.verdict.direction();
        study.verdict.margin = Some(self.verdict.statistics().margin);
        study.verdict.track = Some(self.deciding_track());
        // What no file can hold has not come from one.
        let table = Table::try_from(&study).unwrap_or_default();
        Fields::from_table(&table).unwrap_or_default()
    }
}
