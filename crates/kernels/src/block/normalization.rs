//! What a block normalises by: means and deviations, and their linear function of each channel.

use super::{Block, Normalization, Parameters};
use crate::function::NormalizedRow;
use crate::rows;
use crate::simd::Isa;

/// Means and reciprocal standard deviations of channels, in one set for all images or in one for
/// each.
#[derive(Debug)]
pub(super) struct Statistics {
    /// `[sets, channels]`.
    pub(super) mean: Vec<f32>,
    /// `[channels]`; only of a batch.
    pub(super) variance: Vec<f32>,
    /// `[sets, channels]`.
    pub(super) reciprocal_deviation: Vec<f32>,
    /// How many values each of them was taken of.
    pub(super) count: f64,
}

/// The linear function `slope · (y − mean) + offset` of each channel, its numbers repeated for all
/// columns of a row.
pub(super) struct ChannelRows {
    pub(super) mean: Vec<f32>,
    pub(super) slope: Vec<f32>,
    pub(super) offset: Vec<f32>,
}

impl Block {
    /// From mean and sum of squared deviations of each image's channels, `[images, 2, channels]`, to
    /// what they are normalised by.
    pub(super) fn statistics(&self, moments: &[f32]) -> Statistics {
        let [height, width, channels] = self.linear_size();
        let pixels = (height * width) as f64;
        match self.normalization {
            Normalization::None => Statistics::identity(channels),
            Normalization::Batch { epsilon } => {
                Statistics::of_batch(moments, channels, pixels, epsilon)
            }
            Normalization::Group { groups, epsilon } => {
                Statistics::of_groups(moments, channels, pixels, groups, epsilon)
            }
        }
    }
}

impl Statistics {
    /// Normalisation by these changes nothing.
    pub(super) fn identity(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            variance: Vec::new(),
            reciprocal_deviation: vec![1.0; channels],
            count: 1.0,
        }
    }

    pub(super) fn running(mean: &[f32], variance: &[f32], epsilon: f32) -> Self {
        Self {
            mean: mean.to_vec(),
            variance: Vec::new(),
            reciprocal_deviation: variance
                .iter()
                .map(|&variance| reciprocal_deviation(variance.into(), epsilon))
                .collect(),
            count: 1.0,
        }
    }

    /// Merges the moments of images, all of as many pixels, as Chan, Golub and LeVeque do those of
    /// two samples (1979): what is within images and what is between them is added, and nothing
    /// cancels.
    fn of_batch(moments: &[f32], channels: usize, pixels: f64, epsilon: f32) -> Self {
        let images = moments.len() / (2 * channels);
        let mut mean = vec![0.0f64; channels];
        let mut squared_deviations = vec![0.0f64; channels];
        for image in moments.chunks_exact(2 * channels) {
            for (total, &mean) in mean.iter_mut().zip(image) {
                *total += f64::from(mean);
            }
        }
        for total in &mut mean {
            *total /= images as f64;
        }
        for image in moments.chunks_exact(2 * channels) {
            let (means, within) = image.split_at(channels);
            for (((total, &mean), &image_mean), &within) in squared_deviations
                .iter_mut()
                .zip(&mean)
                .zip(means)
                .zip(within)
            {
                let between = f64::from(image_mean) - mean;
                *total += f64::from(within) + pixels * between * between;
            }
        }
        let count = pixels * images as f64;
        let variance = squared_deviations.iter().map(|&sum| sum / count);
        Self {
            mean: mean.iter().map(|&mean| mean as f32).collect(),
            variance: variance.clone().map(|variance| variance as f32).collect(),
            reciprocal_deviation: variance
                .map(|variance| reciprocal_deviation(variance, epsilon))
                .collect(),
            count,
        }
    }

    fn of_groups(
        moments: &[f32],
        channels: usize,
        pixels: f64,
        groups: usize,
        epsilon: f32,
    ) -> Self {
        let size = channels / groups;
        let mut mean = Vec::with_capacity(moments.len() / 2);
        let mut reciprocal = Vec::with_capacity(moments.len() / 2);
        for image in moments.chunks_exact(2 * channels) {
            let (means, within) = image.split_at(channels);
            for (means, within) in means.chunks_exact(size).zip(within.chunks_exact(size)) {
                let total: f64 = means.iter().map(|&mean| f64::from(mean)).sum();
                let group_mean = total / size as f64;
                let squared_deviations: f64 = means
                    .iter()
                    .zip(within)
                    .map(|(&mean, &within)| {
                        let between = f64::from(mean) - group_mean;
                        f64::from(within) + pixels * between * between
                    })
                    .sum();
                let variance = squared_deviations / (pixels * size as f64);
                mean.extend(std::iter::repeat_n(group_mean as f32, size));
                let deviation = reciprocal_deviation(variance, epsilon);
                reciprocal.extend(std::iter::repeat_n(deviation, size));
            }
        }
        Self {
            mean,
            variance: Vec::new(),
            reciprocal_deviation: reciprocal,
            count: pixels * size as f64,
        }
    }

    /// The set of means and reciprocal deviations of an image.
    pub(super) fn of_image(&self, image: usize, channels: usize) -> (&[f32], &[f32]) {
        let sets = self.mean.len() / channels;
        let start = if sets == 1 { 0 } else { image * channels };
        (
            &self.mean[start..start + channels],
            &self.reciprocal_deviation[start..start + channels],
        )
    }

    pub(super) fn per_image(&self, channels: usize) -> bool {
        self.mean.len() > channels
    }
}

