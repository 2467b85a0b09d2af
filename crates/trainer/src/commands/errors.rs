//! `trainer errors`: the images that a run's network, or several together, misread.

mod page;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use burn::data::dataset::Dataset;
use clap::Args;
use data::{Image, LabelledImages, Thousands};
use picture::Sheet;

use super::evaluate;
use crate::console::print;
use crate::ensemble::{self, Ensemble};
use crate::evaluation::Probabilities;
use crate::files::{write_atomically, write_picture};

/// Images in a row of the picture.
const COLUMNS: usize = 10;

/// Options of `trainer errors`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    ensemble: ensemble::Options,
    /// Labelled images to look at [default: the runs' own validation images]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The folder that errors.html and errors.png go to [default: errors in the folder of the only run]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Number of misread images that are shown
    #[arg(
        long,
        value_name = "N",
        default_value = "100",
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    count: u32,
}

/// An image that was read as something else.
struct Mistake<'a> {
    image: Image,
    /// Its number in the file, counted from 1.
    number: usize,
    label: usize,
    predicted: usize,
    /// One for each class.
    probabilities: &'a [f64],
}

/// Draws the misread images, those first of which the network is most sure.
///
/// # Errors
///
/// What went wrong.
pub fn run(options: &Options) -> Result<ExitCode> {
    let ensemble = Ensemble::load(&options.ensemble)?;
    let folder = options.folder(&ensemble)?;
    let (images, name) = evaluate::images(&ensemble, options.data.as_deref())?;
    let readings = ensemble.read(&images, images.side(), options.ensemble.views)?;
    let probabilities = Probabilities::mean(&readings);
    let mut mistakes = mistakes(&images, &probabilities)?;
    let name = match options.data {
        Some(_) => format!("images of {name}"),
        None => name,
    };
    let title = format!(
        "{}: {} of {} {name} misread ({:.2} %)",
        who(&ensemble),
        Thousands(mistakes.len()),
        Thousands(images.len()),
        100.0 * mistakes.len() as f64 / images.len() as f64
    );
    if mistakes.is_empty() {
        print(&title)?;
        return Ok(ExitCode::SUCCESS);
    }
    mistakes.truncate(options.count as usize);

    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let [page, picture] = ["errors.html", "errors.png"].map(|name| folder.join(name));
    write_picture(&picture, &sheet(&mistakes))?;
    let command = format!("trainer errors {}", paths(&ensemble));
    write_atomically(&page, page::page(&title, &command, &mistakes).as_bytes())?;
    print(&title)?;
    print(&format!(
        "the {} of which it is most sure: {} and {}",
        Thousands(mistakes.len()),
        page.display(),
        picture.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// Where page and picture go.
    fn folder(&self, ensemble: &Ensemble) -> Result<PathBuf> {
        match (&self.out, ensemble.members.as_slice()) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, [only]) => Ok(only.path.join("errors")),
            _ => bail!("these are several runs; name a folder for the page with --out"),
        }
    }
}

/// The networks in a few words.
fn who(ensemble: &Ensemble) -> String {
    match ensemble.members.as_slice() {
        [only] => format!(
            "{}, network of epoch {}",
            only.path.display(),
            only.card.epoch.epoch
        ),
        members => format!("{} networks together", members.len()),
    }
}

fn paths(ensemble: &Ensemble) -> String {
    let paths = ensemble.members.iter();
    let paths: Vec<String> = paths.map(|one| one.path.display().to_string()).collect();
    paths.join(" ")
}

/// The misread images; those first of which the network is most sure.
fn mistakes<'a>(
    images: &LabelledImages,
    probabilities: &'a Probabilities,
) -> Result<Vec<Mistake<'a>>> {
    let mut mistakes = Vec::new();
    let read = probabilities.rows().zip(probabilities.predictions());
    for ((item, &row), (probabilities, predicted)) in images.iter().zip(images.rows()).zip(read) {
        let item = item?;
        let label = usize::from(item.label);
        if label != predicted {
            mistakes.push(Mistake {
                image: item.image,
                number: row as usize + 1,
                label,
                predicted,
                probabilities,
            });
        }
    }
    mistakes.sort_by(|a, b| b.sureness().total_cmp(&a.sureness()));
    Ok(mistakes)
}

impl Mistake<'_> {
    /// The probability that the network gives to what it takes the image for.
    fn sureness(&self) -> f64 {
        self.probabilities[self.predicted]
    }
}

/// The images, each with its label, what it was taken for, and how surely.
fn sheet(mistakes: &[Mistake<'_>]) -> Sheet {
    let side = mistakes.first().map_or(1, |mistake| mistake.image.side());
    let mut sheet = Sheet::new(side, COLUMNS);
    for mistake in mistakes {
        let Mistake {
            label, predicted, ..
        } = mistake;
        let percent = 100.0 * mistake.sureness();
        sheet.push(
            mistake.image.pixels(),
            format!("{label}>{predicted} {percent:.1}%"),
        );
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four images of one pixel.
    fn images() -> LabelledImages {
        LabelledImages::new(vec![10, 20, 30, 40], vec![0, 1, 1, 0], 1).unwrap()
    }

    #[test]
    fn sure_mistakes_come_first() {
        let images = images();
        // Read as 0, 0, 0, 1.
        let logits = [1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 2.0];
        let probabilities = Probabilities::softmax(&logits, 2);
        let mistakes = mistakes(&images, &probabilities).unwrap();
        let found: Vec<_> = mistakes
            .iter()
            .map(|mistake| (mistake.number, mistake.label, mistake.predicted))
            .collect();
        assert_eq!(found, [(3, 1, 0), (4, 0, 1), (2, 1, 0)]);
        assert_eq!(mistakes[0].image.pixels(), [30]);
        // 1 / (1 + e⁻³)
        assert!((mistakes[0].sureness() - 0.952_574_126_822_433).abs() < 1e-12);
    }

    #[test]
    fn the_page_is_complete_in_itself() {
        let images = images();
        let probabilities = Probabilities::softmax(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0], 2);
        let mistakes = mistakes(&images, &probabilities).unwrap();
        let page = page::page("a <b> title", "trainer errors run", &mistakes);
        assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
        assert!(page.contains("<h1>a &lt;b&gt; title</h1>"), "{page}");
        assert_eq!(page.matches("src=\"data:image/png;base64,iVBOR").count(), 1);
        assert!(page.contains("number 2: a 1 read as 0, 73.1 %"), "{page}");
        assert!(!page.contains("http"), "{page}");
    }
}
