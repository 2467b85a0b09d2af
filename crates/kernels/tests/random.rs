//! The counter-based generator: its statistics, and that it gives the same everywhere.

use kernels::random::{dropout, fill_uniform};
use kernels::simd::Isa;
use proptest::prelude::*;

fn uniform(isa: Isa, key: u64, first: u64, count: usize) -> Vec<f32> {
    let mut values = vec![f32::NAN; count];
    fill_uniform(isa, key, first, &mut values);
    values
}

/// Keys as a program would choose them: successive, and far apart.
const KEYS: [u64; 6] = [0, 1, 2, 3, 1 << 32, u64::MAX];

/// The correlation of two samples of a uniform distribution, in standard deviations of that of
/// independent ones.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let products = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| (f64::from(a) - 0.5) * (f64::from(b) - 0.5) * 12.0);
    products.sum::<f64>() / (a.len() as f64).sqrt()
}

/// How far the counts of `values` in equal bins are from even ones, in standard deviations of the
/// χ² distribution.
fn unevenness(bins: impl Iterator<Item = usize>, bin_count: usize) -> f64 {
    let mut counts = vec![0u32; bin_count];
    let mut total = 0.0;
    for bin in bins {
        counts[bin] += 1;
        total += 1.0;
    }
    let expected = total / bin_count as f64;
    let squares = counts.iter().map(|&n| (f64::from(n) - expected).powi(2));
    let freedom = bin_count as f64 - 1.0;
    (squares.sum::<f64>() / expected - freedom) / (2.0 * freedom).sqrt()
}

#[test]
#[cfg_attr(miri, ignore = "statistics take many numbers")]
fn numbers_are_uniform() {
    for key in KEYS {
        let sample = uniform(Isa::best(), key, 0, 1 << 20);
        assert!(sample.iter().all(|x| (0.0..1.0).contains(x)));
        let count = sample.len() as f64;
        let mean = sample.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let squares = sample.iter().map(|&x| (f64::from(x) - 0.5).powi(2));
        let variance = squares.sum::<f64>() / count;
        // Standard deviations of the mean: √(1/12n); of the variance: √(1/180n).
        assert!((mean - 0.5).abs() * (12.0 * count).sqrt() < 5.0, "{mean}");
        let error = (variance - 1.0 / 12.0).abs() * (180.0 * count).sqrt();
        assert!(error < 5.0, "{variance}");

        let bins = sample.iter().map(|x| (x * 4096.0) as usize);
        assert!(unevenness(bins, 4096).abs() < 5.0);
        // The lowest bits, and neighbours together.
        let bins = sample.iter().map(|x| (x * 16_777_216.0) as usize % 4096);
        assert!(unevenness(bins, 4096).abs() < 5.0);
        let bins = sample
            .chunks_exact(2)
            .map(|pair| (pair[0] * 64.0) as usize * 64 + (pair[1] * 64.0) as usize);
        assert!(unevenness(bins, 4096).abs() < 5.0);
    }
}

