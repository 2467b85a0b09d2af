//! Small images side by side.

use crate::glyphs;
use crate::png::{Channels, png};

/// The width that images are enlarged to, as far as whole factors go.
const TILE: usize = 84;

/// Pixels of the sheet for one of a letter.
const LETTER: usize = 2;

/// Pixels between images, and around them.
const GAP: usize = 6;

/// The colour of the sheet: neither of the two that backgrounds have.
const PAPER: u8 = 208;

/// The colour of captions.
const INK: u8 = 0;

/// Square grey-scale images of one size in rows, each with a caption below if it wants one.
#[derive(Clone, Debug)]
pub struct Sheet {
    side: usize,
    columns: usize,
    images: Vec<(Vec<u8>, String)>,
}

impl Sheet {
    /// An empty sheet for images of `side × side` pixels, so many in a row.
    ///
    /// # Panics
    ///
    /// If one of the numbers is 0.
    pub fn new(side: usize, columns: usize) -> Self {
        assert!(side > 0 && columns > 0, "a sheet of nothing");
        Self {
            side,
            columns,
            images: Vec::new(),
        }
    }

    /// Adds an image, from its top left, line by line. A caption has digits, `.`, `%`, `>` and
    /// spaces; other letters stay empty.
    ///
    /// # Panics
    ///
    /// If the image has another size.
    pub fn push(&mut self, pixels: &[u8], caption: impl Into<String>) {
        assert_eq!(pixels.len(), self.side * self.side, "pixels of an image");
        self.images.push((pixels.to_vec(), caption.into()));
    }

    /// The sheet as a PNG file; none if there is no image on it.
    pub fn png(&self) -> Option<Vec<u8>> {
        let columns = self.columns.min(self.images.len());
        if columns == 0 {
            return None;
        }
        let rows = self.images.len().div_ceil(columns);
        let scale = (TILE / self.side).max(1);
        let tile = self.side * scale;
        let letters = self
            .images
            .iter()
            .map(|(_, caption)| caption.chars().count());
        let longest = letters.max().unwrap_or(0);
        let (cell_width, caption_height) = match longest {
            0 => (tile, 0),
            _ => (
                tile.max(longest * (glyphs::WIDTH + 1) * LETTER - LETTER),
                glyphs::HEIGHT * LETTER + GAP / 2,
            ),
        };
        let cell_height = tile + caption_height;
        let width = GAP + columns * (cell_width + GAP);
        let height = GAP + rows * (cell_height + GAP);
        let mut canvas = Canvas {
            width,
            pixels: vec![PAPER; width * height],
        };
        for (index, (pixels, caption)) in self.images.iter().enumerate() {
            let left = GAP + index % columns * (cell_width + GAP);
            let top = GAP + index / columns * (cell_height + GAP);
            for (place, &pixel) in pixels.iter().enumerate() {
                let (line, column) = (place / self.side, place % self.side);
                canvas.square(left + column * scale, top + line * scale, scale, pixel);
            }
            canvas.write(left, top + tile + GAP / 2, caption);
        }
        let file = png(width as u32, height as u32, Channels::Grey, &canvas.pixels);
        Some(file)
    }
}

struct Canvas {
    width: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn square(&mut self, left: usize, top: usize, side: usize, color: u8) {
        for line in top..top + side {
            self.pixels[line * self.width + left..][..side].fill(color);
        }
    }

    fn write(&mut self, left: usize, top: usize, text: &str) {
        for (index, letter) in text.chars().enumerate() {
            let left = left + index * (glyphs::WIDTH + 1) * LETTER;
            for line in 0..glyphs::HEIGHT {
                for column in 0..glyphs::WIDTH {
                    if glyphs::is_inked(letter, line, column) {
                        let (x, y) = (left + column * LETTER, top + line * LETTER);
                        self.square(x, y, LETTER, INK);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::png::tests::decode;

    #[test]
    fn images_are_enlarged_and_side_by_side() {
        let mut sheet = Sheet::new(2, 2);
        for grey in [10, 20, 30] {
            sheet.push(&[grey, 0, 0, grey + 1], "");
        }
        let (width, height, pixels) = decode(&sheet.png().unwrap(), Channels::Grey);
        // Two tiles and three gaps each way.
        assert_eq!((width, height), (2 * 84 + 18, 2 * 84 + 18));
        let at = |x: usize, y: usize| pixels[y * width as usize + x];
        let first = [at(6, 6), at(47, 47), at(48, 47), at(48, 48), at(89, 89)];
        assert_eq!(first, [10, 10, 0, 11, 11]);
        assert_eq!([at(96, 6), at(6, 96)], [20, 30]);
        assert_eq!([at(0, 0), at(90, 6), at(100, 100)], [PAPER; 3]);
    }

    #[test]
    fn captions_are_below_and_widen_the_cells() {
        let sheet = |caption: &str| {
            let mut sheet = Sheet::new(84, 1);
            sheet.push(&[0; 84 * 84], caption);
            decode(&sheet.png().unwrap(), Channels::Grey)
        };
        let (width, height, pixels) = sheet("1");
        assert_eq!((width, height), (84 + 12, 84 + 12 + 13));
        let line = |y: usize| {
            let line = &pixels[y * width as usize..][6..12];
            line.iter()
                .map(|&p| if p == INK { '#' } else { '.' })
                .collect::<String>()
        };
        let drawn: Vec<String> = (93..103).map(line).collect();
        let doubled = ["..##..", "####..", "..##..", "..##..", "######"];
        for (index, line) in drawn.iter().enumerate() {
            assert_eq!(line, doubled[index / 2]);
        }
        assert_eq!(sheet(&"8".repeat(20)).0, 20 * 8 - 2 + 12);
    }

    #[test]
    fn without_images_there_is_no_sheet() {
        assert_eq!(Sheet::new(28, 10).png(), None);
    }
}
