//! What a report says, in which order.

use super::document::{Block, Document, Table, VerdictBlock};
use super::observations::observations;
use super::tables;
use crate::analysis::{Analysis, Arm, Cell};
use crate::definition::{Contender, Study, listed};
use crate::figures::{self, CellFigures, Figure, Illustrations, OverallFigures, Source};
use crate::format::{capital, confidence, count, decimals, grouped, percent};
use crate::record::Environment;
use crate::records::Dataset;

/// So many settings have their figures in the report; of more, all have their numbers.
const MOST_CELLS: usize = 24;
/// Longer tables are folded away, but for the results themselves.
const MOST_ROWS: usize = 12;

pub(super) fn document(source: Source<'_>) -> Document {
    let (study, analysis) = (source.study, source.analysis);
    let mut blocks = paragraphs(&study.question);
    let mut overview = figures::overall(source);
    let deciding: Vec<&Cell<'_>> = analysis.deciding().collect();
    let mut only = match deciding[..] {
        [cell] => Some((cell, figures::cell(source, cell))),
        _ => None,
    };
    let figure = match &mut only {
        Some((_, figures)) => figures.ranking.take(),
        None => overview.deciding.take(),
    };
    blocks.extend(analysis.dataset.as_ref().map(dataset));
    blocks.push(verdict(source, figure));
    // What the study's author made of results that are not there yet would be taken for theirs.
    if !study.analysis.trim().is_empty() && analysis.run_counts.is_complete() {
        blocks.push(Block::Heading(String::from("What it means")));
        blocks.extend(paragraphs(&study.analysis));
        blocks.push(Block::Paragraph(String::from(
            "(From the study file. Its numbers are of the runs that it was written for.)",
        )));
    }
    let mut others: Vec<&Cell<'_>> = analysis.cells.iter().collect();
    if let Some((cell, figures)) = only {
        one_that_decides(source, cell, figures, overview, &mut blocks);
        others.retain(|cell| !cell.decides);
    } else {
        overall(source, overview, &mut blocks);
        // Those that decide first.
        others.sort_by_key(|cell| !cell.decides);
    }
    setting_by_setting(source, &others, &mut blocks);
    method(source, &mut blocks);
    Document {
        title: study.title.clone(),
        blocks,
    }
}

/// Which images the study is about.
fn dataset(dataset: &Dataset) -> Block {
    let Dataset {
        name,
        images,
        side,
        classes,
        ..
    } = dataset;
    Block::Paragraph(format!(
        "Images: {name}, {} labelled ones of {side}×{side} pixels in {classes} classes.",
        grouped(*images)
    ))
}

/// All that is to be seen at a glance.
fn verdict(source: Source<'_>, figure: Option<Figure>) -> Block {
    let analysis = source.analysis;
    Block::Verdict(Box::new(VerdictBlock {
        claim: source.study.claim.clone(),
        status: analysis.claim().map(|claim| claim.status),
        headline: analysis.conclusion.headline.clone(),
        evidence: analysis.conclusion.evidence.clone(),
        caveats: analysis.warnings.clone(),
        figure,
    }))
}

/// The only setting that decides, which is not folded away, and between its results and their reasons what
/// holds for all settings.
fn one_that_decides(
    source: Source<'_>,
    cell: &Cell<'_>,
    figures: CellFigures,
    mut overview: OverallFigures,
    blocks: &mut Vec<Block>,
) {
    let place = source.place(cell);
    let heading = |text: &str| match place.as_str() {
        "" => Block::Heading(text.to_owned()),
        place => Block::Heading(format!("{text}: {place}")),
    };
    blocks.push(heading("Results"));
    blocks.push(Block::Table(tables::results(source, cell)));
    blocks.push(Block::Figures(figures.matrix.iter().cloned().collect()));
    overview.others.splice(0..0, overview.deciding.take());
    overall(source, overview, blocks);
    blocks.extend(reasons(source, cell, figures, &heading));
}

/// Each of these settings, folded away.
fn setting_by_setting(source: Source<'_>, cells: &[&Cell<'_>], blocks: &mut Vec<Block>) {
    if !cells.is_empty() {
        blocks.push(Block::Heading(String::from("Setting by setting")));
    }
    if cells.len() > MOST_CELLS {
        blocks.push(Block::Paragraph(format!(
            "The first {MOST_CELLS} of {}; all are in the tables above and in runs.csv.",
            count(cells.len(), "setting")
        )));
    }
    for cell in cells.iter().take(MOST_CELLS) {
        let figures = figures::cell(source, cell);
        let results = [&figures.ranking, &figures.matrix].into_iter().flatten();
        let mut inner = vec![
            Block::Figures(results.cloned().collect()),
            Block::Table(tables::results(source, cell)),
        ];
        let heading = |text: &str| Block::Subheading(text.to_owned());
        inner.extend(reasons(source, cell, figures, &heading));
        let note = if cell.decides { "" } else { " (exploratory)" };
        blocks.push(Block::Details {
            summary: format!("{}{note}", capital(&source.place(cell))),
            blocks: inner,
        });
    }
}

