//! What may happen to an image.

use serde::{Deserialize, Serialize};

/// What may happen to a training image. By default nothing does.
///
/// Every field is the largest size of one change; the size itself is drawn uniformly, for each image
/// and epoch anew. Changes of shape are made around the centre of the image, in this order: zoom and
/// stretch, shear, rotation, shift, elastic distortion. All of them are one map from the result to
/// the image, which is read once, so that strokes lose their sharpness once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentationConfig {
    /// Rotation in either direction, in degrees, 0 to 180. Default 0.
    pub rotation: f64,
    /// Shift along each of the two axes, in pixels, 0 to less than the side. Default 0.
    pub shift: f64,
    /// Relative change of size, 0 to 0.5: with 0.1, from 0.9 to 1.1 times the size. Default 0.
    pub zoom: f64,
    /// Relative change of the ratio of width to height, 0 to 0.5; the area stays. Default 0.
    pub stretch: f64,
    /// Slant to either side, in degrees from the vertical, 0 to 45. Default 0.
    pub shear: f64,
    /// How far the edges of strokes move, outwards or inwards, in pixels, 0 to 1. Strokes of two
    /// pixels or less become faint rather than thin. Default 0.
    pub thickness: f64,
    /// Elastic distortion. Default: none.
    pub elastic: ElasticConfig,
    /// Random erasing. Default: none.
    pub erasing: ErasingConfig,
}

/// Elastic distortion, after Simard, Steinkraus and Platt (Best practices for convolutional neural
/// networks applied to visual document analysis, ICDAR 2003): every pixel is displaced by a smooth
/// random field.
///
/// Theirs is uniform noise, blurred by a Gaussian. Ours is noise at the nodes of a grid of cells
/// `√3 × smoothness` wide, at a random place, interpolated by uniform cubic B-splines: these are
/// bells of the same standard deviation as the Gaussian, and only few of them are needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as { strength = 0.5, smoothness = 4 }"
)]
pub struct ElasticConfig {
    /// Root mean square of the displacement along each axis, in pixels, 0 to `smoothness`; no pixel
    /// moves further than 3.62 times as far. Default 0.
    ///
    /// Simard's α for a blur of σ is `α / (6.14 σ)` here: their α = 34 with σ = 4 is 1.38. Above a
    /// third of the smoothness, strokes begin to smear and fold.
    pub strength: f64,
    /// Simard's σ: the standard deviation of the bells, in pixels, 1 to 100. Displacements three times
    /// as far apart hardly depend on each other. Default 4.
    pub smoothness: f64,
}

/// Random erasing (Zhong, Zheng, Kang, Li and Yang 2017, arXiv:1708.04896): a rectangle at a random
/// place is covered.
///
/// The ratio of its sides is between 0.3 and 1 / 0.3, as in the paper, and such that it fits; it is
/// drawn so that high rectangles are as likely as wide ones. Sides are whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ErasingConfig {
    /// Share of the images in which a rectangle is covered, 0 to 1. Default 0.
    pub probability: f64,
    /// Smallest and largest share of the image's area that is covered, 0 to 1. Default 0.02 and 0.4,
    /// as in the paper.
    pub area: [f64; 2],
    /// What the rectangle is covered with. Default: background.
    pub fill: Fill,
}

/// What an erased rectangle is covered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// 0, as if nothing had been written there
    #[default]
    Background,
    /// A random value for each pixel, uniform in 0 to 255, which did best in the paper
    Noise,
}