fn reciprocal_deviation(variance: f64, epsilon: f32) -> f32 {
    (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32
}

impl ChannelRows {
    pub(super) fn new(columns: usize, channels: usize) -> Self {
        let row = || vec![0.0; columns * channels];
        Self {
            mean: row(),
            slope: row(),
            offset: row(),
        }
    }

    /// Normalises a row: slope · (y − mean) + offset.
    pub(super) fn apply(&self, isa: Isa, y: &[f32], out: &mut [f32]) {
        rows::normalize(isa, y, &self.mean, &self.slope, &self.offset, out);
    }

    /// A row that is to be normalised and go through a function.
    pub(super) fn normalized<'a>(
        &'a self,
        linear: &'a [f32],
        output: &'a mut [f32],
    ) -> NormalizedRow<'a> {
        NormalizedRow {
            linear,
            normalization: self.normalization(),
            output,
        }
    }

    /// Normalises a row, and adds scale · g.
    pub(super) fn apply_and_add(
        &self,
        isa: Isa,
        y: &[f32],
        g: &[f32],
        scale: &[f32],
        out: &mut [f32],
    ) {
        rows::normalize_and_add_scaled(isa, y, self.normalization(), g, scale, out);
    }

    pub(super) fn normalization(&self) -> [&[f32]; 3] {
        [&self.mean, &self.slope, &self.offset]
    }

    /// `numbers`: mean, slope and offset of each channel.
    pub(super) fn fill(&mut self, channels: usize, numbers: impl Fn(usize) -> [f32; 3]) {
        for channel in 0..channels {
            let [mean, slope, offset] = numbers(channel);
            self.mean[channel] = mean;
            self.slope[channel] = slope;
            self.offset[channel] = offset;
        }
        for row in [&mut self.mean, &mut self.slope, &mut self.offset] {
            let (first, rest) = row.split_at_mut(channels);
            for column in rest.chunks_exact_mut(channels) {
                column.copy_from_slice(first);
            }
        }
    }

    /// Normalisation with learned scale and shift: `slope · (y − mean) + offset`. The mean comes off
    /// first, so that no digits are lost where it is large beside the deviation.
    pub(super) fn fill_normalization(
        &mut self,
        statistics: &Statistics,
        image: usize,
        channels: usize,
        parameters: Parameters,
    ) {
        let (mean, reciprocal) = statistics.of_image(image, channels);
        self.fill(channels, |channel| {
            let slope = parameters.scale.map_or(1.0, |scale| scale[channel]) * reciprocal[channel];
            let shift = parameters.shift.map_or(0.0, |shift| shift[channel]);
            [mean[channel], slope, shift]
        });
    }
}
