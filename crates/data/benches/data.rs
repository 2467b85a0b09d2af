//! How fast images are read, and how fast the loader hands out batches.
//!
//! ```text
//! cargo bench -p data --profile dev
//! ```
//!
//! reads the built-in digits from a temporary file; with `DIGIT_RECOGNIZER_DATA` set to a folder,
//! the labelled images in it.

use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::Dataset;
use burn::tensor::Device;
use data::{EpochLoader, LabelledImages};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

fn main() {
    divan::main();
}

/// A plain CSV file of labelled images. The folder is removed with the target folder.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-train.csv");
    let data = std::env::var_os("DIGIT_RECOGNIZER_DATA").map(PathBuf::from);
    let images = match data {
        Some(data) => data::training_images(Some(&data)).unwrap(),
        None => data::built_in_images(0..data::BUILT_IN_COUNT),
    };
    fs::write(&path, csv(&images)).unwrap();
    path
});

static IMAGES: LazyLock<LabelledImages> =
    LazyLock::new(|| data::training_images(Some(&FILE)).unwrap());

fn csv(images: &LabelledImages) -> Vec<u8> {
    let mut text = b"label".to_vec();
    for pixel in 0..images.side() * images.side() {
        write!(text, ",pixel{pixel}").unwrap();
    }
    for index in 0..images.len() {
        let item = images.get(index).unwrap();
        write!(text, "\n{}", item.label).unwrap();
        for pixel in item.image.pixels() {
            write!(text, ",{pixel}").unwrap();
        }
    }
    text.push(b'\n');
    text
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn read_csv(bencher: Bencher) {
    let size = fs::metadata(&*FILE).unwrap().len();
    bencher
        .counter(BytesCount::new(size))
        .bench(|| data::training_images(Some(&FILE)).unwrap());
}

/// An epoch of batches of 128 on the CPU, with nothing else to do: gathered, uploaded, scaled.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn load_epoch(bencher: Bencher) {
    let device = Device::flex().autodiff();
    let batch_size = NonZeroUsize::new(128).unwrap();
    let scaling = IMAGES.scaling();
    let loader = EpochLoader::in_order(IMAGES.clone(), scaling, batch_size, &device);
    let loader = loader.shuffled(0, 1, 0);
    bencher
        .counter(ItemsCount::new(IMAGES.len()))
        .bench_local(|| loader.iter().map(Result::unwrap).for_each(drop));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn scaling(bencher: Bencher) {
    bencher.bench(|| IMAGES.scaling());
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn fingerprint(bencher: Bencher) {
    bencher.bench(|| IMAGES.fingerprint());
}
