//! Letters of five by three pixels, as many as captions need.

/// Height of a letter.
pub(crate) const HEIGHT: usize = 5;

/// Width of a letter.
pub(crate) const WIDTH: usize = 3;

/// Whether the letter's pixel in this line and column is inked. Unknown letters are empty.
pub(crate) fn is_inked(letter: char, line: usize, column: usize) -> bool {
    let lines = match letter {
        '0' => ["###", "#.#", "#.#", "#.#", "###"],
        '1' => [".#.", "##.", ".#.", ".#.", "###"],
        '2' => ["###", "..#", "###", "#..", "###"],
        '3' => ["###", "..#", ".##", "..#", "###"],
        '4' => ["#.#", "#.#", "###", "..#", "..#"],
        '5' => ["###", "#..", "###", "..#", "###"],
        '6' => ["###", "#..", "###", "#.#", "###"],
        '7' => ["###", "..#", ".#.", ".#.", ".#."],
        '8' => ["###", "#.#", "###", "#.#", "###"],
        '9' => ["###", "#.#", "###", "..#", "###"],
        '%' => ["#.#", "..#", ".#.", "#..", "#.#"],
        '.' => ["...", "...", "...", "...", ".#."],
        '>' => ["#..", ".#.", "..#", ".#.", "#.."],
        _ => return false,
    };
    lines[line].as_bytes()[column] == b'#'
}
