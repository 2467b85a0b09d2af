//! The dashboard in a terminal, as far as it can be seen from outside: that it comes up, and that the keys
//! that stop a training do.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use common::Folder;

const TRAIN: &str = "--config tiny.toml --data train.csv --epochs 1000";

/// A training in a terminal of its own.
struct Terminal {
    keyboard: ChildStdin,
    screen: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    /// Reads until `text` has been shown, or the program has ended.
    fn wait_for(&mut self, text: &str) {
        let mut part = [0; 4096];
        while !self.has_shown(text) {
            let count = self.screen.read(&mut part).unwrap();
            assert_ne!(count, 0, "{text}: {}", String::from_utf8_lossy(&self.shown));
            self.shown.extend_from_slice(&part[..count]);
        }
    }

    fn has_shown(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.shown).contains(text)
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }
}

/// Trains in a terminal, by `script` of util-linux, until `keys` have been pressed in turn, each when what is
/// named beside it is on the screen; and returns the exit status and all that was shown.
fn train(folder: &Folder, run: &str, keys: &[(&str, &str)]) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_trainer");
    let command = format!("stty rows 40 cols 120; exec {program} {TRAIN} --out {run}");
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(folder.path(""))
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut terminal = Terminal {
        keyboard: child.stdin.take().unwrap(),
        screen: child.stdout.take().unwrap(),
        shown: Vec::new(),
    };
    for (shown, key) in keys {
        terminal.wait_for(shown);
        terminal.press(key);
    }
    terminal.screen.read_to_end(&mut terminal.shown).unwrap();
    let shown = String::from_utf8_lossy(&terminal.shown).into_owned();
    (child.wait().unwrap().code(), shown)
}

/// What puts a terminal onto the screen of a dashboard, and back.
const ENTER_SCREEN: &str = "\x1b[?1049h";
const LEAVE_SCREEN: &str = "\x1b[?1049l";

#[test]
fn ctrl_c_in_the_dashboard_stops_and_saves() {
    let folder = Folder::with_digits(2000);
    let (code, shown) = train(&folder, "run", &[("Metrics", "\x03")]);
    assert_eq!(code, Some(130), "{shown}");
    let (_, after) = shown.rsplit_once(LEAVE_SCREEN).unwrap();
    assert!(shown.contains(ENTER_SCREEN));
    assert!(
        after.contains("stopped and saved; continue with `trainer resume run`"),
        "{after}"
    );
    assert!(!folder.checkpoints("run").is_empty());
}

#[test]
fn the_dashboards_own_keys_stop_and_save() {
    let folder = Folder::with_digits(2000);
    let (code, shown) = train(&folder, "run", &[("Metrics", "q"), ("Stop", "s")]);
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("stopped and saved"), "{shown}");
    assert!(!folder.checkpoints("run").is_empty());
}

/// Burn ends it by a panic, which is recognised by its words.
#[test]
fn stopping_at_once_leaves_the_last_checkpoint() {
    let folder = Folder::with_digits(2000);
    let (code, shown) = train(&folder, "run", &[("Metrics", "q"), ("Stop", "k")]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("error: stopped at once; continue with `trainer resume run`"),
        "{shown}"
    );
    assert!(fs::exists(folder.path("run/config.toml")).unwrap());
}
