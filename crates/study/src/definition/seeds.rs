//! The seeds of a study's runs.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Problem;
use crate::format::count;

/// The largest number that TOML can hold.
const LARGEST: u64 = i64::MAX as u64;
/// More runs of one kind than anybody could make; they are listed in memory.
const MOST: usize = 100_000;

/// The seeds of the runs: `10` for those from 0 to 9, `{ first = 100, count = 10 }`, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of seeds such as 10, { first = 100, count = 10 }, or a list of seeds"
)]
pub enum Seeds {
    /// So many, from 0.
    Count(usize),
    /// These. Before the range, which could be read from a list as well.
    List(Vec<u64>),
    /// So many, from another one.
    Range(SeedRange),
}

/// Seeds in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRange {
    /// The first of them.
    pub first: u64,
    /// How many there are.
    pub count: usize,
}

impl Default for Seeds {
    /// Ten, the least with which 20 comparisons can be significant.
    fn default() -> Self {
        Self::Count(10)
    }
}

impl Seeds {
    /// The seeds in the order of the runs.
    pub fn list(&self) -> Vec<u64> {
        let range = |SeedRange { first, count }| (first..).take(count).collect();
        match self {
            Self::Count(count) => range(SeedRange {
                first: 0,
                count: *count,
            }),
            Self::Range(seeds) => range(*seeds),
            Self::List(seeds) => seeds.clone(),
        }
    }

    /// Whether they are the same, however they are written.
    pub(super) fn are(&self, others: &Self) -> bool {
        self == others || self.list() == others.list()
    }

    /// The seeds, if they are all there and all different.
    pub(crate) fn check(&self) -> Result<Vec<u64>, Problem> {
        match *self {
            Self::Count(count) => check_range(0, count)?,
            Self::Range(SeedRange { first, count }) => check_range(first, count)?,
            Self::List(_) => (),
        }
        let seeds = self.list();
        if seeds.is_empty() {
            return Err(Problem::NoSeeds);
        }
        if seeds.iter().any(|&seed| seed > LARGEST) {
            return Err(Problem::LargeSeed);
        }
        let distinct: BTreeSet<&u64> = seeds.iter().collect();
        if distinct.len() < seeds.len() {
            return Err(Problem::SameSeed);
        }
        Ok(seeds)
    }
}

/// How many there are, and which, where they do not begin with 0.
impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds = self.list();
        let are_in_a_row = seeds
            .windows(2)
            .all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        let number = count(seeds.len(), "seed");
        match seeds[..] {
            [0, ..] if are_in_a_row => f.write_str(&number),
            [first, ..] if are_in_a_row => write!(f, "{number} from {first} on"),
            _ => write!(f, "a list of {number}"),
        }
    }
}

/// Whether so many seeds from `first` on can be stored, before they are listed.
pub(super) fn check_range(first: u64, count: usize) -> Result<(), Problem> {
    if count > MOST {
        return Err(Problem::ManySeeds { count, most: MOST });
    }
    match first.checked_add(count as u64) {
        Some(end) if end <= LARGEST => Ok(()),
        _ => Err(Problem::LargeSeed),
    }
}
