//! Single changes against what they must give, and all of them against SciPy.

use serde::Deserialize;

use super::*;
use crate::config::{ElasticConfig, ErasingConfig, Fill};

const STILL: Distortion = Distortion {
    rotation: 0.0,
    shift: [0.0, 0.0],
    zoom: 1.0,
    stretch: 1.0,
    shear: 0.0,
    thickness: 0.0,
    erased: None,
};

fn augmenter(side: usize) -> Augmenter {
    Augmenter::new(&AugmentationConfig::default(), side, 0).unwrap()
}

fn distorted(distortion: &Distortion, image: &[u8]) -> Vec<f32> {
    let mut augmenter = augmenter(image.len().isqrt());
    augmenter.distort(distortion, image);
    augmenter.greys[..image.len()].to_vec()
}

/// Different bytes everywhere, the borders included.
fn noise(side: usize) -> Vec<u8> {
    (0..side * side)
        .map(|i| (i * i * 7 + i * 31) as u8)
        .collect()
}

/// The image whose pixel at `(x, y)` is that of `image` at `from(x, y)`, and 0 outside.
fn moved(image: &[u8], from: impl Fn(isize, isize) -> (isize, isize)) -> Vec<f32> {
    let side = image.len().isqrt() as isize;
    let places = (0..side * side).map(|i| from(i % side, i / side));
    let inside = |place| (0..side).contains(&place);
    places
        .map(|(x, y)| match inside(x) && inside(y) {
            true => f32::from(image[(y * side + x) as usize]),
            false => 0.0,
        })
        .collect()
}

#[test]
fn quarter_turns_are_exact() {
    for side in [1, 8, 13, 28] {
        let image = noise(side);
        let last = side as isize - 1;
        let turned = |rotation| distorted(&Distortion { rotation, ..STILL }, &image);
        // Counter-clockwise: what is at the top was at the right.
        assert_eq!(turned(90.0), moved(&image, |x, y| (last - y, x)));
        assert_eq!(turned(-90.0), moved(&image, |x, y| (y, last - x)));
        for half in [180.0, -180.0] {
            assert_eq!(turned(half), moved(&image, |x, y| (last - x, last - y)));
        }
        assert_eq!(turned(0.0), moved(&image, |x, y| (x, y)));
    }
}

#[test]
fn shifts_by_whole_pixels_are_exact() {
    let image = noise(28);
    for (right, down) in [
        (1, 0),
        (0, 1),
        (-3, 2),
        (5, -7),
        (27, 27),
        (28, 0),
        (0, -90),
    ] {
        let shift = [right as f64, down as f64];
        assert_eq!(
            distorted(&Distortion { shift, ..STILL }, &image),
            moved(&image, |x, y| (x - right, y - down))
        );
    }
}

#[derive(Deserialize)]
struct Reference {
    side: usize,
    image: Vec<u8>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rotation: f64,
    shift: [f64; 2],
    zoom: f64,
    stretch: f64,
    shear: f64,
    thickness: f64,
    elastic: Option<Grid>,
    expected: Vec<f64>,
}

#[derive(Deserialize)]
struct Grid {
    nodes: usize,
    smoothness: f64,
    place: [f32; 2],
    noise: Vec<f32>,
}

#[test]
fn all_changes_are_those_of_scipy() {
    let reference = include_str!("../../tests/reference/affine.json");
    let Reference { side, image, cases } = serde_json::from_str(reference).unwrap();
    for (number, case) in cases.into_iter().enumerate() {
        let distortion = Distortion {
            rotation: case.rotation,
            shift: case.shift,
            zoom: case.zoom,
            stretch: case.stretch,
            shear: case.shear,
            thickness: case.thickness,
            erased: None,
        };
        let mut augmenter = augmenter(side);
        if let Some(grid) = case.elastic {
            let config = ElasticConfig {
                strength: 1.0,
                smoothness: grid.smoothness,
            };
            let (x, y) = grid.noise.split_at(grid.nodes * grid.nodes);
            let mut field = Field::new(&config, side);
            field.set(grid.place, [x, y]);
            augmenter.field = Some(field);
        }
        augmenter.distort(&distortion, &image);
        for (pixel, (&found, expected)) in augmenter.greys.iter().zip(case.expected).enumerate() {
            // Places are good to a few 10⁻⁶ pixels, which is 255 times as much in grey.
            assert!(
                (f64::from(found) - expected).abs() < 5e-3,
                "case {number}, pixel {pixel}: {found}, expected {expected}"
            );
        }
    }
}

