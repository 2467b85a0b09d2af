//! `trainer predict`: Kaggle's submission file.

use std::ffi::OsStr;
use std::iter::once;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use burn::data::dataset::Dataset;
use clap::Args;
use data::{Source, Thousands, UnlabelledImages};
use files::write_atomically;
use mnist::Existing;

use super::networks::note_on_other_brightness;
use super::{evaluate, networks};
use crate::console::{print, print_error};
use crate::ensemble::{Ensemble, Member};
use crate::evaluation::Probabilities;
use crate::output_files::{BEGINNING, check_ending, check_folder_of, check_replaceable};
use crate::shell::as_argument;
use crate::text::note_on_archive;

const PROBABILITIES: &str = "--probabilities";

/// The column with the number of an image.
const IMAGE: &str = mnist::SUBMISSION_COLUMNS[0];

/// Options of `trainer predict`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    networks: networks::Options,
    /// Unlabelled images: a CSV file (plain, .gz or Kaggle's .zip) or its folder [default: the archive or
    /// the folder of the images that the runs were trained with, if test.csv is there too, or else data/]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The file to write; a submission that is there is replaced
    #[arg(long, short, value_name = "FILE", default_value = "submission.csv")]
    out: PathBuf,
    /// Write the probabilities of all classes too: a CSV file with the columns ImageId,0,1,… and a row for
    /// each image; such a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    probabilities: Option<PathBuf>,
    /// Write classes by their names in this file, which `trainer data convert` wrote beside the training
    /// images, instead of by their numbers
    #[arg(long, value_name = "CLASSES.CSV")]
    classes: Option<PathBuf>,
}

