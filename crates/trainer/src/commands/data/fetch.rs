//! `trainer data fetch`: the real digits.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use data::Thousands;
use indicatif::{ProgressBar, ProgressStyle};
use mnist::{Error, Existing, Fetch, Fetched, Observer, Trouble};

use super::warn_of_shadowed;
use crate::cli::whole_number;
use crate::console::{print, print_error, progress_bar};
use crate::interrupt::{INTERRUPTED, Signals};

/// Options of `trainer data fetch`.
#[derive(Debug, Args)]
pub struct Options {
    /// Where MNIST's four files are, such as `https://example.org/mnist`; several are asked in turn
    /// [default: the copies kept for PyTorch and for TensorFlow]
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// The folder that train.csv, test.csv and test-labels.csv go to
    #[arg(long, short, value_name = "DIR", default_value = data::FOLDER)]
    out: PathBuf,
    /// Decides which digits are in train.csv and which in test.csv
    #[arg(long, short, value_name = "N", default_value_t = 0, value_parser = whole_number::<u64>, allow_negative_numbers = true)]
    seed: u64,
    /// Put the new files in the place of those that are there
    #[arg(long)]
    replace: bool,
}

/// Downloads MNIST, and writes it as Kaggle's files are.
///
/// # Errors
///
/// A mirror that cannot be reached, a wrong checksum, or files in the way; what is downloaded is kept.
pub fn run(options: &Options) -> Result<ExitCode> {
    fetch(&options.fetch(), &Signals::listen()?)
}

impl Options {
    fn fetch(&self) -> Fetch {
        let mut fetch = Fetch::new(&self.out);
        fetch.seed = self.seed;
        if !self.mirrors.is_empty() {
            fetch.download.mirrors.clone_from(&self.mirrors);
        }
        if self.replace {
            fetch.existing = Existing::Replace;
        }
        fetch
    }
}

fn fetch(fetch: &Fetch, signals: &Signals) -> Result<ExitCode> {
    // The download asks whether there was a signal; there is nothing else to stop.
    signals.call(|| ());
    let mut bar = DownloadBar::new(signals);
    let fetched = fetch.run(&mut bar);
    bar.bar.finish_and_clear();
    match fetched {
        Ok(fetched) => {
            print(&summary(&fetched, fetch.seed))?;
            warn_of_shadowed(&fetch.folder)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ Error::Cancelled) => {
            print_error(&error.to_string());
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(Error::Exists { path }) => bail!(
            "{} is there already; name another folder with --out, or replace it with --replace",
            path.display()
        ),
        Err(error) => Err(error.into()),
    }
}

fn summary(fetched: &Fetched, seed: u64) -> String {
    let Fetched {
        files,
        training_rows,
        test_rows,
    } = fetched;
    format!(
        "wrote {} digits with labels to {}, {} without to {}, whose labels are in {}\n\
         the split is not Kaggle's own but drawn with seed {seed}: Kaggle's test.csv has digits of \
         this train.csv, so that a score there would say nothing",
        Thousands(*training_rows),
        files.train.display(),
        Thousands(*test_rows),
        files.test.display(),
        files.test_labels.display()
    )
}

/// How far the download is: a bar on a terminal, else a line for every tenth.
struct DownloadBar<'a> {
    bar: ProgressBar,
    tenths_shown: u64,
    signals: &'a Signals,
}

impl<'a> DownloadBar<'a> {
    fn new(signals: &'a Signals) -> Self {
        let bar = progress_bar(true);
        let template = "[{bar:30}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            tenths_shown: 0,
            signals,
        }
    }
}

impl Observer for DownloadBar<'_> {
    fn progress(&mut self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        let tenths = 10 * done / total.max(1);
        if self.bar.is_hidden() && tenths > self.tenths_shown {
            // The download goes on when nobody listens any more.
            drop(print(&megabytes(done, total)));
        }
        self.tenths_shown = tenths;
    }

    fn trouble(&mut self, trouble: &Trouble<'_>) {
        self.bar.suspend(|| print_error(&trouble.to_string()));
    }

    fn cancelled(&self) -> bool {
        self.signals.requested()
    }
}

