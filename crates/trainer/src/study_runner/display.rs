//! How far a study is.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use study::Stage;

use super::work::Event;
use crate::cli::Output;
use crate::console::{print, progress_bar};
use crate::jobs::JobObserver;

/// Shows the runs of a study as they are done.
pub struct StudyDisplay {
    output: Output,
    bar: ProgressBar,
    started: Instant,
    /// Runs that were done before.
    before: usize,
    done: usize,
    total: usize,
}

/// What programs are told of a run.
#[derive(Serialize)]
struct RunEvent<'a> {
    event: &'static str,
    done: usize,
    total: usize,
    #[serde(flatten)]
    run: &'a Event,
}

impl StudyDisplay {
    /// Of `total` runs, `before` are done.
    pub fn new(output: Output, before: usize, total: usize) -> Self {
        let bar = progress_bar(!output.quiet && !output.json && !output.plain);
        bar.set_length(total as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len} runs, {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(before as u64);
        bar.set_message("starting");
        Self {
            output,
            bar,
            started: Instant::now(),
            before,
            done: before,
            total,
        }
    }

    /// Says something in words.
    pub fn say(&self, line: &str) {
        if !self.output.quiet && !self.output.json {
            // The study goes on when nobody listens any more.
            drop(self.bar.suspend(|| print(line)));
        }
    }

    /// All is done that will be.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Tells that no run is left, which fewer were made for than were planned: of two with the same
    /// configuration, as where a tuned learning rate is that of the common recipe, one is made.
    pub fn all_done(&self) {
        if let Some(same) = self.total.checked_sub(self.done).filter(|&same| same > 0) {
            let verb = if same == 1 { "is" } else { "are" };
            self.say(&format!(
                "all {} planned runs are done: {same} {verb} the same as others, or made by others",
                self.total
            ));
        }
    }

    /// The time that the other runs will take, if they are like those so far.
    fn left(&self) -> String {
        let made = (self.done - self.before).max(1) as u32;
        let rest = self.total.saturating_sub(self.done) as u32;
        let left = self.started.elapsed() / made * rest;
        duration(left)
    }
}

impl JobObserver for StudyDisplay {
    fn show(&mut self, line_of_process: &str) {
        // Whatever else is printed comes from drivers.
        let Ok(event) = serde_json::from_str::<Event>(line_of_process) else {
            return;
        };
        self.done += 1;
        // Runs that answer for two are fewer than planned; others may work on the study too.
        let (done, total) = (self.done.min(self.total), self.total);
        let line = format!("{}; {} left", line(&event), self.left());
        self.bar.set_position(done as u64);
        self.bar.set_message(line.clone());
        if self.output.json {
            let run = RunEvent {
                event: "run",
                done,
                total,
                run: &event,
            };
            if let Ok(line) = serde_json::to_string(&run) {
                drop(print(&line));
            }
        } else if self.bar.is_hidden() {
            let width = total.to_string().len();
            StudyDisplay::say(self, &format!("{done:>width$}/{total} {line}"));
        }
    }

    fn tick(&mut self) {
        self.bar.tick();
    }

    fn say(&self, line: &str) {
        StudyDisplay::say(self, line);
    }
}

/// A run in one line.
fn line(event: &Event) -> String {
    let Event {
        contender,
        setting,
        stage,
        learning_rate,
        seed,
        outcome,
        seconds,
        ..
    } = event;
    let setting = match setting.as_str() {
        "" => String::new(),
        setting => format!(", {setting}"),
    };
    let rate = match (stage, learning_rate) {
        (_, None) => String::new(),
        (Stage::Trial, Some(rate)) => format!(", trial of learning rate {rate:?}"),
        (Stage::Final, Some(rate)) => format!(", tuned learning rate {rate:?}"),
    };
    format!("{contender}{setting}{rate}, seed {seed}: {outcome} in {seconds:.1} s")
}

/// A duration for people, to two digits or so.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{:.1} h", duration.as_secs_f64() / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_for_people() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(text(99), "99 s");
        assert_eq!(text(100), "2 min");
        assert_eq!(text(5999), "100 min");
        assert_eq!(text(9000), "2.5 h");
    }
}
