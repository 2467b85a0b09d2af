//! `trainer data convert`: tables of one's own in the form that the program reads.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use data::{ColourOrder, Colours, Conversion, ConvertError, Converted, Thousands};

use crate::cli::{count, number};
use crate::console::{print, print_error};
use crate::interrupt::{INTERRUPTED, Signals};
use crate::output_files::check_ending;
use crate::shell::as_argument;

/// Options of `trainer data convert`.
#[derive(Debug, Args)]
pub struct Options {
    /// A table of images: CSV (plain, .gz or .zip), with commas, semicolons, tabs, | or spaces
    #[arg(value_name = "IN.CSV")]
    input: PathBuf,
    /// The file to write, which is not there yet; the classes go to OUT-classes.csv beside it
    #[arg(value_name = "OUT.CSV")]
    output: PathBuf,
    /// The column with the classes, numbers or texts [default: label, or else class, target, y, digit
    /// or the like]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// There is no such column: the images are to be predicted
    #[arg(long, conflicts_with_all = ["label_column", "classes"])]
    unlabelled: bool,
    /// Number the classes as in this file, which an earlier conversion wrote
    #[arg(long, value_name = "CLASSES.CSV")]
    classes: Option<PathBuf>,
    /// A column that holds neither, such as id; can be repeated
    #[arg(long, value_name = "NAME")]
    drop: Vec<String>,
    /// The values of background and full ink, such as 0 65535; 255 0 inverts [default: 0 1 where no
    /// pixel is larger, or else 0 255]
    #[arg(
        long,
        num_args = 2,
        value_names = ["LOW", "HIGH"],
        value_parser = number::<f64>,
        allow_negative_numbers = true
    )]
    range: Option<Vec<f64>>,
    /// The first row holds no names; those of the columns are 1, 2, 3, …
    #[arg(long)]
    no_header: bool,
    /// The width of images that are not square; they get margins of background
    #[arg(long, value_name = "PIXELS", value_parser = count, allow_negative_numbers = true)]
    width: Option<NonZeroUsize>,
    /// The images are in colour and become grey: all red, then all green, then all blue (planes), or
    /// red, green and blue of each pixel (pixels)
    #[arg(long, value_name = "ORDER")]
    rgb: Option<Order>,
    /// The same with alpha behind blue, which is left out
    #[arg(long, value_name = "ORDER", conflicts_with = "rgb")]
    rgba: Option<Order>,
    /// What stands for pixels that are missing: in the table's own range the background, such as 0
    #[arg(long, value_name = "VALUE", value_parser = number::<f64>, allow_negative_numbers = true)]
    fill: Option<f64>,
}

/// How the colours of an image lie in its row.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Planes,
    Pixels,
}

impl Order {
    fn colours(self, has_alpha: bool) -> Colours {
        let order = match self {
            Self::Planes => ColourOrder::Planes,
            Self::Pixels => ColourOrder::Pixels,
        };
        Colours { order, has_alpha }
    }
}

/// Writes the table in the form that the program reads, and its classes, and says what was done.
///
/// # Errors
///
/// A table that cannot be read or converted, or a file in the way.
pub fn run(options: &Options) -> Result<ExitCode> {
    check_output(&options.output)?;
    let conversion = options.conversion()?;
    // The conversion asks whether there was a signal, and then leaves nothing behind.
    let signals = Signals::listen()?;
    signals.call(|| ());
    let requested = || signals.requested();
    match conversion.run(&options.input, &options.output, &requested) {
        Ok(converted) => print(&summary(&converted, &options.output))?,
        Err(error @ ConvertError::Cancelled) => {
            print_error(&error.to_string());
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn conversion(&self) -> Result<Conversion> {
        let range = match self.range.as_deref() {
            Some(&[low, high]) if low != high && (high - low).is_finite() => Some([low, high]),
            Some(_) => bail!("--range needs two different finite numbers"),
            None => None,
        };
        if self.fill.is_some_and(|value| !value.is_finite()) {
            bail!("--fill needs a finite number");
        }
        Ok(Conversion {
            label_column: self.label_column.clone(),
            is_labelled: !self.unlabelled,
            classes: self.classes.clone(),
            drop: self.drop.clone(),
            range,
            has_header: !self.no_header,
            width: self.width.map(NonZeroUsize::get),
            colours: match (self.rgb, self.rgba) {
                (Some(order), _) => Some(order.colours(false)),
                (None, Some(order)) => Some(order.colours(true)),
                (None, None) => None,
            },
            fill: self.fill,
        })
    }
}

/// Refuses a name of another kind of file, and a folder that is not there.
fn check_output(path: &Path) -> Result<()> {
    if path.extension().is_none() {
        bail!(
            "{} has no ending; name one that ends in .csv",
            path.display()
        );
    }
    check_ending(path, "CSV file", "csv")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    if folder != Path::new("") && !folder.is_dir() {
        bail!(
            "there is no folder {}; make it, or name another file to write",
            folder.display()
        );
    }
    Ok(())
}

/// Where no pixel is brighter, full ink may be another value than 255.
const DARK: f64 = 128.0;

/// Smaller images are hardly any.
const SMALLEST_IMAGE: usize = 5;

/// Classes that are printed; the file has all of them.
const SHOWN: usize = 20;

fn summary(converted: &Converted, output: &Path) -> String {
    let Converted {
        images,
        size: [width, height],
        side,
        range: [low, high],
        largest,
        filled,
        classes,
        classes_file,
    } = converted;
    let kind = match classes.is_empty() {
        true => "unlabelled",
        false => "labelled",
    };
    let margins = match width == height {
        true => String::new(),
        false => format!(", those of {width}×{height} with margins"),
    };
    let scaled = match (*low, *high) {
        (0.0, 255.0) => String::new(),
        (low, high) => format!("; pixels from {low} to {high} are 0 to 255 there"),
    };
    let mut lines = vec![format!(
        "wrote {} {kind} {side}×{side} images to {}{margins}{scaled}",
        Thousands(*images),
        output.display()
    )];
    if *filled > 0 {
        let pixels = if *filled == 1 { "pixel" } else { "pixels" };
        lines.push(format!("filled in {} missing {pixels}", Thousands(*filled)));
    }
    if *side < SMALLEST_IMAGE {
        lines.push(format!(
            "note: {} columns are taken for {width}×{height} pixels; tables of anything but images are not read",
            width * height
        ));
    }
    if (*low, *high) == (0.0, 255.0) && *largest > 0.0 && *largest < DARK {
        lines.push(format!(
            "note: the brightest pixel is {largest} of 255; where that is full ink, --range 0 {largest} makes it so"
        ));
    }
    if let Some(file) = classes_file {
        lines.push(format!(
            "the labels of the classes are in {0}, by which other tables are converted alike with --classes {1}:",
            file.display(),
            as_argument(file)
        ));
        lines.push(format!("{:>7}  class", "label"));
        for (label, class) in classes.iter().take(SHOWN).enumerate() {
            // Names are not ours, and one must not steer the terminal.
            lines.push(format!("{label:>7}  {}", class.escape_debug()));
        }
        if let more @ 1.. = classes.len().saturating_sub(SHOWN) {
            lines.push(format!("         and {more} more"));
        }
    }
    lines.join("\n")
}
