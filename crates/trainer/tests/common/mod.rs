//! A folder with small data, and the program run in it.

#![allow(dead_code)] // each test file uses its part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burn::data::dataset::Dataset;
use serde_json::Value;
use tempfile::TempDir;

/// An empty working folder in which `train.csv` holds a few built-in digits and `test.csv` the same
/// without labels.
pub struct Folder {
    directory: TempDir,
}

/// A network small enough to train in a second, with all that draws random numbers or keeps state:
/// batch normalisation, dropout, a randomised activation, a moving average.
pub const TINY: &str = r#"
backend = "flex"
epochs = 4
batch_size = 32
seed = 7
label_smoothing = 0.05

[averaging]
decay = 0.95

[augmentation]
rotation = 5
shift = 1
elastic = { strength = 0.5, smoothness = 4 }

[network]
activation = "rrelu"
hidden_units = 16
hidden_dropout = 0.25

[[network.stages]]
channels = 4
kernel = 3
downsampling = "pool"
dropout = 0.25

[[network.stages]]
channels = 6
kernel = 3
downsampling = "stride"
"#;

impl Folder {
    pub fn with_digits(count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let images = data::built_in_images(0..count);
        let header: Vec<String> = (0..images.side().pow(2))
            .map(|i| format!("pixel{i}"))
            .collect();
        let header = header.join(",");
        let (mut labelled, mut unlabelled) = (format!("label,{header}\n"), format!("{header}\n"));
        for item in images.iter() {
            let item = item.unwrap();
            let pixels: Vec<String> = item.image.pixels().iter().map(u8::to_string).collect();
            let pixels = pixels.join(",");
            labelled += &format!("{},{pixels}\n", item.label);
            unlabelled += &format!("{pixels}\n");
        }
        fs::write(directory.path().join("train.csv"), labelled).unwrap();
        fs::write(directory.path().join("test.csv"), unlabelled).unwrap();
        fs::write(directory.path().join("tiny.toml"), TINY).unwrap();
        Self { directory }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path());
        command
    }

    pub fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program, which must succeed, and returns what it printed.
    pub fn succeed(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "trainer {arguments}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must fail, and returns its error message.
    pub fn fail(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "trainer {arguments} succeeded");
        assert!(!error.contains("panicked"), "trainer {arguments}: {error}");
        error
    }

    pub fn summary(&self, run: &str) -> Value {
        let text = fs::read(self.path(run).join("summary.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Names of the run's checkpoints, sorted.
    pub fn checkpoints(&self, run: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(run).join("checkpoints"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}
