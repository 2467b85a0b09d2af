//! `trainer predict`: Kaggle's submission file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use burn::data::dataset::Dataset;
use clap::Args;
use data::{Source, Thousands, UnlabelledImages};
use mnist::Existing;

use super::networks::note_if_inverted;
use super::{evaluate, networks};
use crate::console::print;
use crate::ensemble::{Ensemble, Member};
use crate::evaluation::Probabilities;
use crate::output_files::{check_folder_of, check_replaceable};
use crate::shell::as_argument;

/// Options of `trainer predict`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    networks: networks::Options,
    /// Unlabelled images: a CSV file (plain, .gz or Kaggle's .zip) or its folder [default: the folder of
    /// the images that the runs were trained with, if test.csv is there too, or else data/]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The file to write; a submission that is there is replaced
    #[arg(long, short, value_name = "FILE", default_value = "submission.csv")]
    out: PathBuf,
}

/// Reads the unlabelled images with a run's network, or with several, and writes one row for each. Then
/// says how well the same networks read the images that they have held out.
///
/// # Errors
///
/// A run that cannot be loaded, images that do not fit it, or another file in the way of the submission.
pub fn run(options: &Options) -> Result<ExitCode> {
    check_folder_of(&options.out)?;
    if options.out.file_name() == Some(OsStr::new(mnist::TEST_LABELS)) {
        bail!(
            "{} is the name of the answers to the test images; name another file with --out",
            options.out.display()
        );
    }
    check_replaceable(&options.out, "a submission", |start| {
        start.starts_with(mnist::SUBMISSION_COLUMNS.join(",").as_bytes())
    })?;
    if options.data.as_deref() == Some(Path::new(data::BUILT_IN)) {
        bail!(
            "the built-in digits have labels; `trainer data make` writes them as files, with a test.csv to predict"
        );
    }
    let ensemble = options.networks.load()?;
    let images = match &options.data {
        Some(named) => data::test_images(Some(named))?,
        None => images_of(&ensemble)?,
    };
    let (count, side) = (images.len(), images.side());
    let expected = ensemble.task().height;
    if side != expected {
        bail!(
            "{} has {side}×{side} images, but the network reads {expected}×{expected}",
            images.source(),
        );
    }
    note_if_inverted(&ensemble, images.source(), images.scaling());
    let predictions = ensemble.predict(&images, side, options.networks.views())?;
    let probabilities = Probabilities::mean(&predictions);
    let labels = probabilities.predictions();
    if labels.len() != count {
        bail!("{} predictions for {count} images", labels.len());
    }
    // A label is a byte in the file that the network was trained with.
    let labels = labels.into_iter().map(|class| class as u8);
    let replaced = match options.out.exists() {
        true => ", in the place of the ones that were there",
        false => "",
    };
    mnist::write_submission(&options.out, Existing::Replace, labels)?;
    print(&format!(
        "wrote {} predictions of {} to {}{replaced}",
        Thousands(count),
        images.source(),
        options.out.display()
    ))?;
    match evaluate::validation_summary(&ensemble, options.networks.views()) {
        Ok(summary) => print(&summary)?,
        // The submission is there all the same.
        Err(error) => print(&format!("how many are right is not known: {error:#}"))?,
    }
    if let Source::File(path) = images.source()
        && let answers = path.with_file_name(mnist::TEST_LABELS)
        && answers.is_file()
    {
        print(&format!(
            "next: `trainer score {} --answers {}` compares it with the right answers",
            as_argument(&options.out),
            as_argument(&answers)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The images to predict where none are named: those beside the images that all networks were trained with, if
/// there are any, or else those in [`data::FOLDER`].
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
    let first = folder(members.first()?)?;
    let is_common = members
        .iter()
        .all(|member| folder(member).as_ref() == Some(&first));
    // The path of the built-in digits is a name alone, all others that runs note are absolute.
    let is_default = std::path::absolute(data::FOLDER).is_ok_and(|default| default == first);
    (is_common && first != Path::new("") && !is_default).then_some(first)
}
