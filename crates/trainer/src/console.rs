//! What the user sees of a training: Burn's dashboard, plain lines, JSON, or nothing.

use std::io::{self, ErrorKind, IsTerminal, Write, stderr, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::train::Interrupter;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::dashboard::dashboard;
use crate::history::{EpochRecord, SplitRecord};

/// How a training shows what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Burn's dashboard over the whole terminal.
    Dashboard,
    /// One line per epoch on stdout, and a progress bar on stderr if that is a terminal.
    Plain,
    /// One JSON object per line on stdout.
    Json,
    /// Nothing but errors.
    Quiet,
}

/// Shows what a training does. Clones share one progress bar.
#[derive(Clone)]
pub struct Console {
    style: Style,
    /// Which member of an ensemble it speaks of.
    member: Option<String>,
    bar: ProgressBar,
    /// Whether it has said that lines are lost.
    has_warned: Arc<AtomicBool>,
}

impl Style {
    /// The dashboard where stdout is a terminal and nothing else is asked for, else plain lines.
    pub fn choose(plain: bool, quiet: bool, json: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) if !plain && has_screen() => Self::Dashboard,
            (false, false) => Self::Plain,
        }
    }
}

/// Columns and rows that the dashboard takes to show how far a training is.
const SMALLEST_SCREEN: (u16, u16) = (60, 15);

/// Whether stdout is a terminal that can show more than lines, and stdin is one too: keys are read from it.
fn has_screen() -> bool {
    let is_large = || {
        let (columns, rows) = crossterm::terminal::size().unwrap_or(SMALLEST_SCREEN);
        columns >= SMALLEST_SCREEN.0 && rows >= SMALLEST_SCREEN.1
    };
    stdout().is_terminal()
        && stdin().is_terminal()
        && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
        && is_large()
}

impl Console {
    /// A console of this style.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            member: None,
            bar: progress_bar(style == Style::Plain),
            has_warned: Arc::default(),
        }
    }

    /// A console for a member of an ensemble, which is named in every event.
    pub fn of_member(style: Style, name: String) -> Self {
        Self {
            member: Some(name),
            ..Self::new(style)
        }
    }

    /// Its style.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Says something in words, outside the dashboard.
    pub fn say(&self, line: &str) {
        match self.style {
            Style::Dashboard | Style::Plain => self.print(line),
            Style::Json | Style::Quiet => {}
        }
    }

    /// Says something in words where a line tears no picture.
    pub fn say_beside_the_training(&self, line: &str) {
        if self.style == Style::Plain {
            self.print(line);
        }
    }

    /// Gives an event with its data to a program that reads them.
    pub fn event(&self, name: &str, data: &impl Serialize) {
        #[derive(Serialize)]
        struct Event<'a, T> {
            event: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            member: Option<&'a str>,
            #[serde(flatten)]
            data: &'a T,
        }
        if self.style == Style::Json
            && let Ok(line) = serde_json::to_string(&Event {
                event: name,
                member: self.member.as_deref(),
                data,
            })
        {
            self.print(&line);
        }
    }

    /// Prints a line. A training goes on where that fails, on a full disk for example, and says so once.
    fn print(&self, line: &str) {
        let printed = self.bar.suspend(|| print(line));
        if let Err(error) = printed
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            print_error(&format!(
                "warning: {error}; the training goes on, and its results are in the run's folder"
            ));
        }
    }

    /// An epoch has ended.
    pub fn epoch(&self, record: &EpochRecord, epochs: usize) {
        // The dashboard's curves show the epoch.
        self.say_beside_the_training(&epoch_line(record, epochs));
        self.event("epoch", record);
    }

    /// What shows the metrics of every batch to the user.
    pub fn renderer(
        &self,
        interrupter: &Interrupter,
        first_epoch: usize,
    ) -> Box<dyn MetricsRenderer> {
        if self.style == Style::Dashboard {
            let checkpoint = first_epoch.checked_sub(1).filter(|&epoch| epoch > 0);
            return dashboard(interrupter, checkpoint);
        }
        Box::new(ProgressRenderer {
            bar: self.bar.clone(),
            epoch: first_epoch,
            epochs: 0,
        })
    }
}

/// A progress bar on stderr if it `is_wanted` and stderr is a terminal, else one that is not seen.
pub fn progress_bar(is_wanted: bool) -> ProgressBar {
    if is_wanted && stderr().is_terminal() {
        ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    }
}

