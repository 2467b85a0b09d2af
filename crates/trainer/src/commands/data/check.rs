//! `trainer data check`: what is in files of images.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use data::{Description, Report, Shared, Thousands, Warning};
use serde::Serialize;

use super::warning_of_shadowed;
use crate::console::{print, print_error};

/// Options of `trainer data check`.
#[derive(Debug, Args)]
pub struct Options {
    /// CSV files (plain, .gz or Kaggle's .zip), labelled or not; folders with train.csv, test.csv or
    /// Kaggle's zip; or built-in [default: data/, or else built-in]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same as JSON, with the numbers of all images that are mentioned
    #[arg(long)]
    json: bool,
}

/// Describes the files, and compares them with each other.
///
/// # Errors
///
/// If the description cannot be printed. Files that cannot be read, or are no tables of images, are told of on stderr
/// where they come in the description, and the program then fails at its end. What it warns of is no error.
pub fn run(options: &Options) -> Result<ExitCode> {
    let read = match options.paths[..] {
        [] => data::each_table(None),
        _ => {
            let paths = options.paths.iter();
            paths
                .flat_map(|path| data::each_table(Some(path)))
                .collect()
        }
    };
    let mut tables = Vec::new();
    // Each with the number of tables that come before it.
    let mut errors = Vec::new();
    for read in read {
        match read {
            Ok(table) => tables.push(table),
            Err(error) => errors.push((tables.len(), error)),
        }
    }
    let code = match errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    };
    let shadowed = options.shadowed();
    let paragraphs = match tables.as_slice() {
        [] => Vec::new(),
        tables if options.json => vec![json(&data::check(tables), &shadowed)?],
        tables => paragraphs(&data::check(tables), &shadowed),
    };
    let mut errors = errors.into_iter().peekable();
    for (place, paragraph) in paragraphs.iter().enumerate() {
        while let Some((_, error)) = errors.next_if(|(before, _)| *before <= place) {
            print_error(&format!("error: {error}"));
        }
        let gap = if place > 0 { "\n" } else { "" };
        print(&format!("{gap}{paragraph}"))?;
    }
    for (_, error) in errors {
        print_error(&format!("error: {error}"));
    }
    Ok(code)
}

impl Options {
    /// The files of the folders that are searched which others there keep from being looked at.
    fn shadowed(&self) -> Vec<PathBuf> {
        let default = [PathBuf::from(data::FOLDER)];
        let searched = match self.paths.is_empty() {
            true => &default,
            false => self.paths.as_slice(),
        };
        let folders = searched.iter().filter(|path| path.is_dir());
        folders.flat_map(|folder| data::shadowed(folder)).collect()
    }
}

fn json(report: &Report, shadowed: &[PathBuf]) -> Result<String> {
    #[derive(Serialize)]
    struct CheckRecord<'a> {
        tables: &'a [Description],
        shared: &'a [Shared],
        warnings: Vec<WarningRecord<'a>>,
        /// Files of the folders that others there keep from being looked at.
        shadowed: &'a [PathBuf],
    }
    #[derive(Serialize)]
    struct WarningRecord<'a> {
        message: String,
        #[serde(flatten)]
        warning: &'a Warning,
    }
    let warnings = report.warnings.iter().map(|warning| WarningRecord {
        message: warning.to_string(),
        warning,
    });
    let record = CheckRecord {
        tables: &report.tables,
        shared: &report.shared,
        warnings: warnings.collect(),
        shadowed,
    };
    Ok(serde_json::to_string_pretty(&record)?)
}

/// One for each table, one for what they share, and the warnings.
fn paragraphs(report: &Report, shadowed: &[PathBuf]) -> Vec<String> {
    let mut paragraphs: Vec<String> = report.tables.iter().map(description).collect();
    if report.tables.len() > 1 {
        paragraphs.push(shared(&report.shared));
    }
    let warnings = report.warnings.iter();
    let warnings = warnings.map(|warning| format!("warning: {warning}"));
    let shadowed = shadowed.iter().map(|path| warning_of_shadowed(path));
    let warnings: Vec<String> = warnings.chain(shadowed).collect();
    paragraphs.push(match warnings.as_slice() {
        [] => "nothing to warn of".into(),
        _ => warnings.join("\n"),
    });
    paragraphs
}

