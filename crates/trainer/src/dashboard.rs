//! Burn's dashboard over the whole terminal, made fit for Ctrl+C and for terminals that are closed.

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;

/// The dashboard of a training that continues after this epoch, if after one.
pub fn dashboard(
    interrupter: &Interrupter,
    after_epoch: Option<usize>,
) -> Box<dyn MetricsRenderer> {
    #[cfg(unix)]
    crate::hangup::outlive_the_terminal();
    let dashboard = TuiMetricsRendererWrapper::new(interrupter.clone(), after_epoch);
    let_ctrl_c_through();
    Box::new(dashboard)
}

/// The dashboard puts the terminal into raw mode, in which Ctrl+C is a key like any other, and
/// ignores that key. Here Ctrl+C becomes a signal again.
fn let_ctrl_c_through() {
    #[cfg(unix)]
    {
        use std::time::Duration;

        use rustix::termios::{
            LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr,
        };
        // The dashboard's own thread sets raw mode, a moment after it is started.
        for _ in 0..200 {
            if crossterm::terminal::is_raw_mode_enabled().unwrap_or(false) {
                let stdin = std::io::stdin();
                if let Ok(mut modes) = tcgetattr(&stdin) {
                    modes.local_modes.insert(LocalModes::ISIG);
                    // But not Ctrl+Z and Ctrl+\, which would leave the terminal as it is.
                    modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
                    modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
                    // Without it, the dashboard's own `q` still stops the training.
                    let _ = tcsetattr(&stdin, OptionalActions::Now, &modes);
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
