//! `trainer errors`: the images that a run's network, or several together, misread.

mod json;
mod page;
mod pairs;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use burn::data::dataset::Dataset;
use clap::Args;
use data::{Image, LabelledImage, LabelledImages, Thousands};
use files::{create_folder, write_atomically};
use model::Kernels;
use picture::Sheet;

use self::json::Record;
use self::page::Page;
use self::pairs::{Comparison, Prediction};
use super::evaluate::EvaluationSet;
use super::networks;
use crate::backend::Backend;
use crate::console::print;
use crate::ensemble::Ensemble;
use crate::evaluation::Probabilities;
use crate::output_files::{check_picture, check_replaceable, write_picture};
use crate::saved_model::SavedNetwork;
use crate::shell::as_argument;

/// Images in a row of the picture.
const COLUMNS: usize = 10;

/// Images that are shown where nothing is said of their number.
const DEFAULT_COUNT: u32 = 100;

/// Options of `trainer errors`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    networks: networks::Options,
    /// Labelled images to look at; if they are those that the runs were trained with, only the ones
    /// that were held out [default: those that the runs were trained with]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The folder that errors.html, errors.png and errors.json go to [default: errors in the folder of
    /// the only run or ensemble]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Images that are shown at most in each list, 1 to 1000; errors.json lists all
    #[arg(
        long,
        value_name = "N",
        default_value_t = DEFAULT_COUNT,
        value_parser = clap::value_parser!(u32).range(1..=1000),
        allow_negative_numbers = true
    )]
    count: u32,
}

/// An image, and what it is.
struct Item {
    image: Image,
    /// Its number among the images, counted from 1.
    number: usize,
    label: usize,
}

/// An image that was read as something else.
struct Mistake<'a> {
    item: &'a Item,
    predicted: usize,
    /// One for each class.
    probabilities: &'a [f64],
}

