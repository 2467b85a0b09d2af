//! What holds for every configuration and image.

use augmentation::{AugmentationConfig, Augmenter, ElasticConfig, ErasingConfig, Fill};
use proptest::prelude::*;

fn configs() -> impl Strategy<Value = AugmentationConfig> {
    let shape = (
        0.0..=180.0,
        0.0..=5.0,
        0.0..=0.5,
        0.0..=0.5,
        0.0..=45.0,
        0.0..=1.0,
    );
    let elastic = (0.0..=1.0, 1.0..=10.0);
    let erasing = (0.0..=1.0, 0.0..=1.0, 0.0..=1.0, any::<bool>());
    (shape, elastic, erasing).prop_map(|(shape, elastic, erasing)| {
        let (rotation, shift, zoom, stretch, shear, thickness) = shape;
        let (share, smoothness): (f64, f64) = elastic;
        let (probability, a, b, noise): (f64, f64, f64, bool) = erasing;
        AugmentationConfig {
            rotation,
            shift,
            zoom,
            stretch,
            shear,
            thickness,
            elastic: ElasticConfig {
                strength: share * smoothness,
                smoothness,
            },
            erasing: ErasingConfig {
                probability,
                area: [a.min(b), a.max(b)],
                fill: if noise { Fill::Noise } else { Fill::Background },
            },
        }
    })
}

fn images() -> impl Strategy<Value = (usize, Vec<u8>)> {
    (6..40_usize).prop_flat_map(|side| {
        let pixels = proptest::collection::vec(any::<u8>(), side * side);
        (Just(side), pixels)
    })
}

fn augmented(
    config: &AugmentationConfig,
    (run_seed, epoch, index): (u64, u64, u64),
    image: &[u8],
) -> Vec<f32> {
    let mut output = vec![f32::NAN; image.len()];
    Augmenter::new(config, image.len().isqrt(), run_seed)
        .unwrap()
        .augment(epoch, index, image, &mut output);
    output
}

/// A round blob, clear of the border by as much as a digit.
fn blob() -> Vec<u8> {
    let square = |place: usize| (place as f64 - 13.5).powi(2);
    (0..28 * 28)
        .map(|i| (255.0 * (-(square(i % 28) + square(i / 28)) / 12.0).exp()) as u8)
        .collect()
}

fn mass(pixels: &[f32]) -> f32 {
    pixels.iter().sum()
}

proptest! {
    #[test]
    fn greys_stay_greys(config in configs(), (_, image) in images(), index: u64) {
        prop_assert_eq!(config.check(), Ok(()));
        for grey in augmented(&config, (0, 0, index), &image) {
            prop_assert!((0.0..=255.0).contains(&grey), "{}", grey);
        }
    }

    /// Also from an augmenter that has done other images before, and for bytes.
    #[test]
    fn same_numbers_give_the_same_image(
        config in configs(),
        (side, image) in images(),
        run_seed: u64,
        epoch: u64,
        index: u64,
    ) {
        let first = augmented(&config, (run_seed, epoch, index), &image);
        let mut augmenter = Augmenter::new(&config, side, run_seed).unwrap();
        let mut again = vec![0.0_f32; image.len()];
        for other in [index.wrapping_add(1), index] {
            augmenter.augment(epoch, other, &image, &mut again);
        }
        prop_assert_eq!(&first, &again);
        let mut bytes = vec![0_u8; image.len()];
        augmenter.augment_bytes(epoch, index, &image, &mut bytes);
        prop_assert!(first.iter().map(|grey| grey.round_ties_even() as u8).eq(bytes));
    }

    #[test]
    fn other_numbers_give_another_image(run_seed: u64, epoch: u64, index: u64) {
        let config = AugmentationConfig { rotation: 15.0, shift: 2.0, ..AugmentationConfig::default() };
        let image: Vec<u8> = (0..28 * 28).map(|i| (i * i) as u8).collect();
        let first = augmented(&config, (run_seed, epoch, index), &image);
        for others in [
            (run_seed ^ 1, epoch, index),
            (run_seed, epoch ^ 1, index),
            (run_seed, epoch, index ^ 1),
        ] {
            prop_assert_ne!(&first, &augmented(&config, others, &image));
        }
    }

    #[test]
    fn the_identity_changes_nothing((_, image) in images(), index: u64) {
        let output = augmented(&AugmentationConfig::default(), (0, 0, index), &image);
        prop_assert!(output.into_iter().eq(image.into_iter().map(f32::from)));
    }

    #[test]
    fn shifts_and_turns_keep_the_ink(shift in 0.0..4.0, rotation in 0.0..180.0, index: u64) {
        let image = blob();
        let before: f32 = image.iter().copied().map(f32::from).sum();
        let shifted = AugmentationConfig { shift, ..AugmentationConfig::default() };
        let after = mass(&augmented(&shifted, (0, 0, index), &image));
        prop_assert!((after / before - 1.0).abs() < 1e-4, "{} {}", before, after);
        let turned = AugmentationConfig { rotation, shift, ..AugmentationConfig::default() };
        let after = mass(&augmented(&turned, (0, 0, index), &image));
        prop_assert!((after / before - 1.0).abs() < 0.01, "{} {}", before, after);
    }

    #[test]
    fn ink_grows_with_size_and_thickness(index: u64) {
        let image = blob();
        let before: f32 = image.iter().copied().map(f32::from).sum();
        let after = |config| mass(&augmented(&config, (0, 0, index), &image)) / before;
        let zoomed = after(AugmentationConfig { zoom: 0.2, ..AugmentationConfig::default() });
        prop_assert!((0.63..1.45).contains(&zoomed), "{}", zoomed);
        let stretched = after(AugmentationConfig { stretch: 0.3, ..AugmentationConfig::default() });
        prop_assert!((stretched - 1.0).abs() < 0.03, "{}", stretched);
        let sheared = after(AugmentationConfig { shear: 20.0, ..AugmentationConfig::default() });
        prop_assert!((sheared - 1.0).abs() < 0.03, "{}", sheared);
        let thick = after(AugmentationConfig { thickness: 0.5, ..AugmentationConfig::default() });
        prop_assert!((0.5..1.5).contains(&thick), "{}", thick);
    }
}

/// Every change at once gives the same bits on every machine and in every version of this crate;
/// results of recorded runs rest on it.
#[test]
fn results_are_stable() {
    let config = AugmentationConfig {
        rotation: 15.0,
        shift: 2.0,
        zoom: 0.15,
        stretch: 0.1,
        shear: 10.0,
        thickness: 0.3,
        elastic: ElasticConfig {
            strength: 1.2,
            smoothness: 4.0,
        },
        erasing: ErasingConfig {
            probability: 0.5,
            area: [0.02, 0.2],
            fill: Fill::Noise,
        },
    };
    let image: Vec<u8> = (0..28 * 28).map(|i| (i * i * 7) as u8).collect();
    let mut augmenter = Augmenter::new(&config, 28, 1).unwrap();
    // FNV-1a of the bits.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut output = vec![0.0_f32; 28 * 28];
    for index in 0..50 {
        augmenter.augment(2, index, &image, &mut output);
        for byte in output.iter().flat_map(|grey| grey.to_bits().to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    assert_eq!(hash, 4_746_418_014_099_496_280);
}
