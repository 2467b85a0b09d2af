//! Random variates made of exactly specified arithmetic only.

use rand::Rng;
use seed::ChaCha8Rng;

/// A stream of random variates.
///
/// Only integer arithmetic and IEEE 754 additions and multiplications are used, so that the same
/// stream gives the same variates, to the last bit, on every machine.
pub(super) struct Variates(ChaCha8Rng);

impl Variates {
    /// Variates drawn from `stream`.
    pub(super) fn new(stream: ChaCha8Rng) -> Self {
        Self(stream)
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻²⁴, the resolution of an `f32` below one.
    pub(super) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `[low, high)`.
    pub(super) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Bell-shaped with the given mean and standard deviation, never further than 3.5 standard
    /// deviations from the mean: the sum of four uniform variates (the Irwin–Hall distribution).
    /// Unlike a true normal variate it needs no logarithm, whose last bit depends on the platform.
    pub(super) fn bell(&mut self, mean: f32, deviation: f32) -> f32 {
        const SQRT_3: f32 = 1.732_050_8;
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        mean + deviation * SQRT_3 * (sum - 2.0)
    }

    /// True with the given probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// An index drawn with a probability proportional to its weight. `weights` must not be empty.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = f32> + Clone) -> usize {
        let total: f32 = weights.clone().sum();
        let mut rest = self.unit() * total;
        let mut last = 0;
        for (index, weight) in weights.enumerate() {
            if rest < weight {
                return index;
            }
            rest -= weight;
            last = index;
        }
        last
    }
}
