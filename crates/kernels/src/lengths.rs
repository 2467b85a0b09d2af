//! Lengths of slices.

/// The product of `numbers`. The lengths of slices are checked by it, so that it must not wrap around.
///
/// # Panics
///
/// If it is larger than any number.
pub(crate) fn checked_product<const N: usize>(numbers: [usize; N]) -> usize {
    numbers
        .into_iter()
        .try_fold(1_usize, usize::checked_mul)
        .unwrap_or_else(|| panic!("{numbers:?} are more numbers than can be counted"))
}