/// An [`AugmentationConfig`] that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value outside its range.
    #[error("{name} is {value}, but must be {range}")]
    OutOfRange {
        /// Name of the value.
        name: &'static str,
        /// The value found.
        value: f64,
        /// The range expected.
        range: &'static str,
    },
    /// Displacements larger than the distance over which they change would fold the image.
    #[error(
        "elastic.strength is {strength}, but must be 0 to elastic.smoothness, which is {smoothness}"
    )]
    ElasticStrength {
        /// Root mean square of the displacements in pixels.
        strength: f64,
        /// Their smoothness in pixels.
        smoothness: f64,
    },
    /// The smallest area is larger than the largest.
    #[error("erasing.area is [{smallest}, {largest}], but the smaller must come first")]
    AreaOrder {
        /// The first value.
        smallest: f64,
        /// The second value.
        largest: f64,
    },
    /// The images are empty, or larger than the arithmetic allows.
    #[error("images are {side} pixels wide, but augmentation takes 1 to {largest}")]
    Side {
        /// Width and height of the images.
        side: usize,
        /// The largest possible.
        largest: usize,
    },
    /// Images can be shifted out of sight.
    #[error("shift is {shift}, but must be less than the {side} pixels of an image's side")]
    Shift {
        /// The shift.
        shift: f64,
        /// Width and height of the images.
        side: usize,
    },
}

impl Default for AugmentationConfig {
    fn default() -> Self {
        Self {
            rotation: 0.0,
            shift: 0.0,
            zoom: 0.0,
            stretch: 0.0,
            shear: 0.0,
            thickness: 0.0,
            elastic: ElasticConfig::default(),
            erasing: ErasingConfig::default(),
        }
    }
}

impl Default for ElasticConfig {
    fn default() -> Self {
        Self {
            strength: 0.0,
            smoothness: 4.0,
        }
    }
}

impl Default for ErasingConfig {
    fn default() -> Self {
        Self {
            probability: 0.0,
            area: [0.02, 0.4],
            fill: Fill::default(),
        }
    }
}

impl AugmentationConfig {
    /// Whether the values make sense by themselves. [`Augmenter::new`](crate::Augmenter::new) asks
    /// this too, and whether they fit the images.
    ///
    /// # Errors
    ///
    /// The first value that does not.
    pub fn check(&self) -> Result<(), Error> {
        let Self {
            elastic, erasing, ..
        } = self;
        let [smallest, largest] = erasing.area;
        // A value that is not a number is in no range.
        for (name, value, (low, high), range) in [
            ("rotation", self.rotation, (0.0, 180.0), "0 to 180 degrees"),
            ("shift", self.shift, (0.0, f64::MAX), "0 or positive"),
            ("zoom", self.zoom, (0.0, 0.5), "0 to 0.5"),
            ("stretch", self.stretch, (0.0, 0.5), "0 to 0.5"),
            ("shear", self.shear, (0.0, 45.0), "0 to 45 degrees"),
            ("thickness", self.thickness, (0.0, 1.0), "0 to 1 pixel"),
            (
                "elastic.smoothness",
                elastic.smoothness,
                (1.0, 100.0),
                "1 to 100 pixels",
            ),
            (
                "erasing.probability",
                erasing.probability,
                (0.0, 1.0),
                "0 to 1",
            ),
            ("erasing.area", smallest, (0.0, 1.0), "0 to 1"),
            ("erasing.area", largest, (0.0, 1.0), "0 to 1"),
        ] {
            if !(low..=high).contains(&value) {
                return Err(Error::OutOfRange { name, value, range });
            }
        }
        let ElasticConfig {
            strength,
            smoothness,
        } = *elastic;
        if !(0.0..=smoothness).contains(&strength) {
            return Err(Error::ElasticStrength {
                strength,
                smoothness,
            });
        }
        if smallest > largest {
            return Err(Error::AreaOrder { smallest, largest });
        }
        Ok(())
    }

    /// Changes of shape a share of `strength` as large, and nothing erased: views of an image that
    /// is to be read.
    pub fn for_prediction(&self, strength: f64) -> Self {
        Self {
            rotation: strength * self.rotation,
            shift: strength * self.shift,
            zoom: strength * self.zoom,
            stretch: strength * self.stretch,
            shear: strength * self.shear,
            thickness: strength * self.thickness,
            elastic: ElasticConfig {
                strength: strength * self.elastic.strength,
                ..self.elastic
            },
            erasing: ErasingConfig::default(),
        }
    }

    /// Whether images stay as they are.
    pub fn is_identity(&self) -> bool {
        !self.moves() && self.thickness == 0.0 && self.erasing.probability == 0.0
    }