#[test]
#[cfg_attr(miri, ignore = "statistics take many numbers")]
fn neighbours_are_independent() {
    for key in KEYS {
        let sample = uniform(Isa::best(), key, 0, 1 << 20);
        for lag in [1, 2, 3, 7, 8, 16, 28, 256, 784, 1024, 65_536] {
            let deviation = correlation(&sample[..sample.len() - lag], &sample[lag..]);
            assert!(deviation.abs() < 5.0, "lag {lag}: {deviation}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "statistics take many numbers")]
fn keys_and_upper_halves_of_places_give_independent_numbers() {
    let mut samples: Vec<Vec<f32>> = KEYS.map(|key| uniform(Isa::best(), key, 0, 1 << 16)).into();
    samples.extend([1, 2, 1 << 31].map(|upper| uniform(Isa::best(), 0, upper << 32, 1 << 16)));
    for (i, a) in samples.iter().enumerate() {
        for b in &samples[..i] {
            for shift in [0, 1, 2] {
                let deviation = correlation(&a[shift..], &b[..b.len() - shift]);
                assert!(deviation.abs() < 5.0, "{deviation}");
            }
            // No sequence is a part of the other.
            assert!(!b.windows(2).any(|pair| pair == &a[1000..1002]));
        }
    }
    // Over the keys at one place: as good as over the places.
    for place in [0, 1, 1000] {
        let over_keys: Vec<f32> = (0..1 << 16)
            .map(|key| uniform(Isa::Portable, key, place, 1)[0])
            .collect();
        let bins = over_keys.iter().map(|x| (x * 256.0) as usize);
        assert!(unevenness(bins, 256).abs() < 5.0);
        let deviation = correlation(&over_keys[1..], &over_keys[..over_keys.len() - 1]);
        assert!(deviation.abs() < 5.0, "{deviation}");
    }
}

#[test]
fn the_numbers_never_change() {
    let first: Vec<u32> = uniform(Isa::best(), 42, 0, 4)
        .into_iter()
        .map(|x| (x * 16_777_216.0) as u32)
        .collect();
    assert_eq!(first, [1_787_265, 8_366_177, 4_525_528, 6_616_620]);
}

proptest! {
    #[test]
    fn every_instruction_set_gives_the_same(
        key: u64,
        near_the_end in any::<bool>(),
        place in any::<u64>(),
        count in 0usize..70,
    ) {
        let first = if near_the_end { place | 0xffff_ffe0 } else { place };
        let expected = uniform(Isa::Portable, key, first, count);
        for isa in Isa::available() {
            let got = uniform(isa, key, first, count);
            prop_assert_eq!(&got, &expected);
            // One by one they are the same, too.
            for (i, &expected) in expected.iter().enumerate() {
                let at = first.wrapping_add(i as u64);
                prop_assert_eq!(uniform(isa, key, at, 1), [expected]);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "statistics take many numbers")]
fn dropout_keeps_the_mean() {
    for isa in Isa::available() {
        for rate in [0.0, 0.1, 0.25, 0.5, 0.9] {
            let mut values = vec![1.0; 100_003];
            dropout(isa, 7, 123, rate, &mut values);
            let kept = 1.0 / (1.0 - rate);
            assert!(values.iter().all(|&x| x == 0.0 || (x - kept).abs() < 1e-6));
            let dropped = values.iter().filter(|&&x| x == 0.0).count() as f64;
            let count = values.len() as f64;
            let rate = f64::from(rate);
            let deviation = (count * rate * (1.0 - rate)).sqrt().max(1e-9);
            assert!((dropped - count * rate).abs() / deviation < 5.0, "{rate}");

            let mut gradients = vec![1.0; values.len()];
            dropout(isa, 7, 123, rate as f32, &mut gradients);
            assert_eq!(values, gradients, "the same call is the derivative");
        }
        let mut values = vec![f32::MAX, f32::INFINITY, -1.0];
        dropout(isa, 7, 0, 1.0, &mut values);
        assert_eq!(values, [0.0; 3]);
    }
}

#[test]
fn dropout_depends_on_the_place_alone() {
    for isa in Isa::available() {
        let first = (1 << 32) - 40;
        let mut whole = vec![1.0; 100];
        dropout(isa, 3, first, 0.5, &mut whole);
        let mut parts = vec![1.0; 100];
        dropout(isa, 3, first, 0.5, &mut parts[..33]);
        dropout(isa, 3, first + 33, 0.5, &mut parts[33..]);
        assert_eq!(whole, parts);
        let mut portable = vec![1.0; 100];
        dropout(Isa::Portable, 3, first, 0.5, &mut portable);
        assert_eq!(whole, portable);
        let mut other_key = vec![1.0; 100];
        dropout(isa, 4, first, 0.5, &mut other_key);
        assert_ne!(whole, other_key);
    }
}

#[test]
#[should_panic(expected = "dropout rate 1.5")]
fn dropout_refuses_impossible_rates() {
    dropout(Isa::best(), 0, 0, 1.5, &mut []);
}