/// What holds for all settings and both tracks; of one cell, how its learning rates were chosen.
fn overall(source: Source<'_>, figures: OverallFigures, blocks: &mut Vec<Block>) {
    let analysis = source.analysis;
    let heading = match (analysis.cells.len(), source.study.tracks().len()) {
        (cells, tracks) if cells > tracks => "All settings",
        (2.., _) => "Both tracks",
        _ if analysis.choices.is_empty() => return,
        _ => "The choice of learning rates",
    };
    blocks.push(Block::Heading(String::from(heading)));
    blocks.push(Block::Figures(figures.others));
    if let Some(table) = tables::all_results(source) {
        blocks.push(folded("All results", table));
    }
    for comparison in &analysis.track_comparisons {
        blocks.push(folded(
            "From track to track",
            tables::tracks(source, comparison),
        ));
    }
    if !analysis.choices.is_empty() {
        blocks.push(folded("All trials", tables::choices(source)));
    }
}

/// A table, folded away if it is long.
fn folded(summary: &str, table: Table) -> Block {
    if table.rows.len() <= MOST_ROWS {
        return Block::Table(table);
    }
    Block::Details {
        summary: format!("{summary} ({})", count(table.rows.len(), "row")),
        blocks: vec![Block::Table(table)],
    }
}

/// What is to be seen, how fast they got there, what it cost, and why.
fn reasons(
    source: Source<'_>,
    cell: &Cell<'_>,
    figures: CellFigures,
    heading: &dyn Fn(&str) -> Block,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    let observations = observations(cell);
    if !observations.is_empty() {
        blocks.extend([heading("What to see"), Block::List(observations)]);
    }
    blocks.push(heading("Learning"));
    blocks.extend(illustrated(figures.learning));
    blocks.push(folded(
        "Time to accuracies",
        tables::times_to_accuracy(source, cell),
    ));
    let scores = tables::scores(cell);
    blocks.extend(scores.map(|table| folded("Accuracy, loss and calibration", table)));
    if let Some(table) = tables::inflation(cell) {
        blocks.extend([
            heading("Choosing the epoch on the test images"),
            Block::Paragraph(inflation(cell)),
            folded("By contender", table),
        ]);
    }
    for (title, figures, summary, table) in [
        ("Cost", figures.cost, "Costs", tables::costs(source, cell)),
        (
            "Inside the network",
            figures.inside,
            "Measurements",
            tables::inside(cell),
        ),
    ] {
        if !figures.is_empty() || table.is_some() {
            blocks.push(heading(title));
            blocks.extend(illustrated(figures));
            blocks.extend(table.map(|table| folded(summary, table)));
        }
    }
    blocks
}

/// Figures, and below them what stands in place of others.
fn illustrated(illustrations: Illustrations) -> Vec<Block> {
    let Illustrations { figures, sentences } = illustrations;
    let mut blocks = vec![Block::Figures(figures)];
    if !sentences.is_empty() {
        blocks.push(Block::Paragraph(sentences.join(" ")));
    }
    blocks
}

fn inflation(cell: &Cell<'_>) -> String {
    let arms = cell.arms.iter();
    let all: Vec<f64> = arms.flat_map(Arm::inflations).collect();
    let mean = statistics::mean(&all).unwrap_or(0.0);
    format!(
        "The epoch of every run was chosen on the validation images, and its network scored on the test images. Had the epoch been chosen on the test images, as is often done, the accuracy would have come out {} percentage points higher on average ({}).",
        decimals(100.0 * mean, 3),
        count(all.len(), "run")
    )
}

/// What the runs of the verdict are trained and tested on; `None` if no run says.
fn images(analysis: &Analysis<'_>) -> Option<String> {
    let arms = analysis.deciding().flat_map(|cell| &cell.arms);
    let runs: Vec<_> = arms
        .flat_map(|arm| arm.records())
        .filter_map(|run| Some((run, run.images?)))
        .collect();
    let &(run, images) = runs.first()?;
    let trained_on = || runs.iter().map(|(_, images)| images.training);
    let (fewest, most) = (trained_on().min()?, trained_on().max()?);
    let training = match fewest == most {
        true => count(most, "image"),
        false => format!("{} to {}", grouped(fewest), count(most, "image")),
    };
    let classes = run
        .classes
        .map_or_else(String::new, |classes| format!(" of {classes} classes"));
    let commonest = run.commonest_class_share.map_or_else(String::new, |share| {
        format!(
            " Always naming the commonest class would get {} of the test images right.",
            percent(share, 1)
        )
    });
    Some(format!(
        "A run trains on {}{classes}, chooses by {} others and is tested on {}.{commonest}",
        training,
        grouped(images.validation),
        grouped(images.test),
    ))
}