fn megabytes(done: u64, total: u64) -> String {
    let [done, total] = [done, total].map(|bytes| bytes as f64 / 1e6);
    format!("{done:.1} of {total:.1} MB are there")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::path::Path;
    use std::thread;

    use files::sha256_hex;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use mnist::{Release, RemoteFile, SetFiles};

    use super::*;

    /// An IDX file of bytes, compressed.
    fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, sizes.len() as u8];
        file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(bytes);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&file).unwrap();
        encoder.finish().unwrap()
    }

    /// Six images and four, of 2×2 pixels.
    fn files() -> [(&'static str, Vec<u8>); 4] {
        [
            ("a-images", idx(&[6, 2, 2], &Vec::from_iter(0..24))),
            ("a-labels", idx(&[6], &[0, 1, 2, 0, 1, 2])),
            ("b-images", idx(&[4, 2, 2], &Vec::from_iter(24..40))),
            ("b-labels", idx(&[4], &[2, 1, 0, 2])),
        ]
    }

    /// Answers one request for each of the files, and returns its address.
    fn serve() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for (name, bytes) in files() {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                assert_eq!(first, format!("GET /{name} HTTP/1.1"));
                lines.find(|line| line.as_ref().unwrap().is_empty());
                let length = bytes.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
                )
                .unwrap();
                stream.write_all(&bytes).unwrap();
            }
        });
        address
    }

    fn small(folder: &Path, mirror: &str) -> Fetch {
        let [training_images, training_labels, test_images, test_labels] =
            files().map(|(name, bytes)| RemoteFile {
                name: name.into(),
                bytes: bytes.len() as u64,
                sha256: sha256_hex(&bytes),
            });
        let mut fetch = Fetch::new(folder);
        fetch.download.release = Release {
            training_images,
            training_labels,
            test_images,
            test_labels,
        };
        fetch.download.mirrors = vec![mirror.into()];
        fetch.training_rows = 6;
        fetch
    }

    #[test]
    fn from_a_mirror_to_files() {
        let folder = tempfile::tempdir().unwrap();
        let small = small(folder.path(), &serve());
        let code = fetch(&small, &Signals::default()).unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        let tables = data::tables(Some(folder.path())).unwrap();
        let counts: Vec<_> = tables.iter().map(|table| table.images().len()).collect();
        assert_eq!(counts, [6, 4]);
        let report = data::check(&tables);
        assert_eq!(report.shared, []);

        let error = fetch(&small, &Signals::default()).unwrap_err().to_string();
        let train = folder.path().join("train.csv");
        assert_eq!(
            error,
            format!(
                "{} is there already; name another folder with --out, or replace it with --replace",
                train.display()
            )
        );
    }

    #[test]
    fn a_signal_stops_it_without_a_trace_but_the_download() {
        let folder = tempfile::tempdir().unwrap();
        let signals = Signals::default();
        // A signal before the download asks: nobody answers at this address.
        let small = small(folder.path(), "http://127.0.0.1:9");
        signals.call(|| ());
        signals.received();
        let code = fetch(&small, &signals).unwrap();
        assert_eq!(code, ExitCode::from(INTERRUPTED));
        assert!(!folder.path().join("train.csv").exists());
    }

    #[test]
    fn what_is_said() {
        let fetched = Fetched {
            files: SetFiles::in_folder(Path::new("data")),
            training_rows: 42_000,
            test_rows: 28_000,
        };
        insta::assert_snapshot!(summary(&fetched, 7), @"
        wrote 42,000 digits with labels to data/train.csv, 28,000 without to data/test.csv, whose labels are in data/test-labels.csv
        the split is not Kaggle's own but drawn with seed 7: Kaggle's test.csv has digits of this train.csv, so that a score there would say nothing
        ");
        assert_eq!(megabytes(1_250_000, 11_594_722), "1.2 of 11.6 MB are there");
    }

    #[test]
    fn options_become_a_fetch() {
        let options = Options {
            mirrors: Vec::new(),
            out: "x".into(),
            seed: 3,
            replace: false,
        };
        let fetch = options.fetch();
        assert_eq!((fetch.seed, fetch.existing), (3, Existing::Keep));
        assert_eq!(fetch.download.mirrors, mnist::MIRRORS);
        let options = Options {
            mirrors: vec!["http://a".into()],
            replace: true,
            ..options
        };
        let fetch = options.fetch();
        assert_eq!(fetch.existing, Existing::Replace);
        assert_eq!(fetch.download.mirrors, ["http://a"]);
        assert_eq!(fetch.download.folder, Path::new("x").join("mnist"));
        assert!(!fs::exists("x").unwrap());
    }
}
