//! Sizes of images and lengths of slices.

/// The product of `numbers`. The lengths of slices are checked by it, so that it must not wrap around.
///
/// # Panics
///
/// If it is larger than any number.
#[inline]
pub(crate) fn checked_product<const N: usize>(numbers: [usize; N]) -> usize {
    match numbers.into_iter().try_fold(1_usize, usize::checked_mul) {
        Some(product) => product,
        None => product_too_large(&numbers),
    }
}

// Not in line: shapes are asked for their lengths with every image.
#[cold]
#[inline(never)]
fn product_too_large(numbers: &[usize]) -> ! {
    panic!("{numbers:?} are more numbers than can be counted")
}

/// The sum of `numbers`, for the same reason.
///
/// # Panics
///
/// If it is larger than any number.
#[inline]
pub(crate) fn checked_sum<const N: usize>(numbers: [usize; N]) -> usize {
    match numbers.into_iter().try_fold(0_usize, usize::checked_add) {
        Some(sum) => sum,
        None => sum_too_large(&numbers),
    }
}

#[cold]
#[inline(never)]
fn sum_too_large(numbers: &[usize]) -> ! {
    panic!("the sum of {numbers:?} is more than can be counted")
}

/// Rows and columns that `size` has left with `pool`: half of them, rounded down, since the largest of
/// each 2×2 window remains.
#[inline(always)]
pub(crate) fn pooled_size([rows, columns]: [usize; 2], pool: bool) -> [usize; 2] {
    if pool {
        [rows / 2, columns / 2]
    } else {
        [rows, columns]
    }
}
