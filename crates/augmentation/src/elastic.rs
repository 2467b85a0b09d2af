//! Smooth random displacement.

use crate::config::ElasticConfig;
use crate::distortion::Draws;

/// Pixels that are computed together: loops over arrays of this length compile to vectors.
pub(crate) const LANES: usize = 8;

/// A random field of displacements: uniform cubic B-splines of noise at the nodes of a grid.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Cells of the grid per pixel.
    density: f32,
    /// The largest value of the noise, in pixels.
    amplitude: f32,
    side: usize,
    /// Nodes of the grid along each axis.
    nodes: usize,
    /// Length of a row of pixels with room for whole vectors.
    width: usize,
    /// Length of a column of nodes, `x` before `y`, with room for whole vectors.
    height: usize,
    /// Displacements at the nodes, column by column.
    noise: Vec<f32>,
    /// The same for each column of pixels in place of nodes.
    columns: Vec<f32>,
    /// That row by row.
    rows: Vec<f32>,
    /// For each row of pixels, the first of the four rows of nodes around it and their weights.
    down: Vec<(usize, [f32; 4])>,
}

impl Field {
    pub(crate) fn new(config: &ElasticConfig, side: usize) -> Self {
        // A cubic B-spline is the density of a sum of four numbers that are uniform in a cell: its
        // standard deviation is the cell's width by √3.
        let spacing = 3_f64.sqrt() * config.smoothness;
        // Uniform noise of largest value 1 has variance 1/3. The squares of the four weights sum to
        // 151/315 on average over a cell; those of the sixteen of both axes to the square of that.
        let amplitude = config.strength * 3_f64.sqrt() * (315.0 / 151.0);
        // The cells from the first pixel to the last, one more for the grid's random place, and three
        // nodes more than cells, as each cell needs four.
        let nodes = ((side - 1) as f64 / spacing) as usize + 2 + 3;
        let (width, height) = (
            side.next_multiple_of(LANES),
            (2 * nodes).next_multiple_of(LANES),
        );
        Self {
            density: (1.0 / spacing) as f32,
            amplitude: amplitude as f32,
            side,
            nodes,
            width,
            height,
            noise: vec![0.0; nodes * height],
            columns: vec![0.0; side * height],
            rows: vec![0.0; height * width],
            down: vec![(0, [0.0; 4]); side],
        }
    }

    /// A new field.
    pub(crate) fn draw(&mut self, draws: &mut Draws) {
        let place = [draws.short_unit(), draws.short_unit()];
        for column in self.noise.chunks_exact_mut(self.height) {
            for node in &mut column[..2 * self.nodes] {
                *node = self.amplitude * (2.0 * draws.short_unit() - 1.0);
            }
        }
        self.spread(place);
    }

    /// Interpolates between columns of nodes, and prepares the same between rows. `place` is that of
    /// the first pixel in its cell, in cells.
    fn spread(&mut self, place: [f32; 2]) {
        let last = self.nodes - 4;
        let density = self.density;
        let weights = move |pixel: usize, place: f32| {
            let position = pixel as i32 as f32 * density + place;
            let cell = (position as i32 as usize).min(last);
            (cell, cubic_b_spline_weights(position - cell as i32 as f32))
        };
        for pixel in 0..self.side {
            self.down[pixel] = weights(pixel, place[1]);
            let (cell, weights) = weights(pixel, place[0]);
            let four: [&[[f32; LANES]]; 4] = std::array::from_fn(|node| {
                self.noise[(cell + node) * self.height..][..self.height]
                    .as_chunks()
                    .0
            });
            let columns = self.columns[pixel * self.height..][..self.height].as_chunks_mut();
            for (chunk, output) in columns.0.iter_mut().enumerate() {
                *output = weighted(four.map(|column| &column[chunk]), weights);
            }
        }
        for (pixel, column) in self.columns.chunks_exact(self.height).enumerate() {
            let rows = self.rows.chunks_exact_mut(self.width);
            for (row, &value) in rows.zip(column) {
                row[pixel] = value;
            }
        }
    }

    /// Displacements along `x` and `y` of the pixels of one row, in whole vectors.
    #[inline]
    pub(crate) fn row(&self, y: usize, across: &mut [f32], down: &mut [f32]) {
        let (cell, weights) = self.down[y];
        for (first, output) in [(cell, across), (self.nodes + cell, down)] {
            let four: [&[[f32; LANES]]; 4] = std::array::from_fn(|node| {
                self.rows[(first + node) * self.width..][..self.width]
                    .as_chunks()
                    .0
            });
            let output = output.as_chunks_mut().0;
            for (chunk, output) in output.iter_mut().enumerate() {
                *output = weighted(four.map(|row| &row[chunk]), weights);
            }
        }
    }
}

