//! Do two classifiers that read the same images differ?

use std::f64::consts::LN_2;

use statrs::function::factorial::ln_binomial;

/// The two-sided p-value of McNemar's exact test (McNemar 1947, doi:10.1007/BF02295996): how probable
/// a split as uneven as this is, or more uneven, if the two classifiers are right equally often.
///
/// `only_first` and `only_second` count the images that the one reads correctly and the other does
/// not; what both read, or neither, does not count. If they are equally good, each of these n images
/// falls to either side as a coin does, so that the smaller count is binomial with ½, and the p-value
/// is twice the probability of that count or less: at most 1, which it is without such images.
///
/// It holds for these two classifiers and other images of the kind, and not for the ways in which they
/// were trained: those take several runs, and [`sign_flip_test`](crate::sign_flip_test).
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let (count, images) = (only_first.min(only_second), only_first + only_second);
    (2.0 * fair_binomial_cdf(count as u64, images as u64)).min(1.0)
}

/// P(X ≤ `count`) for the number X of heads of `tosses` fair coins; at most half of them.
fn fair_binomial_cdf(count: u64, tosses: u64) -> f64 {
    let last = (ln_binomial(tosses, count) - tosses as f64 * LN_2).exp();
    // The terms as shares of the last, which is the largest: C(n, i − 1) = C(n, i) · i / (n − i + 1).
    let (mut term, mut sum) = (1.0, 1.0);
    for i in (1..=count).rev() {
        term *= i as f64 / (tosses - i + 1) as f64;
        sum += term;
        if term < f64::EPSILON * sum / tosses as f64 {
            break;
        }
    }
    last * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_derived_by_hand() {
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(4, 4), 1.0);
        // 2 · 1 / 2⁵, and 2 · (1 + 8 + 28) / 2⁸.
        assert!((mcnemar(0, 5) - 0.0625).abs() < 1e-15);
        assert!((mcnemar(6, 2) - 0.289_062_5).abs() < 1e-14);
        assert_eq!(mcnemar(6, 2), mcnemar(2, 6));
    }
}
