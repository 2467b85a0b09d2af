//! Colours, for light and dark pages.
//!
//! Figures are drawn in light colours; a style sheet turns each of them into its dark counterpart where
//! the reader prefers that. No two colours of [`SERIES`] are closer than 26 (light) and 23 (dark) in
//! CIELAB, seen normally, or with protanopia or deuteranopia as simulated after Machado et al. 2009
//! (doi:10.1109/TVCG.2009.113), and 16 with tritanopia; all have a contrast of 3 or more with the page.
//! Markers and labels say the same as the colours.

use std::fmt::Write;

/// A colour in light and in dark.
pub(crate) type Pair = [&'static str; 2];

pub(crate) const PAPER: Pair = ["#ffffff", "#0d1117"];
pub(crate) const INK: Pair = ["#1f2328", "#e6edf3"];
pub(crate) const MUTED: Pair = ["#57606a", "#9198a1"];
pub(crate) const GRID: Pair = ["#e3e7eb", "#262c34"];
pub(crate) const CONTEXT: Pair = ["#c9cfd6", "#3d444d"];
pub(crate) const ZERO: Pair = ["#7d8590", "#768390"];

/// Contenders, by their [looks].
pub(crate) const SERIES: [Pair; 8] = [
    ["#4a8ff7", "#53a9fe"],
    ["#7a4504", "#d26142"],
    ["#14a95d", "#8ae891"],
    ["#5b32a1", "#d1c8fe"],
    ["#a29002", "#d0c138"],
    ["#770231", "#fedbe2"],
    ["#015f7e", "#0c86b2"],
    ["#8b9096", "#979ca2"],
];

/// What many studies compare looks the same in all of them: the place in this list is the look.
const FAMILIAR: [&str; 7] = [
    "relu",
    "sigmoid",
    "tanh",
    "leaky-relu",
    "gelu",
    "silu",
    "elu",
];

/// A look for each of these activation functions, no two the same: as many different colours as there are,
/// and with more contenders than colours, another marker.
pub(crate) fn looks<'a>(activations: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut taken = Vec::new();
    let familiar: Vec<Option<usize>> = activations
        .map(|activation| {
            let look = FAMILIAR.iter().position(|one| *one == activation)?;
            // Of two with one function, as with and without dropout, the first has its look.
            (!taken.contains(&look)).then(|| taken.push(look))?;
            Some(look)
        })
        .collect();
    let mut free = (0..).filter(|look| !taken.contains(look));
    familiar
        .into_iter()
        .filter_map(|look| look.or_else(|| free.next()))
        .collect()
}

/// Shares from none to all.
pub(crate) const STEPS: [Pair; 6] = [
    ["#f0f4f8", "#171d24"],
    ["#cfe0f0", "#17324a"],
    ["#9cc5e3", "#1e4f76"],
    ["#5a9dcc", "#3076ac"],
    ["#2573a9", "#64a4d7"],
    ["#0c4571", "#b5d9f8"],
];
/// Text on the first four of [`STEPS`], and on the others.
pub(crate) const ON_STEPS: [Pair; 2] = [["#10202f", "#e7eef5"], ["#fdfefe", "#0e1318"]];

pub(crate) const BETTER: Pair = ["#b9d6fb", "#1d4a80"];
pub(crate) const WORSE: Pair = ["#f3cfae", "#6b3d12"];
pub(crate) const EQUIVALENT: Pair = ["#dde1e6", "#31373e"];

/// Style rules that turn the light colours within `scope` into the dark ones.
pub(crate) fn dark_rules(scope: &str) -> String {
    let others = [
        PAPER, INK, MUTED, GRID, CONTEXT, ZERO, BETTER, WORSE, EQUIVALENT,
    ];
    let mut rules = String::new();
    for [light, dark] in others.iter().chain(&SERIES).chain(&STEPS).chain(&ON_STEPS) {
        // Writing to a string cannot fail.
        let _ = write!(
            rules,
            "{scope}[fill=\"{light}\"]{{fill:{dark}}}{scope}[stroke=\"{light}\"]{{stroke:{dark}}}"
        );
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_functions_look_the_same_in_all_studies() {
        let looks = |names: &[&str]| super::looks(names.iter().copied());
        assert_eq!(looks(&["relu", "sigmoid", "tanh"]), [0, 1, 2]);
        assert_eq!(looks(&["tanh", "snake", "relu", "mish"]), [2, 1, 0, 3]);
        assert_eq!(looks(&["relu", "relu", "relu"]), [0, 1, 2]);
        // Eight have eight colours.
        let mut eight = looks(&[
            "elu", "selu", "mish", "relu", "snake", "prelu", "softsign", "gelu",
        ]);
        eight.sort_unstable();
        assert_eq!(eight, (0..8).collect::<Vec<_>>());
    }

    /// A colour that stood for two things could not be turned into two.
    #[test]
    fn every_light_colour_has_one_meaning() {
        let rules = dark_rules("");
        let mut selectors: Vec<&str> = rules
            .split('}')
            .filter_map(|rule| rule.split('{').next())
            .filter(|selector| !selector.is_empty())
            .collect();
        let all = selectors.len();
        assert_eq!(all, 2 * (9 + 8 + 6 + 2));
        selectors.sort_unstable();
        selectors.dedup();
        assert_eq!(selectors.len(), all);
    }
}
