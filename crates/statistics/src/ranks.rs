//! Many contenders over many data sets or settings.
//!
//! The scores are a table: a row for each data set or setting, in it one score for each contender, the
//! mean of its runs for example. The rows are the sample, so runs of one data set that differ in their
//! seed only are no rows of their own. After Demšar 2006
//! (<https://www.jmlr.org/papers/v7/demsar06a.html>).

use crate::check;
use crate::distribution::{chi_squared_sf, f_sf, studentized_range_isf};
use crate::error::Error;
use crate::improvement::Direction;

/// The ranks of contenders, averaged over data sets.
#[derive(Clone, Debug, PartialEq)]
pub struct RankSummary {
    /// The number of data sets or settings.
    pub datasets: usize,
    /// The average rank of each contender, 1 being best.
    pub average_ranks: Vec<f64>,
    /// Whether the contenders differ at all. Where they do not, the rest means nothing.
    pub friedman: Friedman,
    /// How far apart two average ranks must be to differ; see [`nemenyi_critical_difference`].
    pub critical_difference: f64,
}

impl RankSummary {
    /// Ranks the contenders in every row of `scores` and compares their average ranks at `level`.
    ///
    /// # Errors
    ///
    /// As of [`friedman_test`] and [`nemenyi_critical_difference`].
    pub fn new(
        scores: &[impl AsRef<[f64]>],
        direction: Direction,
        level: f64,
    ) -> Result<Self, Error> {
        let friedman = friedman_test(scores)?;
        let average_ranks = average(&rank_rows(scores, direction)?);
        let critical_difference =
            nemenyi_critical_difference(average_ranks.len(), scores.len(), level)?;
        Ok(Self {
            datasets: scores.len(),
            average_ranks,
            friedman,
            critical_difference,
        })
    }
}

/// The result of Friedman's test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Friedman {
    /// Friedman's χ², corrected for ties.
    pub chi_squared: f64,
    /// Its p-value with k − 1 degrees of freedom for k contenders; above 0, at most 1. Too large for
    /// few data sets.
    pub chi_squared_p_value: f64,
    /// The F of Iman and Davenport; `None` if all data sets agree, which makes it infinite.
    pub f: Option<f64>,
    /// Its p-value with k − 1 and (k − 1)(n − 1) degrees of freedom; above 0, at most 1. If all data
    /// sets agree, the probability of that: 1 / k!ⁿ⁻¹ without ties.
    pub f_p_value: f64,
}

/// The ranks of scores: 1 for the best, and the mean of their ranks for scores that are exactly equal.
///
/// # Errors
///
/// [`Error::TooFew`] for no scores, [`Error::Value`] for one that is not finite.
pub fn ranks(scores: &[f64], direction: Direction) -> Result<Vec<f64>, Error> {
    check::values(scores, 1)?;
    let improvement = |index: usize| direction.improvement(scores[index]);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| improvement(b).total_cmp(&improvement(a)));
    let mut ranks = vec![0.0; scores.len()];
    let mut better = 0;
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        for &index in tied {
            ranks[index] = better as f64 + (tied.len() + 1) as f64 / 2.0;
        }
        better += tied.len();
    }
    Ok(ranks)
}

