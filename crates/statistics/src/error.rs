//! What can be wrong with the numbers, each in one line that says what was found and expected.

/// Why a statistic could not be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are too few numbers for the statistic.
    #[error("found {found} values, expected {needed} or more")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },

    /// A number is infinite, not a number, or so large that its square could overflow.
    #[error(
        "value {position} is {value}, expected a number between -1e100 and 1e100; \
         a diverged run needs a score, or is left out"
    )]
    Value {
        /// Where it stands, counted from 1.
        position: usize,
        /// The number.
        value: f64,
    },

    /// Two lists that belong together differ in length.
    #[error("found lists of {left} and {right} values, expected the same number in both")]
    Lengths {
        /// The length of the first.
        left: usize,
        /// The length of the second.
        right: usize,
    },

    /// A parameter is outside its range.
    #[error("{name} is {found}, expected {expected}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// What it is.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },

    /// The statistic of a resample is not a finite number.
    #[error("the statistic is {found} for a resample of the values, expected a finite number")]
    Statistic {
        /// What the statistic returned.
        found: f64,
    },
}