/// Draws the misread images, those first of which the network is most sure; of several activation
/// functions, also those that only one of two reads.
///
/// # Errors
///
/// A run that cannot be loaded, images that do not fit it, or other files in the way of the results.
pub fn run(options: &Options) -> Result<ExitCode> {
    let ensemble = options.networks.load()?;
    let folder = options.folder()?;
    if folder.exists() && !folder.is_dir() {
        bail!(
            "{} is there already and is no folder; name another place with --out",
            folder.display()
        );
    }
    let [page, picture, json] =
        ["errors.html", "errors.png", "errors.json"].map(|name| folder.join(name));
    check_replaceable(&page, "--out", "a page", |start| {
        start.starts_with(b"<!DOCTYPE html>")
    })?;
    check_picture(&picture)?;
    check_replaceable(&json, "--out", "JSON", |start| start.starts_with(b"{"))?;
    let EvaluationSet {
        images,
        name,
        note,
        known_images,
        ..
    } = EvaluationSet::new(&ensemble, options.data.as_deref())?;
    let predictions = ensemble.predict(&images, images.side(), options.networks.views())?;
    let items = items(&images)?;
    let comparison = comparison(&ensemble, &predictions, &items);
    let probabilities = Probabilities::mean(&predictions);
    let mut mistakes = mistakes(&items, &probabilities);
    let title = format!(
        "{}: {} of {} {name} misread ({:.2} %)",
        who(&ensemble),
        Thousands(mistakes.len()),
        Thousands(images.len()),
        100.0 * mistakes.len() as f64 / images.len() as f64
    );
    print(&title)?;
    if let Some(note) = &note {
        print(&format!("note: {note}"))?;
    }
    if comparison.functions.len() > 1 {
        print(&comparison.to_string())?;
    }
    let limit = options.count as usize;
    let all = mistakes.len();
    mistakes.truncate(limit);

    create_folder(&folder)?;
    if !mistakes.is_empty() {
        write_picture(&picture, &sheet(&mistakes))?;
    } else if picture.exists() {
        // That of an earlier page.
        fs::remove_file(&picture)
            .with_context(|| format!("cannot remove {}", picture.display()))?;
    }
    let contents = Page {
        title: &title,
        note: note.as_deref(),
        command: &options.command(),
        mistakes: &mistakes,
        items: &items,
        comparison: &comparison,
        limit,
    };
    write_atomically(&page, contents.html().as_bytes())?;
    let record = Record::new(
        &name,
        known_images,
        &items,
        &Prediction::of(&probabilities),
        &comparison,
    );
    write_atomically(&json, &serde_json::to_vec_pretty(&record)?)?;
    if mistakes.is_empty() {
        print(&format!("the images: {}", page.display()))?;
    } else {
        let which = match mistakes.len() {
            count if count < all => {
                format!("the {} most confident mistakes", Thousands(count))
            }
            1 => String::from("the mistake"),
            _ => String::from("the mistakes, most confident first"),
        };
        print(&format!(
            "{which}: {} and {}",
            page.display(),
            picture.display()
        ))?;
    }
    print(&format!("all, for programs: {}", json.display()))?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// Where page and picture go.
    fn folder(&self) -> Result<PathBuf> {
        match (&self.out, &self.networks.runs[..]) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, [only]) => Ok(only.join("errors")),
            _ => bail!("these are several runs; name a folder for the page with --out"),
        }
    }

    /// What makes the page again.
    fn command(&self) -> String {
        let networks::Options {
            runs,
            model,
            views_per_image,
            view_strength,
            backend,
            kernels,
        } = &self.networks;
        let mut command = String::from("trainer errors");
        for run in runs {
            command += &format!(" {}", as_argument(run));
        }
        if *model == SavedNetwork::Last {
            command += " --model last";
        }
        if views_per_image.get() > 1 {
            command += &format!(" --tta {views_per_image} --tta-strength {view_strength}");
        }
        if *backend != Backend::default() {
            command += &format!(" --backend {backend}");
        }
        if *kernels != Kernels::default() {
            command += &format!(" --kernels {kernels}");
        }
        if let Some(data) = &self.data {
            command += &format!(" --data {}", as_argument(data));
        }
        if self.count != DEFAULT_COUNT {
            command += &format!(" --count {}", self.count);
        }
        if let Some(out) = &self.out {
            command += &format!(" --out {}", as_argument(out));
        }
        command
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

/// The images with their labels and numbers, in their order.
fn items(images: &LabelledImages) -> Result<Vec<Item>> {
    let item = |(item, &row): (Result<LabelledImage, _>, &u32)| -> Result<Item> {
        let LabelledImage { image, label } = item?;
        Ok(Item {
            image,
            number: row as usize + 1,
            label: usize::from(label),
        })
    };
    images.iter().zip(images.rows()).map(item).collect()
}

/// The networks by activation function.
fn comparison(ensemble: &Ensemble, predictions: &[Probabilities], items: &[Item]) -> Comparison {
    let members = ensemble.members.iter();
    let activations = members.map(|member| member.card.network.activation);
    let networks: Vec<_> = activations.zip(predictions).collect();
    let labels: Vec<usize> = items.iter().map(|item| item.label).collect();
    Comparison::new(&networks, &labels)
}

/// The misread images; those first of which the network is most sure.
fn mistakes<'a>(items: &'a [Item], probabilities: &'a Probabilities) -> Vec<Mistake<'a>> {
    let read = probabilities
        .predictions()
        .into_iter()
        .zip(probabilities.rows());
    let mut mistakes: Vec<Mistake<'a>> = items
        .iter()
        .zip(read)
        .filter(|(item, (predicted, _))| item.label != *predicted)
        .map(|(item, (predicted, probabilities))| Mistake {
            item,
            predicted,
            probabilities,
        })
        .collect();
    mistakes.sort_by(|a, b| b.confidence().total_cmp(&a.confidence()));
    mistakes
}

impl Mistake<'_> {
    /// The probability that the network gives to what it takes the image for.
    fn confidence(&self) -> f64 {
        self.probabilities[self.predicted]
    }
}

