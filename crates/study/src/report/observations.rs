//! What is to be seen in the runs of one setting, in sentences that the numbers write.

use statistics::median;

use crate::analysis::{Arm, Cell};
use crate::definition::listed;
use crate::format::{capital, percent, scientific};
use crate::metric::Metric;
use crate::record::RunRecord;

/// Less than this share of units is none, once it is rounded.
const NO_SHARE: f64 = 5e-5;
/// So many contenders are named, those with the most.
const NAMED: usize = 6;
/// With less than this share of the last layer's gradient the first layer hardly learns, and with more than its
/// inverse it is thrown about.
const VANISHED: f64 = 0.01;

/// How far the training images were fitted, which units are dead, and what arrives of the gradients; what was not
/// measured, or is of one contender only, is left out.
pub(super) fn observations(cell: &Cell<'_>) -> Vec<String> {
    [fit(cell), dead_units(cell), gradients(cell)]
        .into_iter()
        .flatten()
        .collect()
}

/// The contenders with the median of what their runs say, the smallest first.
fn medians<'c>(cell: &'c Cell<'_>, read: fn(&RunRecord) -> Option<f64>) -> Vec<(&'c str, f64)> {
    let mut medians: Vec<(&str, f64)> = cell
        .arms
        .iter()
        .filter_map(|arm| {
            let values: Vec<f64> = arm.records().filter_map(read).collect();
            Some((arm.name.as_str(), median(&values).ok()?))
        })
        .collect();
    medians.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    medians
}

fn fit(cell: &Cell<'_>) -> Option<String> {
    let losses = medians(cell, |run| run.chosen()?.training_at_end?.loss);
    let [(best, low), .., (worst, high)] = losses[..] else {
        return None;
    };
    (low < high).then(|| {
        format!(
            "The training images are fitted most closely with {best} (loss {}) and least closely with {worst} ({}).",
            scientific(low, 3),
            scientific(high, 3)
        )
    })
}

fn dead_units(cell: &Cell<'_>) -> Option<String> {
    let mut shares = medians(cell, |run| Metric::DeadShare.recorded(run));
    if shares.len() < 2 {
        return None;
    }
    let all = shares.len();
    let is_dead_somewhere = |name: &str| {
        let runs = cell
            .arms
            .iter()
            .filter(|arm| arm.name == name)
            .flat_map(Arm::records);
        runs.filter_map(|run| Metric::DeadShare.recorded(run))
            .any(|share| share > 0.0)
    };
    let without: Vec<String> = shares
        .iter()
        .filter(|(_, share)| *share < NO_SHARE)
        .map(|(name, _)| (*name).to_owned())
        .collect();
    // What is said is of the median run.
    let mostly = match without.iter().any(|name| is_dead_somewhere(name)) {
        true => "in most runs ",
        false => "",
    };
    shares.retain(|&(_, share)| share >= NO_SHARE);
    shares.reverse();
    let named: Vec<String> = shares
        .iter()
        .take(NAMED)
        .map(|(name, share)| format!("{name} ({})", percent(*share, 2)))
        .collect();
    let others = match (shares.len(), all - shares.len()) {
        (0, _) => {
            return Some(capital(&format!(
                "{mostly}no function has dead units at the end."
            )));
        }
        (dead, _) if dead > NAMED => format!(", and fewer with {} more", dead - NAMED),
        (_, 0) => String::new(),
        _ => format!(", and {mostly}with none of the others"),
    };
    Some(format!(
        "Units are dead, and learn from no image, with {}{others}.",
        listed(&named)
    ))
}

fn gradients(cell: &Cell<'_>) -> Option<String> {
    let ratios = medians(cell, RunRecord::first_gradient_ratio);
    let [(least, low), .., (most, high)] = ratios[..] else {
        return None;
    };
    let names = |is_so: &dyn Fn(f64) -> bool| {
        let named = ratios.iter().filter(|(_, ratio)| is_so(*ratio));
        named.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let vanished = names(&|ratio| ratio < VANISHED);
    let exploded = names(&|ratio| ratio > 1.0 / VANISHED);
    let gradients = match (&vanished[..], &exploded[..]) {
        ([], []) => String::from("The gradients neither vanish nor explode"),
        (vanished, []) => format!("The gradients vanish with {}", listed(vanished)),
        ([], exploded) => format!("The gradients explode with {}", listed(exploded)),
        (vanished, exploded) => format!(
            "The gradients vanish with {}, and explode with {}",
            listed(vanished),
            listed(exploded)
        ),
    };
    let [low, high] = [low, high].map(|ratio| scientific(ratio, 2));
    let range = match low == high {
        true => low,
        false => format!("{low} ({least}) to {high} ({most})"),
    };
    Some(format!(
        "{gradients}: in the first epoch the norm of the first layer's is {range} times that of the last layer's."
    ))
}
