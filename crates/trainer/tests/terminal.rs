//! The dashboard in a terminal, as far as it can be seen from outside: that it comes up, and that the keys
//! that stop a training do.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::Folder;

const TRAIN: &str = "--config tiny.toml --data train.csv --epochs 1000";

/// A training in a terminal of its own, by `script` of util-linux.
struct Terminal {
    program: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    shown: Vec<u8>,
    /// Where that begins which has been shown since the last key.
    since_key: usize,
}

impl Terminal {
    fn start(folder: &Folder, run: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_trainer");
        Self::start_command(folder, &format!("exec {program} {TRAIN} --out {run}"))
    }

    fn start_command(folder: &Folder, command: &str) -> Self {
        let command = format!("stty rows 40 cols 120; {command}");
        let mut program = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(folder.path(""))
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script` of util-linux makes the terminal");
        Self {
            keyboard: program.stdin.take().unwrap(),
            screen: program.stdout.take().unwrap(),
            program,
            shown: Vec::new(),
            since_key: 0,
        }
    }

    /// Reads on until it is so, which what has been shown since the last key may tell.
    fn wait_until(&mut self, is_so: impl Fn(&str) -> bool) {
        let mut part = [0; 4096];
        while !is_so(&String::from_utf8_lossy(&self.shown[self.since_key..])) {
            let count = self.screen.read(&mut part).unwrap();
            assert_ne!(count, 0, "{}", String::from_utf8_lossy(&self.shown));
            self.shown.extend_from_slice(&part[..count]);
        }
    }

    fn wait_for(&mut self, text: &str) {
        self.wait_until(|shown| shown.contains(text));
    }

    fn press(&mut self, keys: &str) {
        self.since_key = self.shown.len();
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// As when its window is closed, or the connection to it is lost.
    fn close(mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }

    /// The exit status, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        self.screen.read_to_end(&mut self.shown).unwrap();
        let shown = String::from_utf8_lossy(&self.shown).into_owned();
        (self.program.wait().unwrap().code(), shown)
    }
}

/// What puts a terminal onto the screen of a dashboard, and back.
const ENTER_SCREEN: &str = "\x1b[?1049h";
const LEAVE_SCREEN: &str = "\x1b[?1049l";

#[test]
fn ctrl_c_in_the_dashboard_stops_and_saves() {
    let folder = Folder::with_digits(2000);
    let mut terminal = Terminal::start(&folder, "run");
    terminal.wait_for("Metrics");
    terminal.press("\x03");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains(ENTER_SCREEN));
    let (_, after) = shown.rsplit_once(LEAVE_SCREEN).unwrap();
    assert!(
        after.contains("stopped and saved; continue with `trainer resume run`"),
        "{after}"
    );
    assert!(has_checkpoint(&folder));
}

#[test]
fn the_dashboards_own_keys_stop_and_save() {
    let folder = Folder::with_digits(2000);
    let mut terminal = Terminal::start(&folder, "run");
    terminal.wait_for("Metrics");
    terminal.press("q");
    // One of the words of the choice that comes up.
    terminal.wait_for("immediately");
    terminal.press("s");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("stopped and saved"), "{shown}");
    assert!(has_checkpoint(&folder));
}

/// The thread that draws must not take the program with it when the terminal is gone: the program is asked to stop by
/// that, and saves.
#[test]
fn a_closed_terminal_stops_and_saves() {
    let folder = Folder::with_digits(2000);
    let mut terminal = Terminal::start(&folder, "run");
    terminal.wait_for("Metrics");
    terminal.close();
    // Nobody is told of the exit status; but the lock is free again, long before 1,000 epochs are over.
    let lock = fs::File::open(folder.path("run/run.lock")).unwrap();
    assert!(comes_true(|| lock.try_lock().is_ok()));
    drop(lock);
    assert!(has_checkpoint(&folder));
    assert!(!folder.path("run/summary.json").exists());
}

/// The dashboard reads keys from stdin, and would not hear Ctrl+C if that were something else.
#[test]
fn without_a_keyboard_there_are_lines() {
    let folder = Folder::with_digits(300);
    let program = env!("CARGO_BIN_EXE_trainer");
    let train = "--config tiny.toml --data train.csv --epochs 1 --out run";
    let terminal = Terminal::start_command(&folder, &format!("exec {program} {train} < /dev/null"));
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        !shown.contains(ENTER_SCREEN) && shown.contains("epoch 1/1"),
        "{shown}"
    );
}

/// One that was started by `nohup` goes on to its end.
#[test]
fn a_closed_terminal_may_be_ignored() {
    let folder = Folder::with_digits(2000);
    let program = env!("CARGO_BIN_EXE_trainer");
    let train = "--config tiny.toml --data train.csv --epochs 10 --out run";
    let mut terminal = Terminal::start_command(
        &folder,
        &format!("trap '' HUP; {program} {train}; echo $? > code"),
    );
    terminal.wait_for("Metrics");
    terminal.close();
    let code = || fs::read_to_string(folder.path("code")).unwrap_or_default();
    assert!(comes_true(|| !code().is_empty()));
    assert_eq!(code().trim(), "0");
    assert!(folder.path("run/summary.json").exists());
}

/// Whether it becomes so within a minute.
fn comes_true(is_so: impl Fn() -> bool) -> bool {
    (0..600).any(|_| {
        thread::sleep(Duration::from_millis(100));
        is_so()
    })
}

fn has_checkpoint(folder: &Folder) -> bool {
    let entries = fs::read_dir(folder.path("run/checkpoints"));
    let mut names = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with("epoch-"))
}

/// Burn ends it by a panic, which is recognised by its words.
#[test]
fn stopping_at_once_leaves_the_last_checkpoint() {
    let folder = Folder::with_digits(2000);
    let mut terminal = Terminal::start(&folder, "run");
    terminal.wait_for("Metrics");
    terminal.wait_until(|_| has_checkpoint(&folder));
    terminal.press("q");
    terminal.wait_for("immediately");
    terminal.press("k");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("error: stopped at once; continue with `trainer resume run`"),
        "{shown}"
    );
    assert!(has_checkpoint(&folder));
}
