//! What happens to one image.

use rand::Rng;
use seed::{ChaCha8Rng, Purpose};

use crate::config::{AugmentationConfig, ErasingConfig};

/// The changes of one image but for its elastic field, which is drawn after them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distortion {
    /// Degrees, counter-clockwise.
    pub(crate) rotation: f64,
    /// Pixels to the right and downwards.
    pub(crate) shift: [f64; 2],
    /// Factor of the size.
    pub(crate) zoom: f64,
    /// Factor of the ratio of width to height.
    pub(crate) stretch: f64,
    /// Degrees from the vertical, to the right at the top.
    pub(crate) shear: f64,
    /// Pixels by which edges of strokes move outwards.
    pub(crate) thickness: f64,
    /// What is covered at the end.
    pub(crate) erased: Option<Rectangle>,
}

/// Whole pixels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The random numbers of one image in one epoch.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(run_seed: u64, epoch: u64, index: u64) -> Self {
        Self(seed::stream(run_seed, Purpose::Augmentation, epoch, index))
    }

    /// A second stream of the same image, which does not depend on what was drawn from the first.
    pub(crate) fn noise(mut self) -> Self {
        self.0.set_stream(1);
        self.0.set_word_pos(0);
        self
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻³².
    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) * (1.0 / 4_294_967_296.0)
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻²⁴: exact as an `f32`.
    #[inline]
    pub(crate) fn short_unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `[low, high)`, or `low` where they are equal.
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `[−largest, largest)`.
    fn around_zero(&mut self, largest: f64) -> f64 {
        largest * (2.0 * self.unit() - 1.0)
    }

    /// Uniform bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl Distortion {
    /// Every number is drawn whether it is used or not, so that no field of the configuration changes
    /// what another draws. Adding a field means drawing it last.
    pub(crate) fn draw(config: &AugmentationConfig, side: usize, draws: &mut Draws) -> Self {
        Self {
            rotation: draws.around_zero(config.rotation),
            shift: [config.shift; 2].map(|shift| draws.around_zero(shift)),
            zoom: 1.0 + draws.around_zero(config.zoom),
            stretch: 1.0 + draws.around_zero(config.stretch),
            shear: draws.around_zero(config.shear),
            thickness: draws.around_zero(config.thickness),
            erased: Rectangle::draw(&config.erasing, side, draws),
        }
    }
}

impl Rectangle {
    /// The smallest ratio of the shorter side to the longer one.
    const RATIO: f64 = 0.3;

