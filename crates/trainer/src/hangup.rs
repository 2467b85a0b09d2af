//! What becomes of the dashboard when its terminal is closed.
//!
//! The dashboard draws in a thread of its own. Without a terminal that thread panics, and once more where the panic
//! cannot be printed, which would end the program, with all that was trained since the last checkpoint; or it reads
//! the end of its input over and over, and the program waits for it for ever. So what was the terminal becomes
//! something that swallows what is printed and has nothing to read. The thread then ends alone, and the training
//! stops, as a closed terminal asks it to (`interrupt.rs`), or goes on where that is ignored.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, stderr, stdout};
use std::os::unix::net::UnixStream;
use std::panic::{set_hook, take_hook};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::tcgetattr;

/// What Burn calls the thread that draws.
const RENDERER: &str = "train-renderer";

/// How often it is looked whether the terminal is still there.
const INTERVAL: Duration = Duration::from_millis(100);

/// Prepares for the terminal being closed, before a dashboard is drawn on it.
pub fn outlive_the_terminal() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        // Where something cannot be had, closing the terminal is no better than it was.
        let Ok(nowhere) = Nowhere::new().map(Arc::new) else {
            return;
        };
        let watched = Arc::clone(&nowhere);
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if thread::current().name() == Some(RENDERER) && is_closed() {
                nowhere.replace_terminal();
            } else {
                usual(panic);
            }
        }));
        let watch = move || {
            while !is_closed() {
                thread::sleep(INTERVAL);
            }
            watched.replace_terminal();
        };
        drop(thread::Builder::new().name("terminal".into()).spawn(watch));
    });
}

/// Whether stdout, which was a terminal, is none any more.
fn is_closed() -> bool {
    tcgetattr(stdout()).is_err()
}

/// What takes the place of a terminal.
struct Nowhere {
    sink: File,
    /// Nothing ever comes here, and nobody who reads it waits: the second end is kept, and silent.
    silence: (UnixStream, UnixStream),
    /// Whether stderr is the terminal too. Stdin is: there is no dashboard otherwise.
    is_stderr_replaced: bool,
}

impl Nowhere {
    fn new() -> io::Result<Self> {
        let silence = UnixStream::pair()?;
        silence.0.set_nonblocking(true)?;
        Ok(Self {
            sink: OpenOptions::new().write(true).open("/dev/null")?,
            silence,
            is_stderr_replaced: stderr().is_terminal(),
        })
    }

    fn replace_terminal(&self) {
        // If one fails, the others are still worth while.
        let _ = dup2_stdout(&self.sink);
        if self.is_stderr_replaced {
            let _ = dup2_stderr(&self.sink);
        }
        let _ = dup2_stdin(&self.silence.0);
    }
}