/// Prints a line to stdout. A reader that has gone away, such as `head`, is no error.
///
/// # Errors
///
/// The system's, which says that it was stdout that could not be written to.
pub fn print(line: &str) -> io::Result<()> {
    match writeln!(stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("cannot write to stdout: {error}"),
        )),
        Ok(()) => Ok(()),
    }
}

/// Prints text to stdout, and breaks long lines between words where that is a terminal, but for those of
/// tables. Not for commands, which a reader may copy: there, they would become several.
///
/// # Errors
///
/// The system's.
pub fn print_text(text: &str) -> io::Result<()> {
    let columns = crossterm::terminal::size().map_or(0, |(columns, _)| columns);
    if stdout().is_terminal() && columns > 0 {
        return print(&broken_between_words(text, columns.into()));
    }
    print(text)
}

/// The text in lines of at most so many columns, but for words that are longer, and for lines with two spaces
/// beside each other, which are those of tables.
fn broken_between_words(text: &str, columns: usize) -> String {
    let options = textwrap::Options::new(columns)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = text.lines().map(|line| match line.contains("  ") {
        true => line.to_owned(),
        false => textwrap::fill(line, &options),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Prints a line to stderr in one piece, as several processes may write there. Where that fails, there
/// is no other place to say it, and whatever was being done goes on.
pub fn print_error(line: &str) {
    let _ = stderr().write_all(format!("{line}\n").as_bytes());
}

/// An epoch in one line.
pub fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let EpochRecord {
        epoch,
        learning_rate,
        train,
        valid,
    } = record;
    let width = epochs.to_string().len();
    let score = |of: &SplitRecord| {
        let percent = 100.0 * of.accuracy;
        format!("loss {:.4} accuracy {percent:6.2} %", of.loss)
    };
    let validated = valid.map_or_else(String::new, |valid| format!("  valid {}", score(&valid)));
    format!(
        "epoch {epoch:>width$}/{epochs}  train {}{validated}  lr {learning_rate:.1e}  {:.0} images/s  {:.1} s",
        score(train),
        train.images_per_second(),
        train.seconds + valid.map_or(0.0, |valid| valid.seconds),
    )
}

/// Moves the progress bar; the numbers are shown by [`Console::epoch`].
struct ProgressRenderer {
    bar: ProgressBar,
    epoch: usize,
    epochs: usize,
}

impl TrainingProgressLogger for ProgressRenderer {
    fn start(&mut self, epochs: usize, first_epoch: usize, _: Option<usize>, _: Option<&str>) {
        (self.epoch, self.epochs) = (first_epoch, epochs);
    }

    fn start_split(&mut self, split: &str, images: usize) {
        let template = "epoch {msg} [{bar:30}] {pos}/{len} images {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_length(images as u64);
        self.bar
            .set_message(format!("{}/{} {split}", self.epoch, self.epochs));
        self.bar.reset();
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn update_split(&mut self, images: usize) {
        self.bar.set_position(images as u64);
    }

    fn end_split(&mut self) {
        self.bar.disable_steady_tick();
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }

    fn log_event_training(&mut self, _: String) {}
}

// Burn wants one renderer for training and for evaluation, which this program does not use.
impl EvaluationProgressLogger for ProgressRenderer {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

impl MetricsRendererTraining for ProgressRenderer {
    fn update_train(&mut self, _: MetricState) {}
    fn update_valid(&mut self, _: MetricState) {}
}

impl MetricsRendererEvaluation for ProgressRenderer {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl MetricsRenderer for ProgressRenderer {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_tables_are_left_alone() {
        let table =
            "contender   rank  verdict\nleaky-relu  –     · undecided\nexperiments/results/compare";
        let text = format!("Too few seeds to tell leaky-relu from relu.\n\n{table}");
        let broken = format!("Too few seeds to\ntell leaky-relu\nfrom relu.\n\n{table}");
        assert_eq!(broken_between_words(&text, 18), broken);
    }

    #[test]
    fn an_epoch_is_one_line() {
        let split = SplitRecord {
            loss: 0.0321,
            accuracy: 0.99,
            images: 5000,
            seconds: 2.0,
            loading_seconds: 0.1,
        };
        let record = EpochRecord {
            epoch: 3,
            learning_rate: 0.002,
            train: split,
            valid: Some(split),
        };
        assert_eq!(
            epoch_line(&record, 10),
            "epoch  3/10  train loss 0.0321 accuracy  99.00 %  valid loss 0.0321 accuracy  99.00 %  lr 2.0e-3  2500 images/s  4.0 s"
        );
    }
}
