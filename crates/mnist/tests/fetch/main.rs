//! Downloads from servers on this machine that behave well and badly, and the files made of them.

mod download;
mod server;
mod tables;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use files::sha256_hex;
use flate2::Compression;
use flate2::write::GzEncoder;
use mnist::{Download, Release, RemoteFile};

/// Images and labels of a made-up release, uncompressed: 40 and 20 images of 28×28 pixels that do
/// not compress, so that the file of the first ones has some 31,000 bytes.
struct Originals {
    release: Release,
    /// Name and content, compressed.
    files: Vec<(String, Vec<u8>)>,
    /// All images one after the other, and their labels.
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Originals {
    fn new() -> Self {
        let mut state = 1_u32;
        let mut pixels = || {
            // Numerical Recipes' generator; its upper bits look random enough for gzip.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let pixels: Vec<u8> = (0..60 * 784).map(|_| pixels()).collect();
        let labels: Vec<u8> = (0..60_u16).map(|image| (image * 7 % 10) as u8).collect();
        let (first, second) = pixels.split_at(40 * 784);
        Self::of([
            images(28, first),
            self::labels(&labels[..40]),
            images(28, second),
            self::labels(&labels[40..]),
        ])
        .with(pixels, labels)
    }

    /// A release of these IDX files.
    fn of(files: [Vec<u8>; 4]) -> Self {
        let names = ["a-images.gz", "a-labels.gz", "b-images.gz", "b-labels.gz"];
        let files: Vec<_> = names
            .iter()
            .zip(files)
            .map(|(name, bytes)| (name.to_string(), gzip(&bytes)))
            .collect();
        Self {
            release: release(&files),
            files,
            pixels: Vec::new(),
            labels: Vec::new(),
        }
    }

    fn with(self, pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        Self {
            pixels,
            labels,
            ..self
        }
    }

    /// A download with short pauses.
    fn download(&self, folder: &Path, mirrors: &[&str]) -> Download {
        Download {
            release: self.release.clone(),
            mirrors: mirrors.iter().map(|mirror| mirror.to_string()).collect(),
            patience: Duration::from_secs(10),
            attempts: 3,
            back_off: Duration::from_millis(1),
            ..Download::new(folder)
        }
    }
}

/// The description of these files, compressed as they are.
fn release(files: &[(String, Vec<u8>)]) -> Release {
    let describe = |index: usize| RemoteFile {
        name: files[index].0.clone(),
        bytes: files[index].1.len() as u64,
        sha256: sha256_hex(&files[index].1),
    };
    Release {
        training_images: describe(0),
        training_labels: describe(1),
        test_images: describe(2),
        test_labels: describe(3),
    }
}

fn images(side: u32, pixels: &[u8]) -> Vec<u8> {
    let count = pixels.len() as u32 / (side * side);
    let mut file = vec![0, 0, 8, 3];
    for size in [count, side, side] {
        file.extend(size.to_be_bytes());
    }
    file.extend(pixels);
    file
}

fn labels(labels: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 1];
    file.extend((labels.len() as u32).to_be_bytes());
    file.extend(labels);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
