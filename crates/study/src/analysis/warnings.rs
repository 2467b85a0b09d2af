//! What a reader should know before believing anything.

use std::collections::BTreeSet;

use super::{Analysis, Cell, RunCounts, coarsest_score};
use crate::definition::{Contender, LEARNING_RATE, Seeds, Study, listed};
use crate::field::{Difference, Fields};
use crate::format::{count, decimals, grouped, percent, with_place};
use crate::metric::Metric;
use crate::plan::RateChoice;
use crate::record::{Environment, RunRecord, Status};
use crate::records::Records;
use crate::store::has_final_runs;

/// Where one class has a larger share of the images, accuracy says little about the others.
const DOMINANT: f64 = 0.5;

/// Measuring that takes a larger share of a run's time is worth a warning.
const MUCH_MEASURING: f64 = 0.05;

/// Longer values of what was changed are not spelt out.
const SHORT_VALUE: usize = 40;

/// All warnings, in the order in which reports show them. `done` are the planned runs that are done.
pub(super) fn warnings(
    study: &Study,
    analysis: &Analysis<'_>,
    done: &[&RunRecord],
    records: &Records,
) -> Vec<String> {
    [
        preliminary(analysis),
        seeds_changed(study, records),
        definition_changed(study, records),
        diverged(analysis),
        failed(analysis, done),
        several_machines(analysis),
        several_versions(analysis),
        one_rate(study, analysis),
        copies(analysis),
        uneven_classes(analysis),
        hardly_trained(analysis),
        one_class_named(analysis),
        thrown_off(analysis),
        overfitted(analysis),
        few_images(study, analysis),
        uneven_times(analysis),
        never_reached(analysis),
        no_rate_chosen(analysis),
        rate_at_edge(analysis),
        undecided_rates(analysis),
        much_measuring(analysis),
        of_these_images(analysis),
    ]
    .into_iter()
    .flatten()
    .chain(records.warnings().iter().cloned())
    .collect()
}

fn preliminary(analysis: &Analysis<'_>) -> Option<String> {
    let counts = analysis.run_counts;
    (!counts.is_complete()).then(|| {
        format!(
            "{} of {} done: everything below is preliminary, and seeds that are added until a verdict pleases make its level meaningless.",
            counts.done,
            count(counts.planned, "run")
        )
    })
}

fn seeds_changed(study: &Study, records: &Records) -> Option<String> {
    let mut noted = study.clone();
    for (_, earlier) in records.earlier() {
        noted.note_seeds_of(earlier, has_final_runs(earlier, records));
    }
    let earlier: Vec<String> = noted.earlier_seeds.iter().map(Seeds::to_string).collect();
    (!earlier.is_empty()).then(|| {
        format!(
            "The study had other seeds before: {}. If the results were looked at then, p-values are too small and intervals too short: they allow for one look, at a number that was chosen beforehand.",
            listed(&earlier)
        )
    })
}

