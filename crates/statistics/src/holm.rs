//! Correction for the number of comparisons.

use crate::check;
use crate::error::Error;

/// P-values corrected after Holm 1979 (<https://www.jstor.org/stable/4615733>), in the order given:
/// if those at or below a level are taken for differences, then one or more of them is none with a
/// probability of that level at most, however the tests depend on each other.
///
/// With m p-values the k-th smallest becomes the largest of (m − j + 1) p₍ⱼ₎ for j ≤ k, and 1 at most.
///
/// # Errors
///
/// [`Error::Parameter`] unless every p-value is from 0 to 1.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, Error> {
    for &p_value in p_values {
        check::p_value(p_value)?;
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        largest = largest.max((left * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    Ok(adjusted)
}