/// How it was done.
fn method(source: Source<'_>, blocks: &mut Vec<Block>) {
    let (study, analysis) = (source.study, source.analysis);
    blocks.push(Block::Heading(String::from("How it was done")));
    blocks.push(Block::Paragraph(runs(study, analysis)));
    blocks.extend(images(analysis).map(Block::Paragraph));
    blocks.push(Block::List(vec![
        compared_by(study, analysis),
        tests(analysis),
        chosen_by(study, analysis),
        tracks(study),
    ]));
    blocks.push(Block::Definitions(definitions(analysis)));
    machines(analysis, blocks);
    blocks.push(Block::Subheading(String::from("The study file")));
    blocks.push(Block::Code(study.to_toml().unwrap_or_default()));
    if let Some(base) = analysis
        .base
        .as_ref()
        .and_then(|base| toml::to_string_pretty(base).ok())
    {
        blocks.push(Block::Details {
            summary: String::from("The configuration that it starts from: where the study sets a field, that counts instead"),
            blocks: vec![Block::Code(base)],
        });
    }
    blocks.push(Block::Paragraph(String::from("This report is made by:")));
    blocks.push(Block::Code(source.command.to_owned()));
}

/// Whether the dropout of a contender's networks draws other numbers than that of most.
fn draws_otherwise(contender: &Contender) -> bool {
    let activation = contender.activation.to_lowercase();
    ["rrelu", "softmax"]
        .iter()
        .any(|name| activation.starts_with(name))
}

/// Which runs there are, and what those of one seed have in common.
fn runs(study: &Study, analysis: &Analysis<'_>) -> String {
    let names: Vec<&str> = study.contenders.iter().map(|one| one.name()).collect();
    format!(
        "{} with {}: {}. Runs are paired: with one seed, all contenders have the same split, order, augmentation and dropout draws{}, and where shapes allow the same initial weights before scaling. {} of {} are done.",
        count(names.len(), "contender"),
        count(study.seeds.list().len(), "seed"),
        listed(&names),
        match study.contenders.iter().any(draws_otherwise) {
            true =>
                " (but for RReLU, which draws slopes as well, and softmax, whose layers draw in another way)",
            false => "",
        },
        analysis.run_counts.done,
        count(analysis.run_counts.planned, "planned run"),
    )
}

fn compared_by(study: &Study, analysis: &Analysis<'_>) -> String {
    let margin = analysis.criteria.margin;
    let margin = if margin > 0.0 {
        format!(
            "Differences of less than {} do not matter.",
            analysis.metric.format_margin(margin)
        )
    } else if study.verdict.statistics().margin > 0.0 {
        String::from(
            "The margin is less than what one image can change, and so does not count: nothing can be called equivalent.",
        )
    } else {
        String::from("There is no margin, so that nothing can be equivalent.")
    };
    format!(
        "Compared by: {}; {}. The baseline is {}. {margin}",
        analysis.metric.title(),
        figures::direction(analysis.direction),
        study.baseline(),
    )
}

/// The tests, their corrections, and the intervals.
fn tests(analysis: &Analysis<'_>) -> String {
    let level = analysis.criteria.level;
    let exploratory = if analysis.cells.iter().all(|cell| cell.decides) {
        ""
    } else {
        "; what is exploratory is corrected for the comparisons of its own setting and track alone"
    };
    let equivalent = match analysis.criteria.margin > 0.0 {
        true => " Equivalent: two one-sided t tests within the margin, corrected alike.",
        false => "",
    };
    format!(
        "{} or {}: the two-sided sign-flip permutation test of the paired differences, at level {level} after Holm's correction for all comparisons with the baseline in the deciding settings, also of contenders that a claim does not name{exploratory}.{equivalent} Otherwise undecided. Intervals are BCa bootstrap intervals with {} confidence, not corrected for the number of comparisons, and too short for few seeds: of 5 seeds a 95 % interval holds the true mean in about 84 % of all cases, of 10 in 90 %.",
        capital(analysis.wording().better()),
        analysis.wording().worse(),
        confidence(level)
    )
}

/// What is chosen by which images, and what becomes of runs that did not come to their end.
fn chosen_by(study: &Study, analysis: &Analysis<'_>) -> String {
    let chosen = match study.tuned {
        Some(_) => "The learning rate and the epoch are",
        None => "The epoch is",
    };
    let trials = match study.tuned {
        Some(_) if !analysis.has_one_split => {
            " The trials that choose a learning rate split the same images anew, so that some of the images that they learn from or choose by are test images of final runs."
        }
        _ => "",
    };
    format!(
        "{chosen} chosen on validation images; no run chooses anything by its test images.{trials} {} A run that failed is left out with the run that it is paired with.",
        analysis.metric.treatment_of_diverged()
    )
}

