//! Several processes that train at once.
//!
//! Each is this program again, with its own number of threads. It tells of what it does in lines of
//! JSON on its standard output, and stops when its standard input ends, as it does when the process
//! that started it dies.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, stdin};
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use data::Thousands;
use serde::{Deserialize, Serialize};

use crate::interrupt::{INTERRUPTED, Signals};
use crate::threads::cores;

/// How many runs there are at once, and how many threads each of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Processes.
    pub count: usize,
    /// Threads of each.
    pub threads: usize,
}

/// How the work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobsEnding {
    /// All runs are done.
    Finished,
    /// It was asked to stop.
    Interrupted,
}

/// What shows the user how far the processes are.
pub trait JobObserver {
    /// A process has printed a line: of what it tells, or of what a driver likes to say.
    fn show(&mut self, line: &str);

    /// A moment has passed.
    fn tick(&mut self) {}

    /// Says something in words.
    fn say(&self, line: &str);
}

/// What a process prints that has measured how fast it trains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Training images per second.
    pub images_per_second: f64,
}

/// How often it is looked whether to stop.
const TICK: Duration = Duration::from_millis(100);

impl Jobs {
    /// So many runs at once, on `cores` cores.
    pub fn new(count: usize, cores: usize) -> Self {
        Self {
            count,
            threads: (cores / count).max(1),
        }
    }

    /// As many at once as `asked`, or else as `probe` finds to be faster, of `left` runs that are still to
    /// be made.
    ///
    /// # Errors
    ///
    /// See [`Probe::fastest`].
    pub fn choose(asked: Option<NonZeroUsize>, left: usize, probe: Option<Probe>) -> Result<Self> {
        let cores = cores();
        let of_use = |count: usize| count.min(left).max(1);
        match (asked, probe) {
            (Some(count), _) => Ok(Self::new(of_use(count.get()), cores)),
            (None, Some(probe)) => probe.fastest(cores, of_use(cores)),
            (None, None) => Ok(Self::new(1, cores)),
        }
    }
}

/// What measures how many runs at once are fastest.
pub struct Probe<'a> {
    /// The arguments of the program that trains for a moment and prints its [`Speed`].
    pub arguments: &'a [OsString],
    /// Tells the user what is found.
    pub say: &'a dyn Fn(&str),
}

impl Probe<'_> {
    /// What is faster on this machine: one run after the other with all cores, or `count` at once, which
    /// share them.
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or prints something else.
    fn fastest(&self, cores: usize, count: usize) -> Result<Jobs> {
        let (one, many) = (Jobs::new(1, cores), Jobs::new(count, cores));
        if count == 1 {
            return Ok(one);
        }
        let speed = |jobs: Jobs| -> Result<f64> {
            let processes: Vec<Child> = (0..jobs.count)
                .map(|_| start(self.arguments, jobs.threads).map(|(child, _)| child))
                .collect::<Result<_>>()?;
            processes.into_iter().map(images_per_second).sum()
        };
        let (one_after_the_other, at_once) = (speed(one)?, speed(many)?);
        (self.say)(&format!(
            "{count} runs at once train {} images/s together, one with {cores} threads {}: making {} (--jobs changes that)",
            Thousands(at_once.round() as usize),
            Thousands(one_after_the_other.round() as usize),
            if at_once > one_after_the_other {
                format!("{count} at once")
            } else {
                String::from("one after the other")
            },
        ));
        Ok(if at_once > one_after_the_other {
            many
        } else {
            one
        })
    }
}

