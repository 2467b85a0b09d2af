//! `trainer data show`: images as a picture.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use augmentation::{AugmentationConfig, Augmenter};
use clap::Args;
use data::{ImageTable, Thousands};
use picture::Sheet;
use serde::Deserialize;

use crate::cli::{number, whole_number};
use crate::console::print;
use crate::output_files::{check_folder_of, check_picture, write_picture};
use crate::toml_file::read_toml;

/// Images in a row: as many as are easily compared, and fit on a screen.
const COLUMNS: usize = 10;

/// Options of `trainer data show`.
#[derive(Debug, Args)]
pub struct Options {
    /// A CSV file (plain, .gz or Kaggle's .zip), labelled or not; its folder; or built-in [default:
    /// data/, or else built-in]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The picture to write
    #[arg(long, short, value_name = "PICTURE.PNG", default_value = "digits.png")]
    out: PathBuf,
    /// Number of images, 1 to 1000 [default: 10 with their augmented versions, or else 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    count: Option<u32>,
    /// Decides which images are shown, and what happens to them
    #[arg(long, short, value_name = "N", default_value_t = 0, value_parser = whole_number::<u64>, allow_negative_numbers = true)]
    seed: u64,
    #[command(flatten)]
    changes: Changes,
}

/// What may happen to an image. Beside each image, nine versions are shown if there is anything.
#[derive(Debug, Args)]
#[command(next_help_heading = "Augmentation")]
struct Changes {
    /// A file with a table [augmentation], which the options below change
    #[arg(long, short, alias = "recipe", value_name = "FILE.TOML")]
    config: Option<PathBuf>,
    /// Rotation in either direction, up to so many degrees
    #[arg(long, value_name = "DEGREES", value_parser = number::<f64>, allow_negative_numbers = true)]
    rotation: Option<f64>,
    /// Shift along each axis, up to so many pixels
    #[arg(long, value_name = "PIXELS", value_parser = number::<f64>, allow_negative_numbers = true)]
    shift: Option<f64>,
    /// Change of size: 0.1 is from 0.9 to 1.1 times the size
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    zoom: Option<f64>,
    /// Change of width against height, the area staying: 0.1 is a ratio from 0.9 to 1.1
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    stretch: Option<f64>,
    /// Slant to either side, up to so many degrees
    #[arg(long, value_name = "DEGREES", value_parser = number::<f64>, allow_negative_numbers = true)]
    shear: Option<f64>,
    /// Elastic distortion: root mean square of the displacement in pixels
    #[arg(long, value_name = "STRENGTH", value_parser = number::<f64>, allow_negative_numbers = true)]
    elastic: Option<f64>,
    /// Change of the thickness of strokes, up to so many pixels, 0 to 1
    #[arg(long, value_name = "PIXELS", value_parser = number::<f64>, allow_negative_numbers = true)]
    thickness: Option<f64>,
    /// Share of the images in which a rectangle is covered
    #[arg(long, value_name = "PROBABILITY", value_parser = number::<f64>, allow_negative_numbers = true)]
    erasing: Option<f64>,
}

