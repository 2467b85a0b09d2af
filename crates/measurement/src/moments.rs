//! Mean and standard deviation of numbers that come in portions.

/// Number, mean and squared deviations of a portion, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    count: u64,
    pub mean: f64,
    /// The sum of (x − mean)².
    squared_deviations: f64,
}

impl Moments {
    /// Of `count` numbers x with these sums of x − `near` and (x − `near`)². The nearer `near` is to
    /// their mean, the less is lost.
    pub fn from_sums(count: u64, near: f64, sum: f64, squares: f64) -> Self {
        let n = count.max(1) as f64;
        Self {
            count,
            mean: near + sum / n,
            squared_deviations: (squares - sum * sum / n).max(0.0),
        }
    }

    /// Adds those of other numbers: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
    /// variance", equation 2.1.
    pub fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count == 0 {
            return;
        }
        let share = other.count as f64 / count as f64;
        let apart = other.mean - self.mean;
        self.mean += apart * share;
        self.squared_deviations +=
            other.squared_deviations + apart * apart * self.count as f64 * share;
        self.count = count;
    }

    /// The root of the mean squared deviation.
    pub fn standard_deviation(&self) -> f64 {
        (self.squared_deviations / self.count.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[f64]) -> Moments {
        let near = numbers[0];
        let beside = numbers.iter().map(|x| x - near);
        let squares = beside.clone().map(|x| x * x).sum();
        Moments::from_sums(numbers.len() as u64, near, beside.sum(), squares)
    }

    /// 1, 2, 3, 6 and 8 have mean 4 and squared deviations 9 + 4 + 1 + 4 + 16 = 34.
    #[test]
    fn portions_together_are_the_whole() {
        let numbers = [1.0, 2.0, 3.0, 6.0, 8.0];
        for cut in 0..=numbers.len() {
            let mut moments = Moments::default();
            for portion in [&numbers[..cut], &numbers[cut..]] {
                if !portion.is_empty() {
                    moments.merge(&of(portion));
                }
            }
            assert!((moments.mean - 4.0).abs() < 1e-15);
            assert!((moments.standard_deviation() - (34.0_f64 / 5.0).sqrt()).abs() < 1e-15);
        }
    }
}
