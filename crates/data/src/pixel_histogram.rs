//! How often each value of a pixel is there, and what follows from it.

/// How many pixels have each value. Sums over them are of integers, hence exact and the same on every
/// machine.
pub(crate) struct PixelHistogram([u64; 256]);

impl PixelHistogram {
    pub(crate) fn new<'a>(pixels: impl Iterator<Item = &'a u8>) -> Self {
        let mut counts = [0; 256];
        pixels.for_each(|&pixel| counts[usize::from(pixel)] += 1);
        Self(counts)
    }

    pub(crate) fn smallest(&self) -> u8 {
        self.0.iter().position(|&count| count > 0).unwrap_or(0) as u8
    }

    pub(crate) fn largest(&self) -> u8 {
        self.0.iter().rposition(|&count| count > 0).unwrap_or(0) as u8
    }

    /// The sum of all pixels to this power.
    pub(crate) fn moment(&self, power: u32) -> u128 {
        let terms = (0_u128..).zip(self.0);
        terms
            .map(|(value, count)| value.pow(power) * u128::from(count))
            .sum()
    }

    /// The mean, 0 to 255; NaN of no pixel.
    pub(crate) fn mean(&self) -> f64 {
        self.moment(1) as f64 / self.moment(0) as f64
    }

    /// The standard deviation of the population; NaN of no pixel.
    pub(crate) fn standard_deviation(&self) -> f64 {
        (self.variance_times_count_squared() as f64).sqrt() / self.moment(0) as f64
    }

    /// The variance of the population times the square of the number of pixels, which is an integer and never
    /// negative.
    pub(crate) fn variance_times_count_squared(&self) -> u128 {
        let [count, sum, squares] = [0, 1, 2].map(|power| self.moment(power));
        count * squares - sum * sum
    }
}