#[inline]
fn weighted(four: [&[f32; LANES]; 4], weights: [f32; 4]) -> [f32; LANES] {
    std::array::from_fn(|lane| {
        (four[0][lane] * weights[0] + four[1][lane] * weights[1])
            + (four[2][lane] * weights[2] + four[3][lane] * weights[3])
    })
}

/// The weights of a uniform cubic B-spline's four controls around a place that is `t` of the way, 0 to 1,
/// from the second to the third.
#[inline]
pub fn cubic_b_spline_weights(t: f32) -> [f32; 4] {
    let s = 1.0 - t;
    let (t2, t3) = (t * t, t * t * t);
    [
        s * s * s / 6.0,
        (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0,
        (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0,
        t3 / 6.0,
    ]
}

#[cfg(test)]
impl Field {
    /// A field of these displacements at the nodes, `x` and `y` each row by row.
    pub(crate) fn set(&mut self, place: [f32; 2], noise: [&[f32]; 2]) {
        let nodes = self.nodes;
        for (axis, noise) in noise.into_iter().enumerate() {
            assert_eq!(noise.len(), nodes * nodes);
            for (index, &value) in noise.iter().enumerate() {
                let (row, column) = (index / nodes, index % nodes);
                self.noise[column * self.height + axis * nodes + row] = value;
            }
        }
        self.spread(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 28;

    /// All displacements of the fields of many images, `[image][axis][y][x]`.
    fn fields(config: &ElasticConfig, count: u64) -> Vec<[Vec<Vec<f32>>; 2]> {
        let mut field = Field::new(config, SIDE);
        (0..count)
            .map(|index| {
                field.draw(&mut Draws::new(0, 0, index));
                let mut both = [vec![], vec![]];
                for y in 0..SIDE {
                    let (mut across, mut down) = ([9.0; 32], [9.0; 32]);
                    field.row(y, &mut across, &mut down);
                    both[0].push(across[..SIDE].to_vec());
                    both[1].push(down[..SIDE].to_vec());
                }
                both
            })
            .collect()
    }

    /// Strength and smoothness are what they are said to be: the root mean square, everywhere alike,
    /// and the correlation at a distance, which for bells of standard deviation σ is close to
    /// exp(−d² / 4σ²).
    #[test]
    fn fields_are_as_strong_and_smooth_as_asked() {
        for (strength, smoothness) in [(1.5, 4.0), (0.7, 2.0), (2.0, 9.0)] {
            let fields = fields(
                &ElasticConfig {
                    strength,
                    smoothness,
                },
                2000,
            );
            let moment = |axis: usize, (x, y): (usize, usize), (u, v): (usize, usize)| {
                let products = fields
                    .iter()
                    .map(|field| f64::from(field[axis][y][x]) * f64::from(field[axis][v][u]));
                products.sum::<f64>() / fields.len() as f64
            };
            for axis in [0, 1] {
                for place in [(0, 0), (13, 14), (27, 3), (8, 27)] {
                    let strength_there = moment(axis, place, place).sqrt();
                    assert!(
                        (strength_there / strength - 1.0).abs() < 0.06,
                        "{strength_there} for {strength}"
                    );
                }
                for distance in [2, 4, 8] {
                    let expected = (-(distance as f64 / (2.0 * smoothness)).powi(2)).exp();
                    for other in [(5 + distance, 5), (5, 5 + distance)] {
                        let found = moment(axis, (5, 5), other) / strength.powi(2);
                        assert!(
                            (found - expected).abs() < 0.07,
                            "{found} for {expected} at {distance}"
                        );
                    }
                }
            }
            let largest = fields.iter().flatten().flatten().flatten();
            let largest = largest.fold(0.0, |largest: f32, value| largest.max(value.abs()));
            assert!(f64::from(largest) < 3.62 * strength);
            // The two axes have nothing to do with each other.
            let product = |field: &[Vec<Vec<f32>>; 2]| f64::from(field[0][9][9] * field[1][9][9]);
            let mixed = fields.iter().map(product).sum::<f64>() / fields.len() as f64;
            assert!(mixed.abs() < 0.1 * strength.powi(2));
        }
    }

    /// Every size has enough nodes, with the grid at either end of its range.
    #[test]
    fn grids_reach_over_the_image() {
        for side in 1..80 {
            for smoothness in [1.0, 2.5, 4.0, 100.0] {
                let config = ElasticConfig {
                    strength: 1.0,
                    smoothness,
                };
                let mut field = Field::new(&config, side);
                for place in [0.0, 0.99999994] {
                    field.spread([place; 2]);
                    for (_, weights) in &field.down {
                        let sum: f32 = weights.iter().sum();
                        assert!((sum - 1.0).abs() < 1e-6 && weights.iter().all(|&w| w >= 0.0));
                    }
                }
            }
        }
    }
}