    /// Draws six numbers, whatever they say.
    fn draw(config: &ErasingConfig, side: usize, draws: &mut Draws) -> Option<Self> {
        let erases = draws.unit() < config.probability;
        let share = draws.uniform(config.area[0], config.area[1]);
        // A rectangle of this share of the area that is narrower would be longer than the image.
        let narrowest = Self::RATIO.max(share).sqrt();
        let narrowness = draws.uniform(narrowest, 1.0);
        let upright = draws.unit() < 0.5;
        let [across, down] = [draws.unit(), draws.unit()];

        let length = side as f64;
        let area = share * length * length;
        let pixels = |exact: f64| (exact.round() as usize).clamp(1, side);
        let short = pixels(area.sqrt() * narrowness);
        // With the other side in whole pixels, this one makes up for its rounding.
        let long = pixels(area / short as f64);
        let (width, height) = if upright {
            (short, long)
        } else {
            (long, short)
        };
        let place = |unit: f64, taken: usize| (unit * (side - taken + 1) as f64) as usize;
        erases.then(|| Self {
            left: place(across, width),
            top: place(down, height),
            width,
            height,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ElasticConfig, Fill};

    const SIDE: usize = 28;

    fn strong() -> AugmentationConfig {
        AugmentationConfig {
            rotation: 20.0,
            shift: 3.0,
            zoom: 0.2,
            stretch: 0.3,
            shear: 15.0,
            thickness: 0.5,
            elastic: ElasticConfig {
                strength: 1.0,
                smoothness: 4.0,
            },
            erasing: ErasingConfig {
                probability: 0.5,
                area: [0.05, 0.3],
                fill: Fill::Background,
            },
        }
    }

    fn drawn(config: &AugmentationConfig, index: u64) -> Distortion {
        Distortion::draw(config, SIDE, &mut Draws::new(3, 7, index))
    }

    /// Kolmogorov and Smirnov's test against the uniform distribution, at a level of 1 in 10,000: the
    /// critical value is 2.23 / √n. The draws are fixed, so that it passes always or never.
    fn assert_uniform(name: &str, mut values: Vec<f64>, low: f64, high: f64) {
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let distance = values
            .iter()
            .enumerate()
            .map(|(rank, value)| {
                assert!((low..=high).contains(value), "{name}: {value}");
                let expected = (value - low) / (high - low);
                (expected - rank as f64 / count)
                    .abs()
                    .max((expected - (rank + 1) as f64 / count).abs())
            })
            .fold(0.0, f64::max);
        assert!(distance < 2.23 / count.sqrt(), "{name}: {distance}");
    }

    #[test]
    fn draws_are_uniform_in_their_ranges() {
        let config = strong();
        let all: Vec<Distortion> = (0..4000).map(|index| drawn(&config, index)).collect();
        let take = |pick: fn(&Distortion) -> f64| all.iter().map(pick).collect::<Vec<f64>>();
        assert_uniform("rotation", take(|d| d.rotation), -20.0, 20.0);
        assert_uniform("shift x", take(|d| d.shift[0]), -3.0, 3.0);
        assert_uniform("shift y", take(|d| d.shift[1]), -3.0, 3.0);
        assert_uniform("zoom", take(|d| d.zoom), 0.8, 1.2);
        assert_uniform("stretch", take(|d| d.stretch), 0.7, 1.3);
        assert_uniform("shear", take(|d| d.shear), -15.0, 15.0);
        assert_uniform("thickness", take(|d| d.thickness), -0.5, 0.5);
        let erased = all.iter().filter(|d| d.erased.is_some()).count();
        // Four standard errors around a half.
        assert!(erased.abs_diff(2000) < 127, "{erased}");
    }

    #[test]
    fn a_field_does_not_change_what_others_draw() {
        let config = AugmentationConfig {
            rotation: 0.0,
            zoom: 0.0,
            erasing: ErasingConfig {
                probability: 0.0,
                ..strong().erasing
            },
            ..strong()
        };
        for index in 0..20 {
            let expected = Distortion {
                rotation: 0.0,
                zoom: 1.0,
                erased: None,
                ..drawn(&strong(), index)
            };
            assert_eq!(drawn(&config, index), expected);
        }
    }

    #[test]
    fn rectangles_have_the_area_asked_for_and_fit() {
        for area in [[0.02, 0.4], [0.25, 0.25], [0.9, 1.0], [0.0, 0.001]] {
            let config = AugmentationConfig {
                erasing: ErasingConfig {
                    probability: 1.0,
                    area,
                    fill: Fill::Background,
                },
                ..AugmentationConfig::default()
            };
            let rectangles: Vec<Rectangle> = (0..2000)
                .map(|index| drawn(&config, index).erased.unwrap())
                .collect();
            for r in &rectangles {
                assert!(r.left + r.width <= SIDE && r.top + r.height <= SIDE);
                // The longer side is rounded to whole pixels.
                let pixels = (r.width * r.height) as f64;
                let rounding = 0.5 * r.width.min(r.height) as f64 + 1.0;
                let limits = area.map(|share| share * (SIDE * SIDE) as f64);
                assert!(
                    (limits[0] - rounding..=limits[1] + rounding).contains(&pixels),
                    "{r:?} of {limits:?}"
                );
            }
            if area[1] == 0.4 {
                let shares = rectangles.iter().map(|r| (r.width * r.height) as f64);
                let mean = shares.sum::<f64>() / (2000 * SIDE * SIDE) as f64;
                assert!((mean - 0.21).abs() < 0.01, "{mean}");
                let wide = rectangles.iter().filter(|r| r.width > r.height).count();
                let high = rectangles.iter().filter(|r| r.width < r.height).count();
                assert!(wide.abs_diff(high) < 180, "{wide} {high}");
                // Every pixel is covered now and then, the corners too.
                for (x, y) in [(0, 0), (SIDE - 1, 0), (0, SIDE - 1), (SIDE - 1, SIDE - 1)] {
                    let covers = |r: &&Rectangle| {
                        (r.left..r.left + r.width).contains(&x)
                            && (r.top..r.top + r.height).contains(&y)
                    };
                    assert!(rectangles.iter().filter(covers).count() > 2);
                }
            }
        }
    }
}