/// Reads the unlabelled images with a run's network, or with several, and writes one row for each, and
/// another with its probabilities where that is asked for. Then says how well the same networks read the
/// images that they have held out.
///
/// # Errors
///
/// A run that cannot be loaded, images that do not fit it, or another file in the way of what is written.
pub fn run(options: &Options) -> Result<ExitCode> {
    let names = options.classes.as_deref().map(data::class_names);
    let names = names.transpose()?;
    options.check_files(names.as_deref())?;
    if options.data.as_deref() == Some(Path::new(data::BUILT_IN)) {
        bail!(
            "the built-in digits have labels; `trainer data make` writes them as files, with a test.csv to predict"
        );
    }
    let ensemble = options.networks.load()?;
    let known = ensemble.task().classes;
    if let (Some(names), Some(file)) = (&names, &options.classes)
        && names.len() != known
    {
        bail!(
            "{} has {} classes, but the network knows {known}; name the file that is beside the images that it was trained with",
            file.display(),
            names.len(),
        );
    }
    let archive = || training_archive(&ensemble.members);
    let named = options.data.clone().or_else(archive);
    let images = match &named {
        Some(named) => data::test_images(Some(named))?,
        None => images_of(&ensemble)?,
    };
    if let Some(note) = note_on_archive(images.source(), named.as_deref()) {
        print_error(&note);
    }
    let side = images.side();
    let expected = ensemble.task().height;
    if side != expected {
        bail!(
            "{} has {side}×{side} images, but the network reads {expected}×{expected}",
            images.source(),
        );
    }
    note_on_other_brightness(&ensemble, images.source(), images.scaling());
    let predictions = ensemble.predict(&images, side, options.networks.views())?;
    let probabilities = Probabilities::mean(&predictions);
    let labels = probabilities.predictions();
    if labels.len() != images.len() {
        bail!("{} predictions for {} images", labels.len(), images.len());
    }
    write_labels(&options.out, &labels, names.as_deref(), images.source())?;
    if let Some(path) = &options.probabilities {
        let numbers = || (0..known).map(|class| class.to_string()).collect();
        write_probabilities(path, &probabilities, &names.unwrap_or_else(numbers))?;
    }
    match evaluate::validation_summary(&ensemble, options.networks.views()) {
        Ok(summary) => print(&summary)?,
        // The submission is there all the same.
        Err(error) => print(&format!("how many are right is not known: {error:#}"))?,
    }
    // Answers are numbers.
    if options.classes.is_none()
        && let Some(answers) = answers_to(images.source())
    {
        print(&format!(
            "next: `trainer score {} --answers {}` compares it with the right answers",
            as_argument(&options.out),
            as_argument(&answers)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// Refuses to write where another file is in the way, or both files to one place.
    fn check_files(&self, names: Option<&[String]>) -> Result<()> {
        check_folder_of(&self.out, "--out")?;
        check_name(&self.out, "--out")?;
        check_replaceable(&self.out, "--out", "a submission", |start| {
            start.starts_with(mnist::SUBMISSION_COLUMNS.join(",").as_bytes())
        })?;
        let Some(path) = &self.probabilities else {
            return Ok(());
        };
        check_folder_of(path, PROBABILITIES)?;
        check_name(path, PROBABILITIES)?;
        if place(path)? == place(&self.out)? {
            bail!(
                "{} is where the submission goes; name another file with {PROBABILITIES}",
                path.display()
            );
        }
        let first = names.and_then(|names| names.first());
        let headers = [first.map_or("0", String::as_str), "0"].map(beginning_of_table);
        check_replaceable(path, PROBABILITIES, "a table of probabilities", |start| {
            headers.iter().any(|header| {
                // A name may be longer than what is read of the file.
                let len = header.len().min(BEGINNING as usize);
                start.starts_with(&header[..len])
            })
        })
    }
}

/// The answers that `data fetch` and `data make` write beside their test.csv, if they are there.
fn answers_to(images: &Source) -> Option<PathBuf> {
    let Source::File(path) = images else {
        return None;
    };
    let name = path.file_name()?.to_str()?;
    let answers = path.with_file_name(mnist::TEST_LABELS);
    // It may have been compressed since.
    (name.trim_end_matches(".gz") == mnist::TEST && answers.is_file()).then_some(answers)
}

/// Refuses the name of another kind of file than CSV, and that of the answers, which the submission would be compared
/// with.
fn check_name(path: &Path, option: &str) -> Result<()> {
    check_ending(path, "CSV file", "csv")?;
    let target = files::target(path);
    let names = [path.file_name(), target.file_name()];
    if names.contains(&Some(OsStr::new(mnist::TEST_LABELS))) {
        bail!(
            "{} is the name of the answers to the test images; name another file with {option}",
            path.display()
        );
    }
    Ok(())
}

/// What a path in a folder that is there leads to, whatever way leads there.
fn place(path: &Path) -> Result<PathBuf> {
    let target = files::target(path);
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot find {}", folder.display()))?;
    Ok(folder.join(target.file_name().unwrap_or_default()))
}

/// Writes the submission, and says so; with the names of the classes, if there are any, instead of their numbers.
fn write_labels(
    path: &Path,
    labels: &[usize],
    names: Option<&[String]>,
    images: &Source,
) -> Result<()> {
    let replaced = note_of_replacing(path);
    let count = Thousands(labels.len());
    match names {
        // A label is a byte in the file that the network was trained with.
        None => {
            let labels = labels.iter().map(|&class| class as u8);
            mnist::write_submission(path, Existing::Replace, labels)?;
        }
        Some(names) => {
            let mut table = csv::Writer::from_writer(Vec::new());
            table.write_record(mnist::SUBMISSION_COLUMNS)?;
            for (number, &label) in (1..).zip(labels) {
                table.serialize::<(usize, &str)>((number, &names[label]))?;
            }
            write_atomically(path, &table.into_inner()?)?;
        }
    }
    let path = path.display();
    print(&format!(
        "wrote {count} predictions of {images} to {path}{replaced}"
    ))?;
    Ok(())
}

/// Writes the table of probabilities, and says so.
fn write_probabilities(
    path: &Path,
    probabilities: &Probabilities,
    classes: &[String],
) -> Result<()> {
    let replaced = note_of_replacing(path);
    write_atomically(path, &table(probabilities, classes)?)?;
    let path = path.display();
    print(&format!("wrote their probabilities to {path}{replaced}"))?;
    Ok(())
}

/// What a table of probabilities begins with whose first class is called so.
fn beginning_of_table(class: &str) -> Vec<u8> {
    let mut header = csv::Writer::from_writer(Vec::new());
    // Into memory, where it does not fail.
    drop(header.write_record([IMAGE, class, ""]));
    let mut header = header.into_inner().unwrap_or_default();
    header.truncate(header.len().saturating_sub(1));
    header
}

/// A row for each image: its number, counted from 1, and the probability of each class.
fn table(probabilities: &Probabilities, classes: &[String]) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(once(IMAGE).chain(classes.iter().map(String::as_str)))?;
    for (number, row) in (1..).zip(probabilities.rows()) {
        table.serialize::<(usize, _)>((number, row))?;
    }
    Ok(table.into_inner()?)
}

fn note_of_replacing(path: &Path) -> &'static str {
    match path.exists() {
        true => ", in the place of the ones that were there",
        false => "",
    }
}

/// The archive that all of these networks were trained with, if there are images to predict in it.
fn training_archive(members: &[Member]) -> Option<PathBuf> {
    let file = common(members, |member| member.config.data.path.clone());
    file.filter(|file| data::has_archived_test_images(file))
}

/// The images to predict where none are named, nor in an archive with those of training: those beside the images that
/// all networks were trained with, if there are any, or else those in [`data::FOLDER`].
///
/// # Errors
///
/// If there are none, or they cannot be read.
fn images_of(ensemble: &Ensemble) -> Result<UnlabelledImages> {
    let default = Path::new(data::FOLDER);
    let Some(folder) = training_folder(&ensemble.members) else {
        return Ok(data::test_images(None)?);
    };
    if data::has_test_images(&folder) {
        match data::test_images(Some(&folder)) {
            // An archive of training images alone.
            Err(data::Error::NotInArchive { .. }) if data::has_test_images(default) => {}
            images => return Ok(images?),
        }
    }
    if !data::has_test_images(default) {
        bail!(
            "there are no images to predict: no test.csv in {}, where those are that the network was trained with, nor in {}; name a file with --data",
            folder.display(),
            default.display()
        );
    }
    Ok(data::test_images(None)?)
}

/// The folder of the images that all of these networks were trained with, unless they were built-in, have come from
/// several folders or from [`data::FOLDER`].
fn training_folder(members: &[Member]) -> Option<PathBuf> {
    let folder = |member: &Member| {
        let path = member.config.data.path.as_deref()?;
        match path.is_dir() {
            true => Some(path.to_owned()),
            false => path.parent().map(Path::to_owned),
        }
    };
    // The path of the built-in digits is a name alone, all others that runs note are absolute.
    let is_default =
        |path: &PathBuf| std::path::absolute(data::FOLDER).is_ok_and(|default| default == *path);
    common(members, folder).filter(|path| path != Path::new("") && !is_default(path))
}

/// The path that is that of every member, if there is one.
fn common(members: &[Member], path: impl Fn(&Member) -> Option<PathBuf>) -> Option<PathBuf> {
    let first = path(members.first()?)?;
    let mut paths = members.iter().map(path);
    paths
        .all(|path| path.as_ref() == Some(&first))
        .then_some(first)
}
