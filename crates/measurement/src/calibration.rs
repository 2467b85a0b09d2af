//! Whether probabilities mean what they say.

/// Number of bins, as by Guo et al. 2017, <https://arxiv.org/abs/1706.04599>.
const BINS: usize = 15;

/// Expected calibration error, 0 to 1: the difference between how sure the network is and how often
/// it is right, Σ_b (n_b / n) |accuracy_b − confidence_b| over 15 bins of equal width of the
/// confidence.
///
/// For each image, its confidence (the highest probability, 0 to 1) and whether it was read
/// correctly. `None` without images.
pub fn expected_calibration_error(images: impl IntoIterator<Item = (f64, bool)>) -> Option<f64> {
    // Number, sum of confidences, number of correct ones.
    let mut bins = [(0_usize, 0.0, 0_usize); BINS];
    for (confidence, correct) in images {
        // The upper end of a bin belongs to it.
        let bin = (confidence * BINS as f64).ceil() as usize;
        let (count, sum, hits) = &mut bins[bin.clamp(1, BINS) - 1];
        *count += 1;
        *sum += confidence;
        *hits += usize::from(correct);
    }
    let images: usize = bins.iter().map(|bin| bin.0).sum();
    let differences = bins
        .iter()
        .map(|(_, confidence, hits)| (*hits as f64 - confidence).abs());
    (images > 0).then(|| differences.sum::<f64>() / images as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_by_hand() {
        // Two bins: (0.9 + 0.92)/2 sure, half right; 0.5 sure, right.
        let images = [(0.9, true), (0.92, false), (0.5, true)];
        let expected = (2.0 * (0.91 - 0.5) + (1.0 - 0.5)) / 3.0;
        let found = expected_calibration_error(images).unwrap();
        assert!((found - expected).abs() < 1e-12);
        assert_eq!(expected_calibration_error([(1.0, true); 5]), Some(0.0));
        assert_eq!(expected_calibration_error([]), None);
    }
}
