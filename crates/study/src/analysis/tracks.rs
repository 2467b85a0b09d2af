//! How results move between the common and the tuned track.

use statistics::{Criteria, mean};

use super::cell::{Cell, Estimate};
use crate::plan::{Setting, Track};

/// How the results of one setting move between the tracks.
#[derive(Clone, Debug)]
pub struct TrackComparison {
    /// The values of the factors.
    pub setting: Setting,
    /// One for each contender that has scores on both tracks, best on the tuned track first.
    pub shifts: Vec<TrackShift>,
    /// Kendall's τ-a of the order of the means on both tracks: 1 if it is the same, −1 if it is
    /// reversed.
    pub agreement: Option<f64>,
}

/// How one contender moves.
#[derive(Clone, Debug)]
pub struct TrackShift {
    /// Name of the contender.
    pub name: String,
    /// Mean on the common track.
    pub common: Estimate,
    /// Mean on the tuned track.
    pub tuned: Estimate,
    /// Place of its mean on the common track, 1 being best, among those that are here; equal means share one.
    pub common_place: usize,
    /// The same on the tuned track.
    pub tuned_place: usize,
    /// Tuned less common score, paired by seed.
    pub difference: Option<Estimate>,
}

pub(super) fn compare_tracks(
    cells: &[Cell<'_>],
    criteria: &Criteria,
) -> Result<Vec<TrackComparison>, statistics::Error> {
    let mut comparisons = Vec::new();
    for tuned in cells.iter().filter(|cell| cell.track == Track::Tuned) {
        let Some(common) = cells
            .iter()
            .find(|cell| cell.track == Track::Common && cell.setting == tuned.setting)
        else {
            continue;
        };
        let mut shifts = Vec::new();
        for (common, tuned) in common.arms.iter().zip(&tuned.arms) {
            let (Some(common_mean), Some(tuned_mean)) = (common.mean, tuned.mean) else {
                continue;
            };
            shifts.push(TrackShift {
                name: tuned.name.clone(),
                common: common_mean,
                tuned: tuned_mean,
                common_place: 0,
                tuned_place: 0,
                difference: Estimate::new(&tuned.differences(common), mean, criteria)?,
            });
        }
        let gain = |value: f64| criteria.direction.improvement(value);
        for index in 0..shifts.len() {
            let place = |mean: fn(&TrackShift) -> f64| {
                let own = gain(mean(&shifts[index]));
                1 + shifts
                    .iter()
                    .filter(|other| gain(mean(other)) > own)
                    .count()
            };
            let (common, tuned) = (
                place(|shift| shift.common.value),
                place(|shift| shift.tuned.value),
            );
            (shifts[index].common_place, shifts[index].tuned_place) = (common, tuned);
        }
        shifts.sort_by(|a, b| gain(b.tuned.value).total_cmp(&gain(a.tuned.value)));
        comparisons.push(TrackComparison {
            setting: tuned.setting.clone(),
            agreement: agreement(&shifts),
            shifts,
        });
    }
    Ok(comparisons)
}

/// Kendall's τ-a: the share of pairs in the same order less that of pairs in the opposite order; `None` where
/// no pair has an order on both tracks.
fn agreement(shifts: &[TrackShift]) -> Option<f64> {
    let (mut sum, mut pairs, mut ordered) = (0.0, 0, 0);
    for (index, a) in shifts.iter().enumerate() {
        for b in &shifts[..index] {
            let common = a.common.value - b.common.value;
            let tuned = a.tuned.value - b.tuned.value;
            pairs += 1;
            if common * tuned != 0.0 {
                ordered += 1;
                sum += (common * tuned).signum();
            }
        }
    }
    (ordered > 0).then(|| sum / f64::from(pairs))
}
