//! Ctrl+C, SIGTERM and a closed terminal: the first asks the training to stop, the second ends the program at once.

use std::io::stdout;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use crossterm::cursor::Show;
use crossterm::event::DisableMouseCapture;
use crossterm::execute;
use crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode, is_raw_mode_enabled};

/// The exit status of a program ended by Ctrl+C: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Listens for signals until the program ends.
#[derive(Clone, Default)]
pub struct Signals {
    /// What the first signal stops; `None` while nothing can be stopped gently.
    stop: Arc<Mutex<Option<Stop>>>,
    requested: Arc<AtomicBool>,
    /// Whether the stop was asked for otherwise than by a signal, which may still be on its way.
    before_signal: Arc<AtomicBool>,
}

/// Stops something gently.
type Stop = Box<dyn FnOnce() + Send>;

impl Signals {
    /// Begins to listen. A closed terminal is nothing to whoever started the program by `nohup`.
    ///
    /// Elsewhere than on Unix, Ctrl+C ends the program at once; a run then continues from its last
    /// checkpoint.
    ///
    /// # Errors
    ///
    /// If the system does not let it.
    pub fn listen() -> Result<Self> {
        let signals = Self::default();
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
            let mut heard = vec![SIGINT, SIGTERM];
            if !is_ignored(SIGHUP) {
                heard.push(SIGHUP);
            }
            let mut received =
                signal_hook::iterator::Signals::new(heard).context("cannot listen for Ctrl+C")?;
            let signals = signals.clone();
            std::thread::Builder::new()
                .name("signals".into())
                .spawn(move || received.forever().for_each(|_| signals.received()))
                .context("cannot listen for Ctrl+C")?;
        }
        Ok(signals)
    }

    /// There is nothing to stop any more: the next signal ends the program.
    pub fn stop_nothing(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets the next signal call `stop`, once.
    pub fn call(&self, stop: impl FnOnce() + Send + 'static) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
    }

    /// Whether there was a signal.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// What a signal does.
    pub fn received(&self) {
        let (_, stop) = self.request();
        match stop {
            Some(stop) => stop(),
            None if self.before_signal.swap(false, Ordering::Relaxed) => (),
            None => end_at_once(),
        }
    }

    /// What the first signal does, for whoever hears of it in another way, before the signal or after
    /// it.
    pub fn asked_to_stop(&self) {
        match self.request() {
            (true, Some(stop)) => stop(),
            (true, None) => (),
            (false, Some(stop)) => {
                self.before_signal.store(true, Ordering::Relaxed);
                stop();
            }
            (false, None) => end_at_once(),
        }
    }

    /// Whether a stop had been requested already, and what it stops. Both in one step, as a signal may
    /// come at any time.
    fn request(&self) -> (bool, Option<Stop>) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        (self.requested.swap(true, Ordering::Relaxed), stop.take())
    }
}

/// Whether the program was started with this signal ignored. Only Linux tells it without `unsafe`.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status).is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}

/// The set of ignored signals in the text of `/proc/PID/status`: signal n is bit n − 1 (proc(5)).
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// Gives the terminal back to the shell as it was, and ends the program.
fn end_at_once() -> ! {
    if is_raw_mode_enabled().unwrap_or(false) {
        // The program ends in any case; a terminal that does not answer cannot be helped.
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    }
    process::exit(INTERRUPTED.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Ctrl+C in a terminal reaches a worker twice, by the signal and by the end of its input, in any
    /// order. Either stops it gently, and the other does nothing: it would end this test's process.
    #[test]
    fn a_signal_and_the_end_of_input_are_one_request() {
        for in_turn in [
            [Signals::received, Signals::asked_to_stop],
            [Signals::asked_to_stop, Signals::received],
            [Signals::asked_to_stop, Signals::asked_to_stop],
        ] {
            let signals = Signals::default();
            let stops = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&stops);
            signals.call(move || {
                counter.fetch_add(1, Ordering::Relaxed);
            });
            for heard in in_turn {
                heard(&signals);
            }
            assert!(signals.requested());
            assert_eq!(stops.load(Ordering::Relaxed), 1);
        }
    }
}