/// What decides, and was otherwise when there were runs already.
fn definition_changed(study: &Study, records: &Records) -> Option<String> {
    let (mut changes, mut files) = (Vec::new(), Vec::new());
    for (file, earlier) in records.earlier() {
        let differences = study.changes_since(earlier);
        if !differences.is_empty() {
            files.push(file.as_str());
        }
        for Difference { field, there, .. } in differences {
            let change = match there.chars().count() {
                0..=SHORT_VALUE => format!("{field} ({there} before)"),
                _ => field,
            };
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    (!changes.is_empty()).then(|| {
        format!(
            "What decides was changed when there were runs already: {}. If results had been looked at, this is not the verdict that was planned, and p-values are too small. The study as it was is beside the runs ({}).",
            listed(&changes),
            listed(&files)
        )
    })
}

fn diverged(analysis: &Analysis<'_>) -> Option<String> {
    let RunCounts {
        diverged,
        diverged_trials: trials,
        ..
    } = analysis.run_counts;
    let treatment = analysis.metric.treatment_of_diverged();
    let runs = (diverged > 0).then(|| format!("{} diverged. {treatment}", count(diverged, "run")));
    let trials = (trials > 0).then(|| {
        format!(
            "{} diverged; in the choice of a learning rate {} as chance.",
            count(trials, "trial"),
            if trials == 1 {
                "it counts"
            } else {
                "they count"
            }
        )
    });
    let sentences: Vec<String> = runs.into_iter().chain(trials).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn failed(analysis: &Analysis<'_>, done: &[&RunRecord]) -> Option<String> {
    let failures = done.iter().filter_map(|run| match &run.status {
        Status::Failed { reason } => Some((run, reason)),
        _ => None,
    });
    // One of them as an example, the same one every time.
    let (run, reason) = failures.min_by_key(|(run, _)| &run.id)?;
    let failed = analysis.run_counts.failed;
    Some(format!(
        "{} failed, for reasons that say nothing about the contender, and {} left out together with the run that {} paired with; `trainer study run … --retry-failed` makes {} again. Run {}: {}.",
        count(failed, "run"),
        if failed == 1 { "is" } else { "are" },
        if failed == 1 { "it is" } else { "they are" },
        if failed == 1 { "it" } else { "them" },
        run.id,
        reason.trim_end_matches('.').replace('\n', "; "),
    ))
}

/// What the runs were made with that the verdict is taken from.
fn environments<'a>(analysis: &'a Analysis<'_>) -> impl Iterator<Item = &'a Environment> {
    analysis
        .deciding()
        .flat_map(|cell| &cell.arms)
        .flat_map(|arm| arm.records())
        .filter_map(|run| run.environment.as_ref())
}

fn several_machines(analysis: &Analysis<'_>) -> Option<String> {
    let environments: BTreeSet<_> = environments(analysis).collect();
    (analysis.metric.is_time() && environments.len() > 1).then(|| {
        String::from(
            "The times are of several machines, numbers of threads or versions of the program, as listed at the end; a difference may be theirs.",
        )
    })
}

/// Of times, [`several_machines`] warns.
fn several_versions(analysis: &Analysis<'_>) -> Option<String> {
    let versions: BTreeSet<_> = environments(analysis)
        .map(|environment| (&environment.program, &environment.commit))
        .collect();
    (!analysis.metric.is_time() && versions.len() > 1).then(|| {
        format!(
            "The runs are of {} versions of the program, as listed at the end; a difference may be theirs.",
            versions.len()
        )
    })
}

/// What a comparison by one recipe gets wrong.
fn one_rate(study: &Study, analysis: &Analysis<'_>) -> Option<String> {
    let functions: BTreeSet<&str> = study
        .contenders
        .iter()
        .map(|contender| contender.activation.as_str())
        .collect();
    let goes_by_learning = match analysis.metric {
        Metric::TestAccuracy | Metric::BalancedAccuracy | Metric::TestLoss => true,
        metric => metric.is_time_to_accuracy(),
    };
    let has_own_rate = |contender: &Contender| {
        let fields = Fields::from_table(&contender.with);
        fields.is_ok_and(|fields| fields.iter().any(|(field, _)| field == LEARNING_RATE))
    };
    let is_one = study.tuned.is_none() && !study.contenders.iter().any(has_own_rate);
    (functions.len() > 1 && goes_by_learning && is_one).then(|| {
        String::from(
            "All functions have the same learning rate: one that does best at another looks worse than it is. With a rate of its own for each (`trainer compare … --tune`, or a table [tuned] in the study), the order may be another.",
        )
    })
}

/// Seeds divide the images, and copies of one may come to lie on both sides.
fn copies(analysis: &Analysis<'_>) -> Option<String> {
    let dataset = analysis.dataset.as_ref()?;
    (dataset.copies > 0).then(|| {
        format!(
            "{} of {} are copies of others: networks may be tested on what they were trained on, and all look better than they are. `trainer data check` says more.",
            grouped(dataset.copies),
            count(dataset.images, "image")
        )
    })
}

/// Of images that are nearly all of one class.
fn uneven_classes(analysis: &Analysis<'_>) -> Option<String> {
    let runs = analysis
        .deciding()
        .flat_map(|cell| &cell.arms)
        .flat_map(|arm| arm.records());
    let shares = runs.filter_map(|run| run.commonest_class_share);
    let share = shares.max_by(f64::total_cmp)?;
    (analysis.metric == Metric::TestAccuracy && share > DOMINANT).then(|| {
        format!(
            "Naming the commonest class every time would be right for {} of the test images: accuracy says little about the other classes. Balanced accuracy, the mean over the classes, says more (`metric = \"balanced-accuracy\"`, or `compare --metric`).",
            percent(share, 1)
        )
    })
}

/// Networks that name one class whatever they see, although their loss is not that of guessing: of classes that are
/// not equally common, that is smaller.
fn one_class_named(analysis: &Analysis<'_>) -> Option<String> {
    let named = contenders_mostly(analysis, |run| names_one_class(run) && !guesses(run));
    let named = listed_if_any(&named)?;
    Some(format!(
        "Most networks of {named} are right for no more test images than by naming the commonest class every time: they do not tell the classes apart. More epochs, smaller batches or another learning rate would tell."
    ))
}

/// Whether it is right for no more test images than by naming the commonest class every time.
fn names_one_class(run: &RunRecord) -> bool {
    let accuracy = run.test.as_ref().and_then(|test| test.accuracy);
    let is_no_better = |(accuracy, share)| accuracy <= share;
    run.status == Status::Finished
        && accuracy
            .zip(run.commonest_class_share)
            .is_some_and(is_no_better)
}

/// A loss of ln k is that of guessing among k classes. Of networks above it an accuracy says little, and
/// nothing about the function where more steps would bring it down.
fn hardly_trained(analysis: &Analysis<'_>) -> Option<String> {
    let mut guessing = contenders_mostly(analysis, |run| {
        guesses(run) && !has_learnt_training_images(run)
    });
    let thrown = thrown_off_contenders(analysis);
    guessing.retain(|name| !thrown.contains(name));
    let guessing = listed_if_any(&guessing)?;
    Some(format!(
        "Most networks of {guessing} have a test loss no better than guessing: if they were trained for too few steps, the verdict is about the first steps. More epochs, smaller batches or more images would tell."
    ))
}

/// Networks that are sure of what is wrong, of the training images too: their steps were too long.
fn thrown_off(analysis: &Analysis<'_>) -> Option<String> {
    let thrown = listed_if_any(&thrown_off_contenders(analysis))?;
    Some(format!(
        "Most networks of {thrown} have a test loss more than twice that of guessing, and have not learnt the training images either, as where the learning rate is too high. A lower one would tell."
    ))
}

fn thrown_off_contenders<'a>(analysis: &'a Analysis<'_>) -> Vec<&'a str> {
    contenders_mostly(analysis, |run| {
        guesses(run) && !has_learnt_training_images(run) && is_far_off(run)
    })
}

/// Networks whose loss is that of guessing on the test images alone.
fn overfitted(analysis: &Analysis<'_>) -> Option<String> {
    let overfitted = contenders_mostly(analysis, |run| {
        guesses(run) && has_learnt_training_images(run)
    });
    let overfitted = listed_if_any(&overfitted)?;
    Some(format!(
        "Most networks of {overfitted} read the training images well, but have a test loss no better than guessing: they are overfitted, and sure of what is wrong. More images, augmentation, dropout or fewer epochs help."
    ))
}

/// Whether the test loss is that of guessing among the classes, or above it.
fn guesses(run: &RunRecord) -> bool {
    let loss = run.test.as_ref().and_then(|test| test.loss);
    let is_high = |(loss, classes)| loss >= loss_of_guessing(classes);
    run.status == Status::Finished && loss.zip(run.classes).is_some_and(is_high)
}

/// Whether the test loss is more than twice that of guessing.
fn is_far_off(run: &RunRecord) -> bool {
    let loss = run.test.as_ref().and_then(|test| test.loss);
    let is_far = |(loss, classes)| loss > 2.0 * loss_of_guessing(classes);
    loss.zip(run.classes).is_some_and(is_far)
}

/// Whether the loss on the training images has come down to half that of guessing.
fn has_learnt_training_images(run: &RunRecord) -> bool {
    let loss = run.epochs.last().and_then(|last| {
        let training = last.training_at_end.unwrap_or(last.training);
        training.loss
    });
    let is_low = |(loss, classes)| loss < 0.5 * loss_of_guessing(classes);
    loss.zip(run.classes).is_some_and(is_low)
}

fn loss_of_guessing(classes: usize) -> f64 {
    (classes as f64).ln()
}

/// The contenders of whose networks most are so, in a study that goes by test accuracy.
fn contenders_mostly<'a>(
    analysis: &'a Analysis<'_>,
    is_so: impl Fn(&RunRecord) -> bool,
) -> Vec<&'a str> {
    if !matches!(
        analysis.metric,
        Metric::TestAccuracy | Metric::BalancedAccuracy
    ) {
        return Vec::new();
    }
    let arms = analysis.deciding().flat_map(|cell| &cell.arms);
    let names: BTreeSet<&str> = arms
        .filter(|arm| 2 * arm.records().filter(|run| is_so(run)).count() > arm.finished)
        .map(|arm| arm.name.as_str())
        .collect();
    names.into_iter().collect()
}

fn listed_if_any(names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| listed(names))
}

