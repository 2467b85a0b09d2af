//! Batches on a device: bytes go up in one tensor and are scaled there.

use std::ops::Range;

use burn::data::dataset::Dataset;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::images::{LabelledImages, UnlabelledImages};
use crate::scaling::Scaling;

/// Labelled images on a device.
#[derive(Clone, Debug)]
pub struct LabelledBatch {
    /// `[batch, 1, side, side]`, standardised: about mean 0 and standard deviation 1 over the
    /// training images.
    pub images: Tensor<4>,
    /// `[batch]`, the class of each image, from 0 to the number of classes − 1.
    pub labels: Tensor<1, Int>,
    /// What the network seeds its random draws with in this training step. It depends on the run's
    /// seed, the epoch and the place in the epoch alone; 0 outside training.
    pub seed: u64,
}

/// Unlabelled images on a device.
#[derive(Clone, Debug)]
pub struct ImageBatch {
    /// `[batch, 1, side, side]`, standardised with the scaling of the training images.
    pub images: Tensor<4>,
}

/// A set of images that a loader can make batches of.
///
/// A batch is made in two stages, so that the first can run ahead of the training on another
/// thread. The second cannot: GPU backends keep a stream of commands and a pool of memory per
/// thread, and would leave those of every finished thread behind.
pub trait ImageSet: Clone + Send + Sync + 'static {
    /// The bytes of a batch in host memory.
    type Gathered: Send + 'static;
    /// The batch on a device.
    type Batch: Send + 'static;

    /// The number of images.
    fn count(&self) -> usize;

    /// The images from `range.start` to before `range.end`.
    fn part(&self, range: Range<usize>) -> Self;

    /// Copies the images at these indices.
    fn gather(&self, indices: &[u32]) -> Self::Gathered;

    /// The pixels of gathered images, one image after the other, to be changed.
    fn pixels(gathered: &mut Self::Gathered) -> &mut Vec<u8>;

    /// The row of the file that the image at `index` comes from.
    fn row(&self, index: u32) -> u32;

    /// Brings them to a device. `seed` is that of the training step, 0 outside training.
    fn upload(
        &self,
        gathered: Self::Gathered,
        scaling: Scaling,
        seed: u64,
        device: &Device,
    ) -> Self::Batch;
}

impl ImageSet for LabelledImages {
    type Gathered = (Vec<u8>, Vec<u8>);
    type Batch = LabelledBatch;

    fn count(&self) -> usize {
        self.len()
    }

    fn part(&self, range: Range<usize>) -> Self {
        self.select(range.start as u32..range.end as u32)
    }

    fn gather(&self, indices: &[u32]) -> Self::Gathered {
        self.gather(indices)
    }

    fn pixels((pixels, _): &mut Self::Gathered) -> &mut Vec<u8> {
        pixels
    }

    fn row(&self, index: u32) -> u32 {
        self.rows()[index as usize]
    }

    fn upload(
        &self,
        (pixels, labels): Self::Gathered,
        scaling: Scaling,
        seed: u64,
        device: &Device,
    ) -> LabelledBatch {
        LabelledBatch {
            images: images_on(pixels, self.side(), scaling, device),
            labels: labels_on(labels, device),
            seed,
        }
    }
}

impl ImageSet for UnlabelledImages {
    type Gathered = Vec<u8>;
    type Batch = ImageBatch;

    fn count(&self) -> usize {
        self.len()
    }

    fn part(&self, range: Range<usize>) -> Self {
        self.select(range.start as u32..range.end as u32)
    }

    fn gather(&self, indices: &[u32]) -> Self::Gathered {
        self.gather(indices)
    }

    fn pixels(gathered: &mut Self::Gathered) -> &mut Vec<u8> {
        gathered
    }

    fn row(&self, index: u32) -> u32 {
        self.row_of(index)
    }

    fn upload(
        &self,
        pixels: Self::Gathered,
        scaling: Scaling,
        _seed: u64,
        device: &Device,
    ) -> ImageBatch {
        ImageBatch {
            images: images_on(pixels, self.side(), scaling, device),
        }
    }
}

fn labels_on(labels: Vec<u8>, device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
    let count = labels.len();
    Tensor::from_data(TensorData::new(labels, [count]), device)
}