    /// Whether anything comes from another place than its own.
    pub(crate) fn moves(&self) -> bool {
        [
            self.rotation,
            self.shift,
            self.zoom,
            self.stretch,
            self.shear,
            self.elastic.strength,
        ]
        .iter()
        .any(|&size| size != 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_on_by_default() {
        let config = AugmentationConfig::default();
        assert_eq!(config.check(), Ok(()));
        assert!(config.is_identity());
        assert_eq!(
            serde_json::from_str::<AugmentationConfig>("{}").unwrap(),
            config
        );
    }

    #[test]
    fn fields_are_read_and_unknown_ones_refused() {
        let text = r#"{"rotation": 10, "elastic": {"strength": 1.5},
            "erasing": {"probability": 0.5, "area": [0.1, 0.2], "fill": "noise"}}"#;
        let config: AugmentationConfig = serde_json::from_str(text).unwrap();
        let expected = AugmentationConfig {
            rotation: 10.0,
            elastic: ElasticConfig {
                strength: 1.5,
                smoothness: 4.0,
            },
            erasing: ErasingConfig {
                probability: 0.5,
                area: [0.1, 0.2],
                fill: Fill::Noise,
            },
            ..AugmentationConfig::default()
        };
        assert_eq!(config, expected);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<AugmentationConfig>(&text).unwrap(),
            config
        );
        for text in [
            r#"{"rotate": 10}"#,
            r#"{"elastic": {"sigma": 1}}"#,
            r#"{"erasing": {"p": 1}}"#,
        ] {
            assert!(serde_json::from_str::<AugmentationConfig>(text).is_err());
        }
    }

    #[test]
    fn each_field_ends_the_identity_and_is_checked() {
        type Set = fn(&mut AugmentationConfig, f64);
        let fields: [(Set, f64, &str); 9] = [
            (|c, v| c.rotation = v, 180.0, "rotation"),
            (|c, v| c.shift = v, f64::MAX, "shift"),
            (|c, v| c.zoom = v, 0.5, "zoom"),
            (|c, v| c.stretch = v, 0.5, "stretch"),
            (|c, v| c.shear = v, 45.0, "shear"),
            (|c, v| c.thickness = v, 1.0, "thickness"),
            (|c, v| c.elastic.strength = v, 4.0, "elastic.strength"),
            (|c, v| c.erasing.probability = v, 1.0, "erasing.probability"),
            (|c, v| c.erasing.area[1] = v, 1.0, "erasing.area"),
        ];
        for (set, largest, field) in fields {
            let with = |value| {
                let mut config = AugmentationConfig::default();
                set(&mut config, value);
                config
            };
            assert_eq!(with(largest).check(), Ok(()), "{field}");
            assert_eq!(with(largest).is_identity(), field == "erasing.area");
            for wrong in [-0.1, largest * 1.001, f64::NAN, f64::INFINITY] {
                match with(wrong).check() {
                    Err(Error::OutOfRange { name, .. }) => assert_eq!(name, field),
                    Err(Error::ElasticStrength { .. }) => assert_eq!(field, "elastic.strength"),
                    other => panic!("{field} = {wrong}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn views_for_prediction_are_gentler_and_whole() {
        let mut config = AugmentationConfig {
            rotation: 10.0,
            ..AugmentationConfig::default()
        };
        config.elastic.strength = 1.0;
        config.erasing.probability = 0.5;
        let gentler = config.for_prediction(0.5);
        assert_eq!(gentler.rotation, 5.0);
        assert_eq!(gentler.elastic.strength, 0.5);
        assert_eq!(gentler.elastic.smoothness, config.elastic.smoothness);
        assert_eq!(gentler.erasing.probability, 0.0);
        assert!(config.for_prediction(0.0).is_identity());
    }

    #[test]
    fn messages_say_what_is_wrong() {
        let mut config = AugmentationConfig::default();
        config.erasing.area = [0.4, 0.2];
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "erasing.area is [0.4, 0.2], but the smaller must come first"
        );
        config.elastic.smoothness = 0.5;
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "elastic.smoothness is 0.5, but must be 1 to 100 pixels"
        );
    }
}