/// With few images one of them is more than what is not to matter.
fn few_images(study: &Study, analysis: &Analysis<'_>) -> Option<String> {
    let margin = study.verdict.statistics().margin;
    let cells = analysis.cells.iter().flat_map(|cell| &cell.arms);
    let images = coarsest_score(study, cells.flat_map(|arm| arm.records()))?;
    (margin > 0.0 && images.step > margin).then(|| {
        format!(
            "A network is {} on {}, so that {} is {} points, more than the margin of {}: no difference that small can be seen, and nothing is called equivalent.",
            images.purpose,
            count(images.count, "image"),
            images.coarsest,
            decimals(100.0 * images.step, 2),
            decimals(100.0 * margin, 2)
        )
    })
}

/// Times that differ much within a contender are those of the machine.
fn uneven_times(analysis: &Analysis<'_>) -> Option<String> {
    let uneven = analysis.deciding().filter(|cell| cell.has_uneven_times());
    let spreads = uneven.filter_map(Cell::spread_of_steps);
    let (ratio, name) = spreads.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!(
        "Times of training say little: of one contender's runs ({name}) the slowest takes {} times as long for a step as the fastest, as where other programs run beside.",
        decimals(ratio, 2)
    ))
}

fn never_reached(analysis: &Analysis<'_>) -> Option<String> {
    let mut places = Vec::new();
    for cell in &analysis.cells {
        for arm in &cell.arms {
            let never = arm.never_reached(analysis.metric);
            if never > 0 {
                let runs = count(arm.runs.len(), "run");
                let place = with_place(&arm.name, &analysis.place(cell));
                places.push(format!("{never} of {runs} of {place}"));
            }
        }
    }
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    (!places.is_empty()).then(|| {
        format!(
            "The accuracy was never reached by {}; the score of such a run is that of one epoch more than it had, so that its contender's mean is at least what is said. How far two such contenders differ is not known.",
            listed(&places)
        )
    })
}

