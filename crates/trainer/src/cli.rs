//! The command line.

use std::num::{IntErrorKind, NonZeroUsize, ParseIntError};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::commands::{
    activations, compare, data, ensemble, errors, evaluate, export, predict, resume, score, study,
    train,
};

/// Train an image classifier with any activation function
#[derive(Debug, Parser)]
#[command(
    name = "trainer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command, trains with the options of `trainer train`."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network (the default command)
    Train(Box<train::Options>),
    /// Continue a run that was stopped, or make it longer
    Resume(resume::Options),
    /// Train several networks by one recipe, to be read together
    Ensemble(ensemble::Options),
    /// Score a run's network, or several together, on labelled images
    Evaluate(evaluate::Options),
    /// Show the images that a run's network, or several together, misread
    Errors(errors::Options),
    /// Read unlabelled images, write Kaggle's submission file, and score the images held out
    Predict(predict::Options),
    /// Score a submission file where the answers are known
    Score(score::Options),
    /// Write a run's network as safetensors, for PyTorch and others
    Export(export::Options),
    /// Compare activation functions: train each several times, and write a report
    #[command(
        after_help = "To vary more than the function, or to have a claim judged, write a study, such as\nexperiments/tutorial.toml, and `trainer study run` it."
    )]
    Compare(Box<compare::Options>),
    /// Make and report comparisons that are written down in a file
    #[command(subcommand)]
    Study(study::Verb),
    /// Get images of digits, look at them, and find what is wrong with them
    #[command(subcommand)]
    Data(data::Verb),
    /// List the activation functions
    Activations(activations::Options),
}

/// A count of at least one, from the text of an option.
///
/// # Errors
///
/// What was expected instead.
pub fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| String::from("expected a whole number of at least 1"))
}

/// A whole number, from the text of an option.
///
/// # Errors
///
/// What was expected instead.
pub fn whole_number<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: ParseIntError| {
        String::from(match error.kind() {
            IntErrorKind::PosOverflow => "the number is too large",
            _ => "expected a whole number that is not negative",
        })
    })
}

/// A number, from the text of an option.
///
/// # Errors
///
/// What was expected instead.
pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| String::from("expected a number"))
}

/// How much is said, and to whom.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// Lines instead of a dashboard or a progress bar
    #[arg(long, conflicts_with_all = ["quiet", "json"])]
    pub plain: bool,
    /// Say nothing but errors
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
    /// One JSON object per line, for programs
    #[arg(long)]
    pub json: bool,
}

/// A run's folder.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The run's folder, such as experiments/runs/small-relu-seed0-flex
    #[arg(value_name = "RUN")]
    pub path: PathBuf,
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    ///
    /// The error of the verb: see the `run` of each.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            None => train::run(&self.train),
            Some(Command::Train(options)) => train::run(&options),
            Some(Command::Resume(options)) => resume::run(&options),
            Some(Command::Ensemble(options)) => ensemble::run(&options),
            Some(Command::Evaluate(options)) => evaluate::run(&options),
            Some(Command::Errors(options)) => errors::run(&options),
            Some(Command::Predict(options)) => predict::run(&options),
            Some(Command::Score(options)) => score::run(&options),
            Some(Command::Export(options)) => export::run(&options),
            Some(Command::Compare(options)) => compare::run(&options),
            Some(Command::Study(verb)) => study::run(&verb),
            Some(Command::Data(verb)) => data::run(&verb),
            Some(Command::Activations(options)) => activations::run(&options),
        }
    }
}