/// Starts the processes with the arguments `work`, shows what they tell, and waits for them.
///
/// # Errors
///
/// If one of them fails. The others still finish their work.
pub fn run(
    jobs: Jobs,
    work: &[OsString],
    signals: &Signals,
    observer: &mut impl JobObserver,
) -> Result<JobsEnding> {
    let (sender, lines) = mpsc::channel();
    // It is looked for signals below.
    signals.call(|| ());
    let mut processes = Vec::new();
    let mut inputs = Vec::new();
    for _ in 0..jobs.count {
        let (process, input) = match start_forwarding(work, jobs.threads, &sender) {
            Ok(started) => started,
            Err(error) => {
                // Those that were started stop at the end of their input.
                inputs.clear();
                for process in &mut processes {
                    drop(Child::wait(process));
                }
                return Err(error);
            }
        };
        processes.push(process);
        inputs.push(input);
    }
    drop(sender);
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => observer.show(&line),
            Err(RecvTimeoutError::Timeout) => observer.tick(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if signals.requested() && !inputs.is_empty() {
            observer.say("stopping; what the runs have done is saved");
            inputs.clear();
        }
    }
    let mut ending = JobsEnding::Finished;
    let (mut failed, mut killed) = (0, String::new());
    for process in &mut processes {
        let status = process.wait().context("cannot wait for a process")?;
        match status.code() {
            Some(0) => {}
            Some(code) if code == i32::from(INTERRUPTED) => ending = JobsEnding::Interrupted,
            Some(_) => failed += 1,
            // It was asked to stop before it listened.
            None if signals.requested() => ending = JobsEnding::Interrupted,
            // It was killed, and so could not say why.
            None => {
                failed += 1;
                killed = format!(", one by {status}");
            }
        }
    }
    if signals.requested() {
        ending = JobsEnding::Interrupted;
    }
    signals.stop_nothing();
    if failed > 0 {
        bail!(
            "{failed} of {} processes ended early{killed}; what they had done is saved, and the same command goes on from there",
            jobs.count
        );
    }
    Ok(ending)
}

/// This program with other arguments, and what it reads.
fn start(arguments: &[OsString], threads: usize) -> Result<(Child, Option<ChildStdin>)> {
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a process")?;
    let input = child.stdin.take();
    Ok((child, input))
}

/// [`start`], with a thread that hands on what the process tells.
fn start_forwarding(
    arguments: &[OsString],
    threads: usize,
    lines: &Sender<String>,
) -> Result<(Child, Option<ChildStdin>)> {
    let (mut process, input) = start(arguments, threads)?;
    if let Some(output) = process.stdout.take() {
        let lines = lines.clone();
        let forwarding = thread::Builder::new().spawn(move || forward(output, &lines));
        if let Err(error) = forwarding {
            // It stops at the end of its input.
            drop(input);
            drop(process.wait());
            return Err(error).context("cannot start the thread that listens to a process");
        }
    }
    Ok((process, input))
}

/// Hands on the lines that a process prints until it ends.
fn forward(output: impl Read, lines: &Sender<String>) {
    // In bytes: drivers need not write UTF-8.
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        if let Ok(line) = String::from_utf8(line)
            && lines.send(line).is_err()
        {
            return;
        }
    }
}

/// In a process that was started so: whoever started it holds its input open until it wants an end,
/// or dies.
///
/// # Errors
///
/// If the system does not let it watch its input.
pub fn stop_at_end_of_input(signals: &Signals) -> Result<()> {
    let signals = signals.clone();
    thread::Builder::new()
        .name("input".into())
        .spawn(move || {
            drop(stdin().read_to_end(&mut Vec::new()));
            signals.asked_to_stop();
        })
        .context("cannot watch the standard input")?;
    Ok(())
}

fn images_per_second(process: Child) -> Result<f64> {
    let output = process
        .wait_with_output()
        .context("cannot wait for a process")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let speed = text
        .lines()
        .find_map(|line| serde_json::from_str::<Speed>(line).ok());
    let speed =
        speed.context("cannot measure how many runs to make at once; name a number with --jobs")?;
    Ok(speed.images_per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drivers write what they like.
    #[test]
    fn lines_that_are_no_text_are_passed_over() {
        let (sender, lines) = mpsc::channel();
        forward(&b"1\nmesa: \xff\xfe\n2\nx\n3"[..], &sender);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["1", "2", "x", "3"]);
    }
}