/// The images, each with its label, what it was taken for, and how surely.
fn sheet(mistakes: &[Mistake<'_>]) -> Sheet {
    let side = mistakes
        .first()
        .map_or(1, |mistake| mistake.item.image.side());
    let mut sheet = Sheet::new(side, COLUMNS);
    for mistake in mistakes {
        let Mistake {
            item, predicted, ..
        } = mistake;
        let percent = 100.0 * mistake.confidence();
        sheet.push(
            item.image.pixels(),
            format!("{}>{predicted} {percent:.1}%", item.label),
        );
    }
    sheet
}

#[cfg(test)]
mod tests {
    use model::Activation;

    use super::*;

    /// Four images of one pixel.
    fn images() -> LabelledImages {
        LabelledImages::new(vec![10, 20, 30, 40], vec![0, 1, 1, 0], 1).unwrap()
    }

    #[test]
    fn sure_mistakes_come_first() {
        let items = items(&images()).unwrap();
        // Read as 0, 0, 0, 1.
        let logits = [1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 2.0];
        let probabilities = Probabilities::softmax(&logits, 2);
        let mistakes = mistakes(&items, &probabilities);
        let found: Vec<_> = mistakes
            .iter()
            .map(|mistake| (mistake.item.number, mistake.item.label, mistake.predicted))
            .collect();
        assert_eq!(found, [(3, 1, 0), (4, 0, 1), (2, 1, 0)]);
        assert_eq!(mistakes[0].item.image.pixels(), [30]);
        // 1 / (1 + e⁻³)
        assert!((mistakes[0].confidence() - 0.952_574_126_822_433).abs() < 1e-12);
    }

    /// The page about networks with these activation functions.
    fn page(networks: &[(Activation, Probabilities)], limit: usize) -> String {
        let items = items(&images()).unwrap();
        let networks: Vec<_> = networks.iter().map(|(one, read)| (*one, read)).collect();
        let predictions: Vec<_> = networks.iter().map(|(_, read)| *read).collect();
        let probabilities = Probabilities::mean(&predictions);
        let page = Page {
            title: "a <b> title",
            note: Some("all of these <images> were used"),
            command: "trainer errors run",
            mistakes: &mistakes(&items, &probabilities),
            items: &items,
            comparison: &Comparison::new(&networks, &[0, 1, 1, 0]),
            limit,
        };
        let html = page.html();
        assert!(!html.contains("http"), "{html}");
        html
    }

    #[test]
    fn the_page_is_complete_in_itself() {
        let read = Probabilities::softmax(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0], 2);
        let page = page(&[(Activation::Relu, read)], 100);
        assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
        assert!(page.contains("<h1>a &lt;b&gt; title</h1>"), "{page}");
        assert_eq!(page.matches("src=\"data:image/png;base64,iVBOR").count(), 1);
        assert!(page.contains("number 2: a 1 read as 0, 73.1 %"), "{page}");
        assert!(!page.contains("relu"), "{page}");
    }

    #[test]
    fn the_page_shows_what_only_one_function_reads() {
        // Read as 0, 1, 1, 0; and as 1, 0, 1, 0, more surely.
        let networks = [
            [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            [0.0, 2.0, 3.0, 0.0, 0.0, 1.0, 1.0, 0.0],
        ]
        .map(|logits| Probabilities::softmax(&logits, 2));
        let networks = [Activation::Relu, Activation::Tanh]
            .into_iter()
            .zip(networks);
        let networks: Vec<_> = networks.collect();
        let whole = page(&networks, 100);
        // Two that both together misread, and the same two again.
        assert_eq!(whole.matches("<img").count(), 4);
        assert!(whole.contains("<a href=\"#only-0-1\">2</a>"), "{whole}");
        assert!(
            whole.contains("<h3 id=\"only-0-1\">Only relu reads 2</h3>"),
            "{whole}"
        );
        assert!(
            whole.contains("<h3 id=\"only-1-0\">Only tanh reads 0</h3>"),
            "{whole}"
        );
        assert!(
            whole.contains("McNemar's exact test: p = 0.500."),
            "{whole}"
        );
        let sure = whole.find("number 2: a 1, read as 1 by relu and as 0 by tanh");
        let less = whole.find("number 1: a 0, read as 0 by relu and as 1 by tanh");
        assert!(sure.is_some() && sure < less, "{whole}");

        let part = page(&networks, 1);
        assert!(part.contains("Only relu reads 2 (shown: 1)"), "{part}");
        assert!(!part.contains("number 1: a 0, read as 0 by relu"), "{part}");
    }

    #[test]
    fn networks_can_be_right_together_alone() {
        // Read as 0, 1, 1, 0; and number 1 as 1, less surely.
        let networks = [
            [2.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
        ]
        .map(|logits| Probabilities::softmax(&logits, 2));
        let networks = [Activation::Relu, Activation::Tanh]
            .into_iter()
            .zip(networks);
        let page = page(&networks.collect::<Vec<_>>(), 100);
        assert!(page.contains("<p>None.</p>"), "{page}");
        assert_eq!(page.matches("<img").count(), 1);
    }
}
