//! How many dimensions a layer really uses.

use ndarray::{Array1, Array2, ArrayView2, s};

/// Effective rank of the matrix with these `rows`, one after the other, each of `columns` numbers:
/// exp(−Σ pᵢ ln pᵢ) with pᵢ = σᵢ / Σσ, σ the singular values. From 1 to `columns`; `None` for a
/// matrix that is empty, all zero, or has something that is no number.
///
/// Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".
pub fn effective_rank(rows: &[f32], columns: usize) -> Option<f64> {
    if columns == 0 || rows.len() < columns || rows.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let matrix = ArrayView2::from_shape((rows.len() / columns, columns), rows).ok()?;
    let matrix = matrix.mapv(f64::from);
    let eigenvalues = symmetric_eigenvalues(matrix.t().dot(&matrix));
    let singular: Vec<f64> = eigenvalues
        .iter()
        .map(|value| value.max(0.0).sqrt())
        .collect();
    let sum: f64 = singular.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return None;
    }
    let shares = singular.iter().map(|value| value / sum);
    let entropy: f64 = shares.filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum();
    Some(entropy.exp())
}

/// The eigenvalues of a symmetric matrix, in no particular order.
///
/// The crates that have this would compile Burn anew for everybody, by features of crates that Burn
/// shares with them.
fn symmetric_eigenvalues(matrix: Array2<f64>) -> Vec<f64> {
    let (diagonal, beside) = tridiagonal(matrix);
    tridiagonal_eigenvalues(diagonal, beside)
}

/// The diagonal, and the numbers beside it, of a tridiagonal matrix with the same eigenvalues:
/// Householder's reflections, one for each column (Golub and Van Loan, "Matrix Computations", 8.3.1).
fn tridiagonal(mut matrix: Array2<f64>) -> (Vec<f64>, Vec<f64>) {
    let n = matrix.nrows();
    let mut beside = Vec::with_capacity(n);
    for column in 0..n.saturating_sub(2) {
        let mut reflector: Array1<f64> = matrix.slice(s![column + 1.., column]).to_owned();
        let norm = reflector.dot(&reflector).sqrt();
        // Away from zero, so that nothing cancels.
        let target = if reflector[0] > 0.0 { -norm } else { norm };
        beside.push(target);
        reflector[0] -= target;
        let squared = reflector.dot(&reflector);
        if squared == 0.0 {
            continue;
        }
        // (I − 2vvᵀ/vᵀv) A (I − 2vvᵀ/vᵀv) = A − vwᵀ − wvᵀ
        let mut rest = matrix.slice_mut(s![column + 1.., column + 1..]);
        let p = rest.dot(&reflector) * (2.0 / squared);
        let w = &p - &reflector * (p.dot(&reflector) / squared);
        for ((mut row, &v), &w_of_row) in rest.rows_mut().into_iter().zip(&reflector).zip(&w) {
            row.scaled_add(-v, &w);
            row.scaled_add(-w_of_row, &reflector);
        }
    }
    if n > 1 {
        beside.push(matrix[[n - 1, n - 2]]);
    }
    (matrix.diag().to_vec(), beside)
}

/// The eigenvalues of a symmetric tridiagonal matrix: QL steps with Wilkinson's shift (Golub and Van
/// Loan, "Matrix Computations", 8.3.3–8.3.5), each of which makes one number beside the diagonal
/// vanish.
fn tridiagonal_eigenvalues(mut diagonal: Vec<f64>, mut beside: Vec<f64>) -> Vec<f64> {
    /// Two or three steps are usual.
    const MOST_STEPS: usize = 60;
    let n = diagonal.len();
    beside.resize(n, 0.0);
    for first in 0..n {
        for _ in 0..MOST_STEPS {
            // The block that begins here ends where the matrix falls apart.
            let negligible = |place: usize| {
                let size = diagonal[place].abs() + diagonal[place + 1].abs();
                beside[place].abs() <= f64::EPSILON * size
            };
            let last = (first..n - 1)
                .find(|&place| negligible(place))
                .unwrap_or(n - 1);
            if last == first {
                break;
            }
            let half = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
            let root = half.hypot(1.0).copysign(half);
            let mut bulge = diagonal[last] - diagonal[first] + beside[first] / (half + root);
            let (mut sine, mut cosine, mut moved) = (1.0, 1.0, 0.0);
            let mut fell_apart = false;
            for place in (first..last).rev() {
                let (f, b) = (sine * beside[place], cosine * beside[place]);
                let length = f.hypot(bulge);
                beside[place + 1] = length;
                if length == 0.0 {
                    diagonal[place + 1] -= moved;
                    beside[last] = 0.0;
                    fell_apart = true;
                    break;
                }
                (sine, cosine) = (f / length, bulge / length);
                let shifted = diagonal[place + 1] - moved;
                let turned = (diagonal[place] - shifted) * sine + 2.0 * cosine * b;
                moved = sine * turned;
                diagonal[place + 1] = shifted + moved;
                bulge = cosine * turned - b;
            }
            if !fell_apart {
                diagonal[first] -= moved;
                beside[first] = bulge;
                beside[last] = 0.0;
            }
        }
    }
    diagonal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_by_hand() {
        // Orthogonal columns of lengths 3, 3 and 3: three even dimensions.
        let even = [3.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0];
        assert!((effective_rank(&even, 3).unwrap() - 3.0).abs() < 1e-9);
        // All rows are multiples of one.
        let single = [1.0, 2.0, 2.0, 4.0, -1.0, -2.0];
        assert!((effective_rank(&single, 2).unwrap() - 1.0).abs() < 1e-6);
        // σ = 3 and 1: p = ¾ and ¼.
        let uneven = [3.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let entropy = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert!((effective_rank(&uneven, 2).unwrap() - entropy.exp()).abs() < 1e-9);
        assert_eq!(effective_rank(&[0.0; 6], 2), None);
        assert_eq!(effective_rank(&[f32::NAN; 6], 2), None);
        assert_eq!(effective_rank(&[], 0), None);
    }

    /// NumPy 2.4: `s = numpy.linalg.svd(a, compute_uv=False); p = s / s.sum();
    /// exp(-(p * log(p)).sum())`, 20 by 9 numbers a[i, j] = sin(7.3 i² + 0.31 j³ + i j).
    #[test]
    fn agrees_with_numpy() {
        let rows: Vec<f32> = (0..180)
            .map(|place| {
                let (i, j) = (f64::from(place / 9), f64::from(place % 9));
                (7.3 * i * i + j * j * j * 0.31 + i * j).sin() as f32
            })
            .collect();
        let found = effective_rank(&rows, 9).unwrap();
        assert!((found - 8.626_769_068_259).abs() < 1e-9, "{found}");
    }

    /// The second differences of n numbers: eigenvalues 2 − 2 cos(πk / (n + 1)).
    #[test]
    fn eigenvalues_of_second_differences() {
        let n = 50;
        let mut matrix = Array2::zeros((n, n));
        for place in 0..n {
            matrix[[place, place]] = 2.0;
            if place > 0 {
                matrix[[place, place - 1]] = -1.0;
                matrix[[place - 1, place]] = -1.0;
            }
        }
        let mut found = symmetric_eigenvalues(matrix);
        found.sort_by(f64::total_cmp);
        for (k, found) in (1..).zip(found) {
            let angle = std::f64::consts::PI * f64::from(k) / (n as f64 + 1.0);
            assert!((found - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
        }
    }
}