/// A fine checkerboard made half as large is even grey, where interpolation alone would keep some of
/// it black and white.
#[test]
fn what_becomes_too_small_to_see_is_grey() {
    let checks: Vec<u8> = (0..28 * 28)
        .map(|i| if (i % 28 + i / 28) % 2 == 0 { 255 } else { 0 })
        .collect();
    let small = distorted(&Distortion { zoom: 0.5, ..STILL }, &checks);
    for y in 9..19 {
        for x in 9..19 {
            let grey = small[y * 28 + x];
            assert!((grey - 127.5).abs() < 0.01, "{grey}");
        }
    }
}

#[test]
fn erasing_covers_a_rectangle_and_nothing_else() {
    let image = vec![200_u8; 28 * 28];
    for fill in [Fill::Background, Fill::Noise] {
        let config = AugmentationConfig {
            erasing: ErasingConfig {
                probability: 1.0,
                area: [0.1, 0.2],
                fill,
            },
            ..AugmentationConfig::default()
        };
        let mut augmenter = Augmenter::new(&config, 28, 0).unwrap();
        let (mut covered, mut area, mut sum) = (0, 0, 0.0);
        for index in 0..500 {
            let mut output = vec![0_u8; 28 * 28];
            augmenter.augment_bytes(0, index, &image, &mut output);
            let r = Distortion::draw(&config, 28, &mut Draws::new(0, 0, index))
                .erased
                .unwrap();
            area += r.width * r.height;
            for (pixel, &grey) in output.iter().enumerate() {
                let (x, y) = (pixel % 28, pixel / 28);
                let inside = (r.left..r.left + r.width).contains(&x)
                    && (r.top..r.top + r.height).contains(&y);
                assert!(inside || grey == 200);
                if inside {
                    covered += usize::from(grey != 200);
                    sum += f64::from(grey);
                }
            }
        }
        let mean = sum / area as f64;
        match fill {
            Fill::Background => assert_eq!((covered, mean), (area, 0.0)),
            // One random pixel in 256 is 200 again; the mean has a standard error of 0.3.
            Fill::Noise => {
                assert!(covered as f64 > 0.99 * area as f64);
                assert!((mean - 127.5).abs() < 1.5, "{mean}");
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let new = |config: &AugmentationConfig, side| Augmenter::new(config, side, 0).map(drop);
    let config = AugmentationConfig {
        shift: 28.0,
        ..AugmentationConfig::default()
    };
    assert_eq!(
        new(&config, 28).unwrap_err().to_string(),
        "shift is 28, but must be less than the 28 pixels of an image's side"
    );
    assert_eq!(new(&config, 29), Ok(()));
    for side in [0, LARGEST_SIDE + 1] {
        assert!(matches!(new(&config, side), Err(Error::Side { .. })));
    }
    let config = AugmentationConfig {
        zoom: -1.0,
        ..AugmentationConfig::default()
    };
    assert!(matches!(new(&config, 28), Err(Error::OutOfRange { .. })));
}

/// The largest images that are allowed are read right in the corner where the numbers are largest.
#[test]
fn the_largest_side_works() {
    let side = LARGEST_SIDE;
    let mut image = vec![0; side * side];
    image[side * side - 1] = 255;
    let output = distorted(
        &Distortion {
            shift: [-1.0, -1.0],
            ..STILL
        },
        &image,
    );
    assert_eq!(output[(side - 1) * side - 2], 255.0);
    assert_eq!(output.iter().sum::<f32>(), 255.0);
}