fn no_rate_chosen(analysis: &Analysis<'_>) -> Option<String> {
    let stuck = places(analysis, RateChoice::is_stuck)?;
    Some(format!(
        "All trials failed, so that no learning rate can be chosen and there are no final runs on the tuned track, of {stuck}."
    ))
}

fn rate_at_edge(analysis: &Analysis<'_>) -> Option<String> {
    let edges = places(analysis, |choice| choice.at_edge)?;
    Some(format!(
        "The best learning rate lies at the end of the grid, and a better one may lie outside (`learning_rates`, or `compare --rates`), for {edges}."
    ))
}

/// The contenders of those choices, with their settings: `relu and tanh (depth 8)`; `None` of none.
fn places(analysis: &Analysis<'_>, is_one: fn(&RateChoice) -> bool) -> Option<String> {
    let places: Vec<String> = analysis
        .choices
        .iter()
        .filter(|choice| is_one(choice))
        .map(|choice| with_place(&choice.contender, &choice.setting.to_string()))
        .collect();
    (!places.is_empty()).then(|| listed(&places))
}

fn undecided_rates(analysis: &Analysis<'_>) -> Option<String> {
    let made = analysis
        .choices
        .iter()
        .filter(|choice| choice.chosen.is_some());
    let chosen = made.clone().count();
    let open = made
        .filter(|choice| choice.rivals().next().is_some())
        .count();
    (open > 0).then(|| {
        format!(
            "In {open} of {chosen} choices of a learning rate, another rate may be as good as the chosen one (marked ≈ in the table of trials); more trials (`seeds_per_rate`, or `compare --trials`) might decide.",
        )
    })
}

/// What p-values and intervals say nothing of.
fn of_these_images(analysis: &Analysis<'_>) -> Option<String> {
    let width = width_for_other_images(analysis)?;
    Some(format!(
        "P-values and intervals are about these images: the seeds split the same ones anew, so that runs share part of what they are trained and scored on. For other images of the kind intervals should be about {} times as wide (Nadeau and Bengio 2003).",
        decimals(width, 1)
    ))
}

/// By how much the standard error of a mean over splits of the same images grows where it is to hold for
/// others: √(1 + n · test images / training images), n being the number of splits (Nadeau and Bengio
/// 2003, Inference for the generalization error, Machine Learning 52). None where no accuracy or loss on
/// test images is compared, or all seeds have one split.
fn width_for_other_images(analysis: &Analysis<'_>) -> Option<f64> {
    if !analysis.metric.needs_test_images() || analysis.has_one_split {
        return None;
    }
    let arms: Vec<_> = analysis.deciding().flat_map(|cell| &cell.arms).collect();
    let splits = arms.iter().map(|arm| arm.records().count()).max()?;
    let runs: Vec<_> = arms.iter().flat_map(|arm| arm.records()).collect();
    let images = runs.iter().filter_map(|run| run.images);
    let shares = images.map(|images| images.test as f64 / images.training as f64);
    let share = shares.reduce(f64::max)?;
    Some(f64::sqrt(1.0 + splits as f64 * share))
}

fn much_measuring(analysis: &Analysis<'_>) -> Option<String> {
    let share = analysis
        .measuring_share
        .filter(|&share| share > MUCH_MEASURING)?;
    Some(format!(
        "Measuring inside the networks (dead units, gradients and so on) took {} of a run's time (median); times of training leave it out.",
        percent(share, 1)
    ))
}