/// Draws a sheet of images.
///
/// # Errors
///
/// Unreadable images, invalid augmentation, or a picture that cannot be written.
pub fn run(options: &Options) -> Result<ExitCode> {
    let config = options.changes.config()?;
    check_folder_of(&options.out, "--out")?;
    check_picture(&options.out)?;
    // Of a folder or an archive, the labelled ones.
    let mut tables = data::each_table(options.path.as_deref()).into_iter();
    let Some(table) = &tables.next().transpose()? else {
        bail!("there are no images");
    };
    let default = if config.is_identity() { 100 } else { 10 };
    let count = options.count.unwrap_or(default) as usize;
    let chosen = choose(table, count, options.seed);
    let sheet = if config.is_identity() {
        plain(table, &chosen)
    } else {
        let augmenter = Augmenter::new(&config, table.side(), options.seed)?;
        augmented(table, &chosen, augmenter)
    };
    write_picture(&options.out, &sheet)?;
    let versions = match config.is_identity() {
        true => String::new(),
        false => format!(", each with {} augmented versions", COLUMNS - 1),
    };
    print(&format!(
        "{}: drew {} of {} images{versions}: {}",
        table.name(),
        Thousands(chosen.len()),
        Thousands(table.images().len()),
        options.out.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

impl Changes {
    fn config(&self) -> Result<AugmentationConfig> {
        let mut config = match &self.config {
            Some(file) => read(file)?,
            None => AugmentationConfig::default(),
        };
        for (field, option) in [
            (&mut config.rotation, self.rotation),
            (&mut config.shift, self.shift),
            (&mut config.zoom, self.zoom),
            (&mut config.stretch, self.stretch),
            (&mut config.shear, self.shear),
            (&mut config.elastic.strength, self.elastic),
            (&mut config.thickness, self.thickness),
            (&mut config.erasing.probability, self.erasing),
        ] {
            *field = option.unwrap_or(*field);
        }
        config.check()?;
        Ok(config)
    }
}

/// The table `[augmentation]` of a file, whatever else is in it.
fn read(file: &Path) -> Result<AugmentationConfig> {
    #[derive(Deserialize)]
    struct Tables {
        augmentation: Option<AugmentationConfig>,
    }
    match read_toml::<Tables>(file)?.augmentation {
        Some(config) => Ok(config),
        None => bail!("{} has no table [augmentation]", file.display()),
    }
}

/// Indices of so many images in random order, those of the classes in turn.
fn choose(table: &ImageTable, count: usize, seed: u64) -> Vec<usize> {
    let order = data::epoch_order(seed, 0, table.images().len());
    let mut classes: Vec<Vec<usize>> = Vec::new();
    for index in order.into_iter().rev().map(|index| index as usize) {
        let class = table.labels().map_or(0, |labels| labels[index]);
        classes.resize(classes.len().max(usize::from(class) + 1), Vec::new());
        classes[usize::from(class)].push(index);
    }
    let mut chosen = Vec::new();
    while chosen.len() < count.min(table.images().len()) {
        chosen.extend(classes.iter_mut().filter_map(Vec::pop));
    }
    chosen.truncate(count);
    chosen
}

fn plain(table: &ImageTable, chosen: &[usize]) -> Sheet {
    let mut sheet = Sheet::new(table.side(), COLUMNS);
    for &index in chosen {
        sheet.push(table.image(index), caption(table, index));
    }
    sheet
}

/// Each image, followed by what becomes of it in some epochs.
fn augmented(table: &ImageTable, chosen: &[usize], mut augmenter: Augmenter) -> Sheet {
    let mut sheet = Sheet::new(table.side(), COLUMNS);
    let mut version = vec![0; table.side() * table.side()];
    for &index in chosen {
        let image = table.image(index);
        sheet.push(image, caption(table, index));
        for epoch in 1..COLUMNS {
            augmenter.augment_bytes(epoch as u64, index as u64, image, &mut version);
            sheet.push(&version, "");
        }
    }
    sheet
}

/// The image's label.
fn caption(table: &ImageTable, index: usize) -> String {
    table
        .labels()
        .map_or_else(String::new, |labels| labels[index].to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of one pixel, which is their number.
    fn table(labels: Option<&[u8]>, images: u8) -> ImageTable {
        let labels = labels.map(<[u8]>::to_vec);
        ImageTable::new("t", (0..images).collect(), labels, 1).unwrap()
    }

    #[test]
    fn classes_are_shown_in_turn() {
        let labels = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2];
        let table = table(Some(&labels), 10);
        let chosen = choose(&table, 7, 3);
        let classes: Vec<u8> = chosen.iter().map(|&index| labels[index]).collect();
        assert_eq!(classes, [0, 1, 2, 0, 1, 2, 0]);
        assert_ne!(chosen, choose(&table, 7, 4));
        let mut all = choose(&table, 1000, 3);
        assert_eq!(all[..7], chosen);
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter(0..10));
    }

    #[test]
    fn without_labels_any_are_shown() {
        let mut all = choose(&table(None, 30), 30, 0);
        assert_ne!(all, Vec::from_iter(0..30));
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter(0..30));
    }

    #[test]
    fn augmentation_comes_from_a_file_and_from_options() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipe.toml");
        std::fs::write(
            &file,
            "epochs = 3\n[augmentation]\nrotation = 10\nshift = 2\n[augmentation.elastic]\nstrength = 1.5\n",
        )
        .unwrap();
        let changes = Changes {
            config: Some(file.clone()),
            rotation: Some(5.0),
            shift: None,
            zoom: None,
            stretch: None,
            shear: None,
            elastic: None,
            thickness: Some(0.25),
            erasing: Some(0.5),
        };
        let config = changes.config().unwrap();
        assert_eq!((config.rotation, config.shift), (5.0, 2.0));
        assert_eq!(config.elastic.strength, 1.5);
        assert_eq!(config.thickness, 0.25);
        assert_eq!(config.erasing.probability, 0.5);
        std::fs::write(&file, "epochs = 3\n").unwrap();
        let error = changes.config().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{} has no table [augmentation]", file.display())
        );
    }
}
