//! Ctrl+C, SIGTERM and a closed terminal: the first asks the training to stop, the second ends the program at once.

use std::io::stdout;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use burn::train::Interrupter;
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
}

/// Stops something gently.
type Stop = Box<dyn FnOnce() + Send>;

impl Signals {
    /// Begins to listen.
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
            let mut received = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
                .context("cannot listen for Ctrl+C")?;
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

    /// Lets the next signal stop this training.
    pub fn stop(&self, interrupter: &Interrupter) {
        let interrupter = interrupter.clone();
        self.call(move || interrupter.stop(Some("interrupted")));
    }

    /// Lets the next signal call `stop`, once.
    pub fn call(&self, stop: impl FnOnce() + Send + 'static) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
    }

    /// Whether there was a signal.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// What a signal does, for whoever hears of it in another way.
    pub fn received(&self) {
        self.requested.store(true, Ordering::Relaxed);
        let stop = self
            .stop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match stop {
            Some(stop) => stop(),
            None => end_at_once(),
        }
    }
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
