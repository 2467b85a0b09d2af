//! Figures of a study, each as SVG and PNG.

mod canvas;
mod cost;
mod curves;
mod font;
mod functions;
mod gradients;
mod lines;
mod matrix;
mod palette;
mod panel;
mod ranking;
mod raster;
mod settings;
mod sites;
mod tracks;

use crate::analysis::{Analysis, Arm, Cell};
use crate::curves::Curves;
use crate::definition::Study;
use crate::format::{count, file_names, with_place};

pub(crate) use palette::dark_rules;
pub(crate) use settings::direction;

/// A figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Name of its files.
    pub name: String,
    /// What is to be seen, in a line.
    pub title: String,
    /// What is to be seen in words, and how to read it.
    pub about: String,
    /// What n is.
    pub count: String,
    /// As part of a page, which brings the style.
    pub inline: String,
    /// As a file of its own.
    pub file: String,
    /// As a picture.
    pub png: Vec<u8>,
}

/// A figure, or, where it would show nothing, what it would have shown as a sentence.
pub(crate) enum Illustration {
    Figure(Box<Figure>),
    Sentence(String),
}

/// The illustrations of one part of a report.
#[derive(Default)]
pub(crate) struct Illustrations {
    pub figures: Vec<Figure>,
    /// In place of figures that would show nothing.
    pub sentences: Vec<String>,
}

/// What figures are made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub study: &'a Study,
    pub analysis: &'a Analysis<'a>,
    pub curves: &'a Curves,
    /// What draws them again.
    pub command: &'a str,
}

/// The figures about all settings together.
pub(crate) struct OverallFigures {
    /// How contenders did, by setting, on the track that decides.
    pub deciding: Option<Figure>,
    pub others: Vec<Figure>,
}

/// The figures about all settings together.
pub(crate) fn overall(source: Source<'_>) -> OverallFigures {
    let (mut deciding, mut others) = (None, Vec::new());
    for (track, figure) in settings::scores(source) {
        if deciding.is_none() && track == source.study.deciding_track() {
            deciding = Some(figure);
        } else {
            others.push(figure);
        }
    }
    others.extend(settings::ranks(source));
    others.extend(tracks::comparisons(source));
    others.extend(tracks::rates(source));
    OverallFigures { deciding, others }
}

/// The figures about one cell.
pub(crate) struct CellFigures {
    /// How contenders did; none once it is taken out.
    pub ranking: Option<Figure>,
    /// Each against each other.
    pub matrix: Option<Figure>,
    /// How fast they got there.
    pub learning: Illustrations,
    /// What it cost.
    pub cost: Illustrations,
    /// Why.
    pub inside: Illustrations,
}

/// The figures about one cell.
pub(crate) fn cell(source: Source<'_>, cell: &Cell<'_>) -> CellFigures {
    let figures = |figures: Vec<Figure>| figures.into_iter().map(Illustration::from);
    let mut learning = curves::learning(source, cell);
    learning.extend(cost::time_to_accuracy(source, cell));
    let functions = functions::functions(source, cell).map(Illustration::from);
    let inside = functions
        .into_iter()
        .chain(sites::all(source, cell))
        .chain(figures(gradients::gradients(source, cell)))
        .chain(figures(curves::parameters(source, cell)));
    CellFigures {
        ranking: Some(ranking::ranking(source, cell)),
        matrix: matrix::matrix(source, cell),
        learning: learning.into_iter().collect(),
        cost: cost::cost(source, cell)
            .map(Illustration::from)
            .into_iter()
            .collect(),
        inside: inside.collect(),
    }
}

impl From<Figure> for Illustration {
    fn from(figure: Figure) -> Self {
        Self::Figure(Box::new(figure))
    }
}

impl FromIterator<Illustration> for Illustrations {
    fn from_iter<I: IntoIterator<Item = Illustration>>(all: I) -> Self {
        let mut illustrations = Self::default();
        for one in all {
            match one {
                Illustration::Figure(figure) => illustrations.figures.push(*figure),
                Illustration::Sentence(sentence) => illustrations.sentences.push(sentence),
            }
        }
        illustrations
    }
}

impl Illustrations {
    /// Whether there is neither a figure nor a sentence.
    pub(crate) fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.sentences.is_empty()
    }
}

impl Source<'_> {
    /// The beginning of the names of a cell's figures.
    fn prefix(&self, cell: &Cell<'_>) -> String {
        let cells = &self.analysis.cells;
        if cells.len() < 2 {
            return String::new();
        }
        let places: Vec<String> = cells.iter().map(|cell| self.place(cell)).collect();
        let names = cells.iter().zip(file_names(&places));
        let own = |other: &Cell<'_>| other.track == cell.track && other.setting == cell.setting;
        let name = names.into_iter().find(|(other, _)| own(other));
        name.map_or_else(String::new, |(_, name)| name + "-")
    }

    /// Which cell it is, where there are several: `common track, depth 8`.
    pub(crate) fn place(&self, cell: &Cell<'_>) -> String {
        self.analysis.place(cell)
    }

    /// The looks of the contenders, in the study's order.
    fn looks(&self) -> Vec<usize> {
        let contenders = self.study.contenders.iter();
        palette::looks(contenders.map(|contender| contender.activation.as_str()))
    }

    /// The arms of a cell that have runs, in the study's order, with the looks of their contenders.
    fn with_runs<'c, 'a>(&self, cell: &'c Cell<'a>) -> Vec<(usize, &'c Arm<'a>)> {
        self.looks()
            .into_iter()
            .zip(&cell.arms)
            .filter(|(_, arm)| arm.records().next().is_some())
            .collect()
    }

    /// Whether others are compared with the contender of this name.
    fn is_baseline(&self, name: &str) -> bool {
        self.study.baseline() == name
    }

    /// The numbers of the contenders' runs in a cell, and which cell it is.
    fn run_counts(&self, cell: &Cell<'_>) -> String {
        self.with_place(
            cell,
            &seeds(cell.arms.iter().map(|arm| arm.records().count())),
        )
    }

    /// The numbers of the contenders' scores in a cell, and which cell it is.
    fn score_counts(&self, cell: &Cell<'_>) -> String {
        self.with_place(cell, &seeds(cell.arms.iter().map(score_count)))
    }

    fn with_place(&self, cell: &Cell<'_>, counts: &str) -> String {
        with_place(counts, &self.place(cell))
    }
}

/// What n is, of contenders with so many runs or scores: `n = 10 seeds each`. Those with none are not counted.
fn seeds(counts: impl Iterator<Item = usize>) -> String {
    let counts: Vec<usize> = counts.filter(|&count| count > 0).collect();
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least == most => format!("n = {} each", count(*most, "seed")),
        (Some(least), Some(most)) => format!("n = {least} to {most} seeds"),
        _ => String::from("n = 0"),
    }
}

/// Number of the contender's scores.
fn score_count(arm: &Arm<'_>) -> usize {
    arm.summary.map_or(0, |summary| summary.count)
}
