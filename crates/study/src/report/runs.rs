//! Every run in a table: `runs.csv`.

use super::ReportError;
use crate::json::rounded;
use crate::metric::Metric;
use crate::plan::{Plan, Stage};
use crate::record::{RunRecord, Status};
use crate::records::Records;

/// One row for each planned run, in the order of the plan. What differs between repetitions of a run
/// stands in the last columns, from `seconds` on.
pub(super) fn csv(plan: &Plan, records: &Records) -> Result<Vec<u8>, ReportError> {
    let study = plan.study();
    let error = |error: csv::Error| ReportError::Csv(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let factors: Vec<&str> = study
        .vary
        .iter()
        .map(|factor| factor.name.as_str())
        .collect();
    let metric = study.verdict.metric;
    let mut head: Vec<String> = ["contender", "activation"].map(str::to_owned).into();
    head.extend(factors.iter().map(|factor| format!("factor:{factor}")));
    head.extend(
        [
            "track",
            "stage",
            "seed",
            "learning_rate",
            "run",
            "status",
            "chosen_epoch",
        ]
        .map(str::to_owned),
    );
    head.extend(RESULTS.iter().map(|(name, _)| (*name).to_owned()));
    // A score that is a time stands with the times.
    head.extend((!metric.is_time()).then(|| format!("score:{metric}")));
    head.extend(TIMES.iter().map(|(name, _)| (*name).to_owned()));
    head.extend(metric.is_time().then(|| format!("score:{metric}")));
    writer.write_record(&head).map_err(error)?;
    for spec in plan.known(records) {
        let run = records.answering(&spec);
        let mut row = vec![spec.contender.clone(), spec.activation.clone()];
        let labels = factors
            .iter()
            .map(|&factor| spec.setting.0.get(factor).cloned());
        row.extend(labels.map(Option::unwrap_or_default));
        row.extend([
            spec.track.to_string(),
            String::from(match spec.stage {
                Stage::Trial => "trial",
                Stage::Final => "final",
            }),
            spec.seed.to_string(),
            number(spec.learning_rate),
            run.map_or_else(String::new, |run| run.id.to_string()),
            run.map_or_else(|| String::from("missing"), status),
            run.and_then(|run| run.chosen_epoch)
                .map_or_else(String::new, |epoch| epoch.to_string()),
        ]);
        row.extend(RESULTS.iter().map(|(_, read)| number(run.and_then(read))));
        let score = number(run.and_then(|run| metric.value(run).number()));
        row.extend((!metric.is_time()).then(|| score.clone()));
        row.extend(TIMES.iter().map(|(_, read)| number(run.and_then(read))));
        row.extend(metric.is_time().then_some(score));
        writer.write_record(&row).map_err(error)?;
    }
    writer
        .into_inner()
        .map_err(|error| ReportError::Csv(error.to_string()))
}

/// A column: its name, and what it says of a run.
type Column = (&'static str, fn(&RunRecord) -> Option<f64>);

const RESULTS: [Column; 17] = [
    ("parameters", |run| {
        run.parameters.map(|number| number as f64)
    }),
    ("test_accuracy", |run| Metric::TestAccuracy.recorded(run)),
    ("test_loss", |run| Metric::TestLoss.recorded(run)),
    ("test_ece", |run| Metric::TestEce.recorded(run)),
    ("best_test_accuracy_of_any_epoch", |run| {
        let accuracies = run.epochs.iter().filter_map(|epoch| epoch.test_accuracy);
        accuracies.reduce(f64::max)
    }),
    ("validation_accuracy", |run| {
        Metric::ValidationAccuracy.recorded(run)
    }),
    ("last_validation_accuracy", |run| {
        run.epochs.last()?.validation.accuracy
    }),
    ("last_validation_loss", |run| {
        run.epochs.last()?.validation.loss
    }),
    ("last_training_loss", |run| {
        run.epochs.last()?.training_at_end?.loss
    }),
    ("accuracy_gap", |run| Metric::AccuracyGap.recorded(run)),
    ("dead_share", |run| Metric::DeadShare.recorded(run)),
    ("saturated_share", |run| {
        Metric::SaturatedShare.recorded(run)
    }),
    ("sparsity", |run| Metric::Sparsity.recorded(run)),
    // As it is, zero included: a table need not take logarithms.
    ("first_gradient_ratio", |run| {
        RunRecord::gradient_ratio(run.epochs.first()?)
    }),
    ("last_gradient_ratio", |run| {
        RunRecord::gradient_ratio(run.epochs.last()?)
    }),
    ("effective_rank", |run| Metric::EffectiveRank.recorded(run)),
    ("epochs", |run| Some(run.epochs.len() as f64)),
];

const TIMES: [Column; 6] = [
    ("seconds", |run| run.times.as_ref()?.total_seconds),
    ("training_seconds", |run| {
        Metric::TrainingSeconds.recorded(run)
    }),
    // A run that failed has none of these three.
    ("seconds_per_step", |run| {
        Metric::SecondsPerStep.value(run).number()
    }),
    ("forward_nanoseconds", |run| {
        Metric::ForwardNanoseconds.value(run).number()
    }),
    ("backward_nanoseconds", |run| {
        Metric::BackwardNanoseconds.value(run).number()
    }),
    ("measuring_share", RunRecord::measuring_share),
];

fn number(value: Option<f64>) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(String::new, |value| rounded(value).to_string())
}

fn status(run: &RunRecord) -> String {
    match &run.status {
        Status::Finished => String::from("finished"),
        Status::Diverged { epoch } => format!("diverged in epoch {epoch}"),
        Status::Failed { reason } => format!("failed: {reason}"),
    }
}
