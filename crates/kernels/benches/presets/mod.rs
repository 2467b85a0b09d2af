//! The layers of the presets of the crate `model`.

#![allow(dead_code, reason = "no bench uses all of it")]

use kernels::block::LinearMap;
use kernels::convolution::Convolution;
use kernels::dense::Dense;

/// A layer, with what stands behind its map.
pub struct Layer {
    pub name: &'static str,
    pub map: LinearMap,
    pub pool: bool,
    pub dropout: f32,
    /// Images in a training batch.
    pub batch: usize,
}

pub fn layers() -> Vec<Layer> {
    let convolution = |[size, inputs, outputs, kernel, stride, padding]: [usize; 6]| {
        LinearMap::Convolution(Convolution {
            height: size,
            width: size,
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride,
            padding: [padding; 2],
        })
    };
    let dense = |[pixels, channels, outputs]: [usize; 3]| {
        LinearMap::Dense(Dense {
            pixels,
            channels,
            outputs,
        })
    };
    [
        (
            "small, stage 1",
            convolution([28, 1, 24, 5, 1, 2]),
            true,
            0.0,
            256,
        ),
        (
            "small, stage 2",
            convolution([14, 24, 32, 3, 1, 1]),
            true,
            0.0,
            256,
        ),
        ("small, hidden", dense([49, 32, 256]), false, 0.0, 256),
        (
            "classic, stage 1, first",
            convolution([28, 1, 32, 3, 1, 1]),
            false,
            0.0,
            128,
        ),
        (
            "classic, stage 1, second",
            convolution([28, 32, 32, 3, 1, 1]),
            true,
            0.25,
            128,
        ),
        (
            "classic, stage 2, first",
            convolution([14, 32, 64, 3, 1, 1]),
            false,
            0.0,
            128,
        ),
        (
            "classic, stage 2, second",
            convolution([14, 64, 64, 3, 1, 1]),
            true,
            0.25,
            128,
        ),
        ("classic, hidden", dense([49, 64, 128]), false, 0.5, 128),
        (
            "kaggle, stage 1, first",
            convolution([28, 1, 32, 3, 1, 0]),
            false,
            0.0,
            128,
        ),
        (
            "kaggle, stage 1, second",
            convolution([26, 32, 32, 3, 1, 0]),
            false,
            0.0,
            128,
        ),
        (
            "kaggle, stage 2",
            convolution([24, 32, 32, 5, 2, 2]),
            false,
            0.4,
            128,
        ),
        (
            "kaggle, stage 3, first",
            convolution([12, 32, 64, 3, 1, 0]),
            false,
            0.0,
            128,
        ),
        (
            "kaggle, stage 3, second",
            convolution([10, 64, 64, 3, 1, 0]),
            false,
            0.0,
            128,
        ),
        (
            "kaggle, stage 4",
            convolution([8, 64, 64, 5, 2, 2]),
            false,
            0.4,
            128,
        ),
        ("kaggle, hidden", dense([16, 64, 128]), false, 0.4, 128),
    ]
    .map(|(name, map, pool, dropout, batch)| Layer {
        name,
        map,
        pool,
        dropout,
        batch,
    })
    .into()
}

/// Multiplications and additions of a map for one image, by its definition.
pub fn operations(map: &LinearMap) -> f64 {
    let multiplications = match map {
        LinearMap::Convolution(convolution) => {
            let [rows, columns] = convolution.kernel;
            convolution.output_len() * convolution.inputs * rows * columns
        }
        LinearMap::Dense(dense) => dense.weight_len(),
    };
    2.0 * multiplications as f64
}
