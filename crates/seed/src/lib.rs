//! Where every random number of the project comes from.
//!
//! A draw is named by four numbers: the run's seed, what it is for, the epoch, and an index within
//! the epoch. They are the 256-bit key of a ChaCha8 stream, so that streams never overlap, do not
//! depend on the order in which they are used, and are the same on every machine and in every
//! version of this program. An interrupted run continues with the draws that it would have made.

use rand::Rng;
use rand::SeedableRng;
pub use rand_chacha::ChaCha8Rng;

/// What a random stream is used for. The discriminants are part of the on-disk contract: changing
/// one changes the results of every recorded run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; the index is that of the layer.
    Initialisation = 1,
    /// The split into training and validation rows.
    Split = 2,
    /// The order of the training rows in one epoch.
    Shuffle = 3,
    /// Random draws inside the network in one training step (dropout, randomised activations); the
    /// index is that of the batch.
    Network = 4,
    /// Distortion of one training image in one epoch; the index is that of the row.
    Augmentation = 5,
    /// Drawing the built-in digits; the index is that of the image.
    BuiltInDigits = 6,
    /// Resampling results for confidence intervals.
    Bootstrap = 7,
    /// Signs of differences in permutation tests.
    SignFlip = 8,
}

/// The random stream named by `(run_seed, purpose, epoch, index)`.
pub fn stream(run_seed: u64, purpose: Purpose, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, number) in key
        .chunks_exact_mut(8)
        .zip([run_seed, purpose as u64, epoch, index])
    {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// One 64-bit number from the stream named by the arguments, for generators seeded by a number.
pub fn number(run_seed: u64, purpose: Purpose, epoch: u64, index: u64) -> u64 {
    stream(run_seed, purpose, epoch, index).next_u64()
}

/// A number from 0 to `bound` − 1; 0 of a bound of 0.
///
/// Multiplication in place of a remainder makes some numbers more probable than others by a share of
/// `bound` / 2⁶⁴ at most, which no experiment can see.
pub fn below(bound: usize, random: &mut ChaCha8Rng) -> usize {
    ((u128::from(random.next_u64()) * bound as u128) >> 64) as usize
}

/// Puts `items` into random order (Fisher and Yates; Durstenfeld 1964).
///
/// `rand` has a shuffle too, but not one that promises the same order in every version.
pub fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, random));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first eight bytes of the ChaCha8 keystream, computed by an independent implementation
    /// written from RFC 8439 (with four double rounds, nonce and counter zero). A change here
    /// changes every recorded run.
    #[test]
    fn streams_are_stable() {
        assert_eq!(
            [
                number(0, Purpose::Shuffle, 0, 0),
                number(1, Purpose::Shuffle, 0, 0),
                number(0, Purpose::Split, 0, 0),
                number(0, Purpose::Shuffle, 1, 0),
                number(0, Purpose::Shuffle, 0, 1),
            ],
            [
                937_696_089_655_168_661,
                9_284_114_540_295_415_762,
                13_401_477_096_143_823_361,
                13_004_067_721_789_103_655,
                16_051_634_365_314_870_296
            ]
        );
    }

    /// A change here changes every recorded run.
    #[test]
    fn purposes_have_their_numbers() {
        use Purpose::*;
        let purposes = [
            Initialisation,
            Split,
            Shuffle,
            Network,
            Augmentation,
            BuiltInDigits,
            Bootstrap,
            SignFlip,
        ];
        assert_eq!(
            purposes.map(|purpose| purpose as u64),
            [1, 2, 3, 4, 5, 6, 7, 8]
        );
    }

    /// By a program written from the definitions (ChaCha8 after RFC 8439 with four double rounds,
    /// Durstenfeld's shuffle, multiplication for the bound). A change here changes every split.
    #[test]
    fn shuffles_are_stable() {
        let mut items: Vec<u32> = (0..10).collect();
        shuffle(&mut items, &mut stream(0, Purpose::Split, 0, u64::MAX));
        assert_eq!(items, [6, 2, 5, 8, 0, 7, 1, 3, 4, 9]);
    }

    /// Every order of three items comes up about equally often: 6000 shuffles, chi-squared with 5
    /// degrees of freedom, below its 99.9 % quantile 20.5.
    #[test]
    fn shuffles_are_uniform() {
        let mut counts = std::collections::BTreeMap::<[u32; 3], f64>::new();
        let mut random = stream(0, Purpose::Split, 0, 0);
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            shuffle(&mut items, &mut random);
            *counts.entry(items).or_default() += 1.0;
        }
        let chi_squared: f64 = counts.values().map(|n| (n - 1000.0).powi(2) / 1000.0).sum();
        assert_eq!(counts.len(), 6);
        assert!(chi_squared < 20.5, "{chi_squared}");
    }
}
