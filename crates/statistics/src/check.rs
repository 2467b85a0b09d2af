//! What every function asks of its arguments.

use crate::error::Error;

/// Larger numbers are refused, so that no square and no sum of squares overflows.
const LARGEST: f64 = 1e100;

/// Sums and spreads of differences that are smaller than this share of the differences are rounding
/// errors. Scores near 1 have errors of 1e-16 and differ by 1e-4 or so, which makes 1e-12 of the
/// difference; and what is closer than nine digits may well count as equal.
pub(crate) const ROUNDING: f64 = 1e-9;

/// There are `needed` numbers or more, and all can be computed with.
pub(crate) fn values(values: &[f64], needed: usize) -> Result<(), Error> {
    if values.len() < needed {
        return Err(Error::TooFew {
            found: values.len(),
            needed,
        });
    }
    let usable = -LARGEST..=LARGEST;
    match (1..).zip(values).find(|(_, value)| !usable.contains(value)) {
        Some((position, &value)) => Err(Error::Value { position, value }),
        None => Ok(()),
    }
}

/// A parameter is as `expected` says, in the opinion of the caller.
pub(crate) fn parameter(
    name: &'static str,
    found: f64,
    valid: bool,
    expected: &'static str,
) -> Result<(), Error> {
    if valid {
        Ok(())
    } else {
        Err(Error::Parameter {
            name,
            found,
            expected,
        })
    }
}

/// How often an interval is to hold the true value.
pub(crate) fn confidence(confidence: f64) -> Result<(), Error> {
    let valid = confidence > 0.0 && confidence < 1.0;
    parameter(
        "the confidence",
        confidence,
        valid,
        "a number between 0 and 1",
    )
}

/// A level of significance that the distributions are computed precisely enough for.
pub(crate) fn level(level: f64) -> Result<(), Error> {
    let valid = (1e-12..1.0).contains(&level);
    parameter("the level", level, valid, "a number from 1e-12 to below 1")
}

/// A level of significance that leaves an interval of confidence 1 − 2 · level.
pub(crate) fn level_of_equivalence(level: f64) -> Result<(), Error> {
    let valid = (1e-12..0.5).contains(&level);
    parameter(
        "the level",
        level,
        valid,
        "a number from 1e-12 to below 0.5",
    )
}

/// A power that is worth asking for at this level.
pub(crate) fn power(level: f64, power: f64) -> Result<(), Error> {
    self::level(level)?;
    let valid = power > level && power < 1.0;
    parameter(
        "the power",
        power,
        valid,
        "a number between the level and 1",
    )
}

/// A p-value.
pub(crate) fn p_value(p_value: f64) -> Result<(), Error> {
    let valid = (0.0..=1.0).contains(&p_value);
    parameter("a p-value", p_value, valid, "a number from 0 to 1")
}

/// A standard deviation, a margin: a number that is not negative.
pub(crate) fn size(name: &'static str, found: f64) -> Result<(), Error> {
    let valid = (0.0..=LARGEST).contains(&found);
    parameter(name, found, valid, "a number from 0 to 1e100")
}

/// A number of pairs that have a standard deviation, and that Student's t is precise for.
pub(crate) fn pairs(pairs: usize) -> Result<(), Error> {
    let valid = (2..=1_000_000).contains(&pairs);
    parameter(
        "the number of pairs",
        pairs as f64,
        valid,
        "a number from 2 to 1000000",
    )
}