/// What the runs were made with and on, and what measuring took.
fn machines(analysis: &Analysis<'_>, blocks: &mut Vec<Block>) {
    if analysis.environments.is_empty() {
        return;
    }
    blocks.push(Block::Subheading(String::from("Machines")));
    blocks.push(Block::List(
        analysis.environments.iter().map(machine).collect(),
    ));
    blocks.extend(analysis.measuring_share.map(|share| {
        Block::Paragraph(format!(
            "Measuring took {} of a run's time (median).",
            percent(share, 1)
        ))
    }));
}

fn tracks(study: &Study) -> String {
    let common = "the common recipe is the same for all contenders";
    match &study.tuned {
        None => format!("Track: {common}."),
        Some(tuned) => {
            let rates: Vec<String> = tuned.learning_rates.iter().map(f64::to_string).collect();
            let tuned = format!(
                "on the tuned track every contender has {} in each setting, {} with each of the learning rates {}, and its final runs use the rate with the highest mean validation accuracy",
                count(tuned.learning_rates.len() * tuned.seeds_per_rate, "trial"),
                tuned.seeds_per_rate,
                listed(&rates),
            );
            if study.common.is_some() {
                let also = match study.recipes_differ_in()[..] {
                    [] => String::new(),
                    ref fields => format!("; they also differ in {}", listed(fields)),
                };
                format!(
                    "Tracks: {common}; {tuned}{also}. The {} track decides.",
                    study.deciding_track()
                )
            } else {
                format!("Track: {tuned}.")
            }
        }
    }
}

fn definitions(analysis: &Analysis<'_>) -> Vec<(String, String)> {
    let better = analysis.wording().better();
    let ahead = format!("P({better})");
    let detectable = format!(
        "the smallest true difference that this many seeds would find with the study's power ({} unless it says otherwise); smaller ones are likely to be missed.",
        statistics::Criteria::default().power
    );
    [
        (
            "p (Holm)",
            "how often a difference at least this large would come out if there were none, corrected for the number of comparisons by Holm's method (1979).",
        ),
        ("SD", "standard deviation over the seeds."),
        (
            "site",
            "a place where an activation function stands: after each convolution, and after the hidden layer.",
        ),
        (
            "dead unit",
            "f′ is zero at its pre-activation for every validation image and position, so that no gradient reaches it.",
        ),
        (
            "saturated pre-activation",
            "|f′| there is below 1 % of its maximum; those of dead units are saturated too.",
        ),
        ("sparsity", "share of activations that are exactly zero."),
        (
            "gradient norm",
            "Euclidean norm of the gradient of a batch's mean loss with respect to the weights of a layer, averaged over the batches that were measured.",
        ),
        (
            "effective rank",
            "exp of the entropy of the normalised singular values of the last hidden layer's activations (Roy and Vetterli 2007).",
        ),
        (
            "gap",
            "training minus validation accuracy after the last epoch, in percentage points.",
        ),
        (
            "interquartile mean",
            "mean of the middle half of the scores (Agarwal et al. 2021).",
        ),
        (
            ahead.as_str(),
            "share of seeds with which the contender is ahead of the baseline, ties counting half.",
        ),
        (
            "detectable",
            &detectable,
        ),
        (
            "new study",
            "how many seeds another study, with other seeds, would need to decide what is undecided, with the study's power, if mean and SD are what they seem. Seeds that are added to these because they did not decide make p-values too small.",
        ),
        (
            "rank",
            "the places that a contender may have: 1–3 means that it may be first, second or third. All pairs are compared, which takes a stricter correction than the verdicts, so that a contender can be worse than the baseline and still share its places. None if there are too few seeds.",
        ),
    ]
    .map(|(term, meaning)| (term.to_owned(), meaning.to_owned()))
    .into()
}

fn machine(environment: &Environment) -> String {
    let Environment {
        program,
        commit,
        backend,
        device,
        system,
        cores,
        threads,
    } = environment;
    let cores = cores.map(|cores| count(cores, "core"));
    let threads = threads.map(|threads| format!("{} per run", count(threads, "thread")));
    let commit = commit.as_ref().map(|commit| format!("commit {commit}"));
    let program = (!program.is_empty()).then(|| format!("version {program}"));
    let parts = [
        Some(device.clone()),
        cores,
        Some(system.clone()),
        Some(format!("backend {backend}")).filter(|_| !backend.is_empty()),
        threads,
        program,
        commit,
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

fn paragraphs(text: &str) -> Vec<Block> {
    text.split("\n\n")
        .map(str::trim)
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| Block::Paragraph(paragraph.replace('\n', " ")))
        .collect()
}