/// `count × side × side` bytes as standardised images `[count, 1, side, side]`.
fn images_on(pixels: Vec<u8>, side: usize, scaling: Scaling, device: &Device) -> Tensor<4> {
    let count = pixels.len() / (side * side).max(1);
    let shape = [count, 1, side, side];
    let bytes = if device.supports_dtype(DType::U8) {
        Tensor::<4, Int>::from_data(TensorData::new(pixels, shape), (device, DType::U8))
    } else {
        unpack(pixels, device).reshape(shape)
    };
    // (x / 255 − mean) / deviation, with one multiplication and one subtraction.
    let deviation = scaling.standard_deviation;
    bytes.float() * (1.0 / (255.0 * deviation)) - scaling.mean / deviation
}

/// Bytes on a device whose smallest integers have 32 bits (WGSL has no others): four of them in
/// each word go up, and are taken apart there. Returns `[bytes]`.
fn unpack(mut bytes: Vec<u8>, device: &Device) -> Tensor<1, Int> {
    let length = bytes.len();
    bytes.resize(length.next_multiple_of(4), 0);
    let words: Vec<i32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&word| i32::from_le_bytes(word))
        .collect();
    let count = words.len();
    let words = Tensor::<1, Int>::from_data(TensorData::new(words, [count]), (device, DType::I32));
    // The sign's copies that a shift to the right brings in are masked off.
    let parts = [0, 8, 16, 24].map(|shift| {
        words
            .clone()
            .bitwise_right_shift_scalar(shift)
            .bitwise_and_scalar(0xff)
    });
    let bytes: Tensor<2, Int> = Tensor::stack(parts.to_vec(), 1);
    bytes.reshape([4 * count]).slice(0..length)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use burn::tensor::DeviceKind;

    use super::*;

    const SCALING: Scaling = Scaling {
        mean: 0.25,
        standard_deviation: 0.5,
    };

    /// A software or hardware device for WGPU, if this machine has one.
    fn wgpu() -> Option<Device> {
        [DeviceKind::DefaultDevice, DeviceKind::Cpu]
            .into_iter()
            .find_map(|kind| Device::wgpu_options().device_kind(kind).init().ok())
    }

    fn devices() -> Vec<Device> {
        #[allow(deprecated)]
        let mut devices = vec![Device::flex(), Device::ndarray(), Device::flex().autodiff()];
        match wgpu() {
            Some(device) => devices.push(device),
            None if std::env::var_os("REQUIRE_GPU_TESTS").is_some_and(|value| value == "1") => {
                panic!("REQUIRE_GPU_TESTS is set, but there is no GPU")
            }
            // Unlike `eprintln`, this is seen when the test passes.
            None => drop(writeln!(
                std::io::stderr(),
                "skipped on the GPU: there is none"
            )),
        }
        devices
    }

    /// Every byte arrives as (x / 255 − 1/4) / (1/2) on every backend.
    #[test]
    fn every_byte_is_standardised_on_every_device() {
        let labels: Vec<u8> = (0..64).map(|row| row % 10).collect();
        let images = LabelledImages::new((0..=255).collect(), labels.clone(), 2).unwrap();
        let indices: Vec<u32> = (0..64).collect();
        for device in devices() {
            let batch = ImageSet::upload(&images, images.gather(&indices), SCALING, 9, &device);
            assert_eq!(batch.images.dims(), [64, 1, 2, 2]);
            assert_eq!(batch.images.device(), device);
            assert_eq!(batch.labels.device(), device);
            assert_eq!(batch.seed, 9);
            let values: Vec<f32> = batch.images.into_data().try_to_vec().unwrap();
            for (byte, value) in values.into_iter().enumerate() {
                let expected = (byte as f64 / 255.0 - 0.25) / 0.5;
                assert!(
                    (f64::from(value) - expected).abs() < 1e-6,
                    "{byte}: {value} on {device:?}"
                );
            }
            let arrived: Vec<i64> = batch
                .labels
                .into_data()
                .convert::<i64>()
                .try_to_vec()
                .unwrap();
            assert!(
                arrived
                    .into_iter()
                    .eq(labels.iter().copied().map(i64::from))
            );
        }
    }

    /// The detour of devices without bytes, on one that can be checked everywhere: lengths that are
    /// no multiple of four, and bytes that set the sign of a word.
    #[test]
    fn unpacking_gives_the_bytes_back() {
        for length in 0..=17 {
            let bytes: Vec<u8> = (0..length).map(|index| 255 - 13 * index as u8).collect();
            let unpacked = unpack(bytes.clone(), &Device::flex());
            let unpacked: Vec<i32> = unpacked.into_data().try_to_vec().unwrap();
            assert!(unpacked.into_iter().eq(bytes.into_iter().map(i32::from)));
        }
    }
}