/// Friedman's test of whether contenders differ, from their ranks in each row of `scores`: Friedman
/// 1937 (doi:10.1080/01621459.1937.10503522), with the F of Iman and Davenport 1980
/// (doi:10.1080/03610928008827904), which Demšar prefers.
///
/// With Rⱼ the sum of ranks of the j-th of k contenders in n rows, and A the sum of all squared ranks,
/// χ² = (k − 1) Σ(Rⱼ − n(k + 1)/2)² / (A − nk(k + 1)²/4) and F = (n − 1) χ² / (n(k − 1) − χ²). If all
/// scores of every row are equal, both are 0.
///
/// # Errors
///
/// [`Error::TooFew`] for less than two rows or contenders, [`Error::Lengths`] unless all rows have the
/// same length, [`Error::Value`] for a score that is not finite.
pub fn friedman_test(scores: &[impl AsRef<[f64]>]) -> Result<Friedman, Error> {
    let rows = rank_rows(scores, Direction::HigherIsBetter)?;
    let (n, k) = (rows.len() as f64, rows[0].len() as f64);
    let middle = (k + 1.0) / 2.0;
    let within: f64 = rows
        .iter()
        .flatten()
        .map(|rank| (rank - middle).powi(2))
        .sum();
    let between: f64 = average(&rows)
        .iter()
        .map(|rank| (rank - middle).powi(2))
        .sum();
    let chi_squared = if within > 0.0 {
        (k - 1.0) * n * n * between / within
    } else {
        0.0
    };
    let left = n * (k - 1.0) - chi_squared;
    let (f, f_p_value) = if left > check::ROUNDING {
        let f = (n - 1.0) * chi_squared / left;
        (Some(f), f_sf(f, k - 1.0, (k - 1.0) * (n - 1.0)))
    } else {
        (None, arrangements(&rows[0]).powf(1.0 - n))
    };
    Ok(Friedman {
        chi_squared,
        chi_squared_p_value: chi_squared_sf(chi_squared, k - 1.0).max(f64::MIN_POSITIVE),
        f,
        f_p_value: f_p_value.max(f64::MIN_POSITIVE),
    })
}

/// How far apart the average ranks of two contenders must be for them to differ, all pairs being
/// compared: Nemenyi 1963, q √(k(k + 1) / 6n) / √2 for k contenders and n data sets, with q the
/// [`studentized_range_quantile`].
///
/// # Errors
///
/// [`Error::TooFew`] for less than two contenders or no data set, [`Error::Parameter`] unless
/// 10⁻¹² ≤ `level` < 1.
pub fn nemenyi_critical_difference(
    contenders: usize,
    datasets: usize,
    level: f64,
) -> Result<f64, Error> {
    if datasets == 0 {
        return Err(Error::TooFew {
            found: 0,
            needed: 1,
        });
    }
    let (k, n) = (contenders as f64, datasets as f64);
    let q = studentized_range_quantile(contenders, level)?;
    Ok(q * (k * (k + 1.0) / (12.0 * n)).sqrt())
}

/// What the range of so many standard normal numbers exceeds with a probability of `level`: the
/// quantile of the studentized range with infinitely many degrees of freedom, with an absolute error
/// of 10⁻⁸ at most for levels of 10⁻⁴ and above.
///
/// # Errors
///
/// [`Error::TooFew`] for less than two numbers, [`Error::Parameter`] unless 10⁻¹² ≤ `level` < 1.
pub fn studentized_range_quantile(count: usize, level: f64) -> Result<f64, Error> {
    if count < 2 {
        return Err(Error::TooFew {
            found: count,
            needed: 2,
        });
    }
    check::level(level)?;
    Ok(studentized_range_isf(level, count as f64))
}

/// The ranks within each row of a table of two or more rows and columns.
fn rank_rows(scores: &[impl AsRef<[f64]>], direction: Direction) -> Result<Vec<Vec<f64>>, Error> {
    let Some(first) = scores.first().filter(|_| scores.len() > 1) else {
        return Err(Error::TooFew {
            found: scores.len(),
            needed: 2,
        });
    };
    let contenders = first.as_ref().len();
    scores
        .iter()
        .map(|row| {
            let row = row.as_ref();
            check::values(row, 2)?;
            if row.len() != contenders {
                return Err(Error::Lengths {
                    left: contenders,
                    right: row.len(),
                });
            }
            ranks(row, direction)
        })
        .collect()
}

fn average(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64)
        .collect()
}

/// In how many ways these ranks can be given to the contenders: k!, divided by t! for every t that are
/// tied.
fn arrangements(ranks: &[f64]) -> f64 {
    let mut sorted = ranks.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tied = sorted
        .chunk_by(|a, b| a == b)
        .flat_map(|tied| 1..=tied.len());
    (1..)
        .zip(tied)
        .map(|(all, tied)| f64::from(all) / tied as f64)
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrangements_count_ties_once() {
        assert_eq!(arrangements(&[3.0, 1.0, 2.0]), 6.0);
        assert_eq!(arrangements(&[2.5, 1.0, 2.5]), 3.0);
        assert_eq!(arrangements(&[3.5, 1.5, 3.5, 1.5]), 6.0);
    }
}