fn description(table: &Description) -> String {
    let Description {
        name,
        images,
        side,
        classes,
        ..
    } = table;
    let count = Thousands(*images);
    let classes = classes.as_deref();
    // Classes that are missing are warned of.
    let there = |classes: &[usize]| classes.iter().filter(|&&count| count > 0).count();
    let head = match classes.map(there) {
        Some(classes) => format!(
            "{name}: {count} labelled {side}×{side} images, {classes} class{}",
            if classes == 1 { "" } else { "es" }
        ),
        None => format!("{name}: {count} unlabelled {side}×{side} images"),
    };
    let mut lines = vec![
        head,
        format!(
            "  pixels    {} to {}, mean {:.2}, standard deviation {:.2}; at the border {:.2}",
            table.smallest, table.largest, table.mean, table.standard_deviation, table.border_mean
        ),
        format!(
            "  copies    {} of earlier images{}",
            number(table.copies()),
            match (classes, table.contradictory.len()) {
                (Some(_), 0) => String::from(", none with another label"),
                (Some(_), 1) => String::from("; 1 image has several labels"),
                (Some(_), count) => format!("; {count} images have several labels"),
                (None, _) => String::new(),
            }
        ),
        format!(
            "  empty     {} of zeros only, {} of one other grey",
            number(table.blank.len()),
            number(table.constant.len())
        ),
    ];
    if let Some(classes) = classes {
        lines.push(String::new());
        lines.push(format!("{:>7} {:>9} {:>10}", "class", "images", "share"));
        for (class, &count) in classes.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = 100.0 * count as f64 / *images as f64;
            lines.push(format!("{class:>7} {:>9} {share:8.2} %", Thousands(count)));
        }
    }
    lines.join("\n")
}

fn shared(shared: &[Shared]) -> String {
    if shared.is_empty() {
        return "no image is in two of them".into();
    }
    let lines = shared.iter().map(|common| {
        let Shared {
            first,
            second,
            images,
            contradictory,
        } = common;
        let with_another_label = contradictory.map_or_else(String::new, |count| {
            format!(", {} with another label", number(count))
        });
        format!(
            "in {first} and {second}: {} of the latter's images{with_another_label}",
            number(images.len())
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A number in which nothing is a word.
fn number(count: usize) -> String {
    match count {
        0 => "none".into(),
        _ => Thousands(count).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use data::ImageTable;

    use super::*;

    #[test]
    fn text_for_people() {
        let train = ImageTable::new(
            "train.csv",
            [[0, 0, 0, 0], [0, 9, 200, 0], [0, 9, 200, 0]].concat(),
            Some(vec![0, 1, 0]),
            2,
        );
        let test = ImageTable::new("test.csv", vec![0, 9, 200, 0], None, 2);
        let report = data::check(&[train.unwrap(), test.unwrap()]);
        insta::assert_snapshot!(paragraphs(&report, &[]).join("\n\n"), @"
        train.csv: 3 labelled 2×2 images, 2 classes
          pixels    0 to 200, mean 34.83, standard deviation 73.94; at the border 34.83
          copies    1 of earlier images; 1 image has several labels
          empty     1 of zeros only, none of one other grey

          class    images      share
              0         2    66.67 %
              1         1    33.33 %

        test.csv: 1 unlabelled 2×2 images
          pixels    0 to 200, mean 52.25, standard deviation 85.38; at the border 52.25
          copies    none of earlier images
          empty     none of zeros only, none of one other grey

        in train.csv and test.csv: 1 of the latter's images

        warning: train.csv: 1 image of nothing but zeros, such as number 1; there is nothing on it to read
        warning: train.csv: few images of class 0 (2), class 1 (1); they will be read badly, and scores of them say little
        warning: train.csv: 1 image more than once with different labels, such as number 2 (label 1) and 3 (label 0); at most one of them can be right
        warning: train.csv: 1 image copied from earlier ones, such as number 3 from 2; if one is trained on and the other held out, the score is too good
        warning: test.csv: 1 image also in train.csv, such as number 1, there 2; trained on the one, a network is not tested by the other
        ");
    }
}
