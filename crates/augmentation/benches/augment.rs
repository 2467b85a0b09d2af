//! Time per image of 28×28 pixels, by kind of change.
//!
//! ```text
//! cargo bench -p augmentation --profile dev
//! ```

use augmentation::{AugmentationConfig, Augmenter, ElasticConfig, ErasingConfig, Fill};
use divan::Bencher;

fn main() {
    divan::main();
}

const SIDE: usize = 28;

/// A name, and what is turned on.
type Kind = (&'static str, fn(&mut AugmentationConfig));

const KINDS: [Kind; 9] = [
    ("nothing", |_| {}),
    ("shift", shift),
    ("affine", affine),
    ("thickness", |c| c.thickness = 0.3),
    ("elastic", elastic),
    ("erasing", erasing),
    ("affine + elastic", |c| {
        affine(c);
        elastic(c);
    }),
    ("affine + elastic of smoothness 2", |c| {
        affine(c);
        elastic(c);
        c.elastic.smoothness = 2.0;
    }),
    ("everything", |c| {
        affine(c);
        elastic(c);
        erasing(c);
        c.thickness = 0.3;
    }),
];

fn shift(config: &mut AugmentationConfig) {
    config.shift = 2.0;
}

fn affine(config: &mut AugmentationConfig) {
    config.rotation = 15.0;
    config.shift = 2.0;
    config.zoom = 0.15;
    config.stretch = 0.1;
    config.shear = 10.0;
}

fn elastic(config: &mut AugmentationConfig) {
    config.elastic = ElasticConfig {
        strength: 1.2,
        smoothness: 4.0,
    };
}

fn erasing(config: &mut AugmentationConfig) {
    config.erasing = ErasingConfig {
        probability: 0.5,
        area: [0.02, 0.2],
        fill: Fill::Noise,
    };
}

fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _)| *name)
}

fn augmenter(name: &str) -> Augmenter {
    let (_, set) = KINDS.iter().find(|(kind, _)| *kind == name).unwrap();
    let mut config = AugmentationConfig::default();
    set(&mut config);
    Augmenter::new(&config, SIDE, 0).unwrap()
}

fn image() -> Vec<u8> {
    (0..SIDE * SIDE).map(|i| (i * i * 7) as u8).collect()
}

#[divan::bench(args = names(), sample_count = 1000, sample_size = 50)]
fn to_f32(bencher: Bencher, kind: &str) {
    let (mut augmenter, image, mut output) = (augmenter(kind), image(), [0.0; SIDE * SIDE]);
    let mut index = 0;
    bencher.bench_local(|| {
        index += 1;
        augmenter.augment(1, index, divan::black_box(&image), &mut output);
        divan::black_box(&mut output);
    });
}

#[divan::bench(args = names(), sample_count = 1000, sample_size = 50)]
fn to_bytes(bencher: Bencher, kind: &str) {
    let (mut augmenter, image, mut output) = (augmenter(kind), image(), [0; SIDE * SIDE]);
    let mut index = 0;
    bencher.bench_local(|| {
        index += 1;
        augmenter.augment_bytes(1, index, divan::black_box(&image), &mut output);
        divan::black_box(&mut output);
    });
}
