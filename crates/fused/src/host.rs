//! Tensors as numbers in the host's memory.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use burn::backend::flex::FlexTensor;
use burn::backend::ndarray::{NdArrayTensor, SharedArray};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchDevice, Flex, NdArray, TensorMetadata};
use burn::tensor::{AllocationProperty, Bytes, DType, Device, Shape, Tensor, TensorData};
use kernels::buffer::Buffer;

use crate::prepared::CachedBlock;

/// The dimensions of an image tensor `[images, channels, height, width]` with its channels last.
pub(crate) const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];
/// And back again.
const CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];

/// Whether the tensors of `device` lie in the host's memory, so that the kernels can compute on
/// them.
pub fn runs_on(device: &Device) -> bool {
    let inner = device.clone().without_autodiff();
    matches!(
        inner.as_dispatch(),
        DispatchDevice::Flex(_) | DispatchDevice::NdArray(_)
    )
}

/// Whether the kernels can compute on the memory of `tensor`: outside a graph of gradients, in `f32`.
pub(crate) fn is_in_reach<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && !tensor.is_autodiff() && runs_on(&tensor.device())
}

/// What an expression makes of the primitive of a tensor on a device that [`runs_on`] knows, with
/// the backend's name for that backend.
macro_rules! on_host {
    ($tensor:expr, |$primitive:ident: $backend:ident| $result:expr) => {
        if let Ok($primitive) = $tensor.clone().try_into_primitive::<burn::backend::Flex>() {
            type $backend = burn::backend::Flex;
            $result
        } else {
            type $backend = burn::backend::NdArray;
            match $tensor.clone().try_into_primitive::<$backend>() {
                Ok($primitive) => $result,
                Err(error) => unreachable!("not in the host's memory: {error:?}"),
            }
        }
    };
}
pub(crate) use on_host;

/// A backend whose tensors are numbers in the host's memory.
pub(crate) trait Host: Backend {
    /// The numbers of `tensor`, an `f32` tensor, row by row with its dimensions in the order
    /// `order`. A copy only where they do not lie so in memory.
    fn permuted<'a>(tensor: &'a FloatTensor<Self>, order: &[usize]) -> Cow<'a, [f32]>;

    /// The numbers of `tensor`, an `f32` tensor, row by row.
    fn numbers(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
        let dimensions: Vec<usize> = (0..tensor.rank()).collect();
        Self::permuted(tensor, &dimensions)
    }

    /// The tensor of these numbers, row by row.
    fn tensor(numbers: Buffer, shape: impl Into<Shape>) -> FloatTensor<Self>;

    /// Whether nobody else holds the memory of `tensor`, as far as that can be told.
    fn is_unique(tensor: &FloatTensor<Self>) -> bool;

    /// Blocks prepared for inference lately.
    fn prepared() -> &'static Mutex<Vec<CachedBlock<Self>>>;

    /// The tensor of images, `[images, channels, height, width]`, whose numbers these are with
    /// their channels last.
    fn images(numbers: Buffer, [images, channels, height, width]: [usize; 4]) -> FloatTensor<Self> {
        let tensor = Self::tensor(numbers, [images, height, width, channels]);
        Self::float_permute(tensor, &CHANNELS_FIRST)
    }
}

impl Host for Flex {
    fn permuted<'a>(tensor: &'a FloatTensor<Self>, order: &[usize]) -> Cow<'a, [f32]> {
        let layout = tensor.layout().permute(order);
        match layout.contiguous_offsets() {
            Some((start, end)) => Cow::Borrowed(&tensor.storage::<f32>()[start..end]),
            None => {
                let copy = tensor.clone().with_layout(layout).to_contiguous();
                Cow::Owned(copy.storage::<f32>().to_vec())
            }
        }
    }

    /// The buffer is the tensor's memory.
    fn tensor(numbers: Buffer, shape: impl Into<Shape>) -> FloatTensor<Self> {
        let memory = bytes::Bytes::from_owner(numbers);
        let memory = Bytes::from_shared(memory, AllocationProperty::Other);
        FlexTensor::from_data(TensorData::from_bytes(memory, shape, DType::F32))
    }

    fn is_unique(tensor: &FloatTensor<Self>) -> bool {
        tensor.is_unique()
    }

    fn prepared() -> &'static Mutex<Vec<CachedBlock<Self>>> {
        static PREPARED: Mutex<Vec<CachedBlock<Flex>>> = Mutex::new(Vec::new());
        &PREPARED
    }
}

impl Host for NdArray {
    fn permuted<'a>(tensor: &'a FloatTensor<Self>, order: &[usize]) -> Cow<'a, [f32]> {
        let NdArrayTensor::F32(storage) = tensor else {
            unreachable!("the kernels are for `f32`")
        };
        let view = storage.view().permuted_axes(order);
        match view.to_slice() {
            Some(numbers) => Cow::Borrowed(numbers),
            None => Cow::Owned(view.iter().copied().collect()),
        }
    }

    /// A copy: only with memory from the system's allocator does a tensor of this backend have
    /// strides.
    fn tensor(numbers: Buffer, shape: impl Into<Shape>) -> FloatTensor<Self> {
        let mut array = take_array(numbers.len());
        match array.as_slice_mut() {
            Some(memory) => memory.copy_from_slice(&numbers),
            None => unreachable!("arrays are kept in one dimension"),
        }
        keep_array(&array);
        match array.into_shape_with_order(shape.into().to_vec()) {
            Ok(array) => array.into(),
            Err(error) => unreachable!("the numbers fill the shape: {error}"),
        }
    }

    /// Not of most: [`ARRAYS`] holds them too.
    fn is_unique(tensor: &FloatTensor<Self>) -> bool {
        matches!(tensor, NdArrayTensor::F32(storage) if storage.is_unique())
    }

    fn prepared() -> &'static Mutex<Vec<CachedBlock<Self>>> {
        static PREPARED: Mutex<Vec<CachedBlock<NdArray>>> = Mutex::new(Vec::new());
        &PREPARED
    }
}

/// Arrays that tensors of ndarray have or had as their memory. Those that no tensor has any more
/// are used again: from the system they would come anew in each step, page by page, which takes
/// longer than to fill them.
static ARRAYS: Mutex<Vec<SharedArray<f32>>> = Mutex::new(Vec::new());

/// Arrays that are kept at most.
const MAX_ARRAYS: usize = 64;

/// An array of `len` numbers that is nobody else's.
fn take_array(len: usize) -> SharedArray<f32> {
    let mut arrays = ARRAYS.lock().unwrap_or_else(PoisonError::into_inner);
    let free = arrays
        .iter()
        .position(|array| array.len() == len && array.is_unique());
    match free {
        Some(index) => arrays.swap_remove(index),
        None => SharedArray::zeros(vec![len]),
    }
}

fn keep_array(array: &SharedArray<f32>) {
    let mut arrays = ARRAYS.lock().unwrap_or_else(PoisonError::into_inner);
    if arrays.len() == MAX_ARRAYS {
        arrays.remove(0);
    }
    arrays.push(array.clone());
}

/// What `f` makes of the numbers of an `f32` tensor, row by row, on a device that [`runs_on`]
/// knows.
pub(crate) fn read<const D: usize, R>(tensor: &Tensor<D>, f: impl FnOnce(&[f32]) -> R) -> R {
    on_host!(tensor, |primitive: B| f(&B::numbers(&primitive)))
}

/// The tensor that `f` fills, given the numbers of an `f32` tensor, row by row, on a device that
/// [`runs_on`] knows.
pub(crate) fn change<const D: usize>(
    tensor: &Tensor<D>,
    f: impl FnOnce(&[f32], &mut [f32]),
) -> Tensor<D> {
    fn on<B: Host>(tensor: &FloatTensor<B>, f: impl FnOnce(&[f32], &mut [f32])) -> FloatTensor<B> {
        let numbers = B::numbers(tensor);
        let mut changed = Buffer::new(numbers.len());
        f(&numbers, &mut changed);
        B::tensor(changed, tensor.shape())
    }
    on_host!(tensor, |primitive: B| {
        Tensor::from_primitive::<B>(on::<B>(&primitive, f))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The images of a test: 2 images of 3×5 pixels of 7 channels.
    fn images<B: Host>() -> (FloatTensor<B>, *const f32) {
        let mut numbers = Buffer::new(2 * 3 * 5 * 7);
        for (i, number) in numbers.iter_mut().enumerate() {
            *number = i as f32;
        }
        let address = numbers.as_ptr();
        (B::images(numbers, [2, 7, 3, 5]), address)
    }

    fn are_read<B: Host>() {
        let (images, _) = images::<B>();
        let pixels = B::permuted(&images, &CHANNELS_LAST);
        assert!(matches!(pixels, Cow::Borrowed(_)));
        assert!(
            pixels
                .iter()
                .enumerate()
                .all(|(i, &number)| number == i as f32)
        );
        let rows = B::numbers(&images);
        assert!(matches!(rows, Cow::Owned(_)));
        // Channel 1 of the first image begins with the second number of each pixel.
        assert_eq!(rows[15..18], [1.0, 8.0, 15.0]);
    }

    #[test]
    fn channels_last_images_are_read_where_they_lie() {
        are_read::<Flex>();
        are_read::<NdArray>();
    }

    #[test]
    fn a_buffer_is_the_memory_of_a_flex_tensor() {
        let (images, address) = images::<Flex>();
        assert_eq!(Flex::permuted(&images, &CHANNELS_LAST).as_ptr(), address);
    }

    #[test]
    fn arrays_are_used_again_when_no_tensor_has_them() {
        // A size that no other test asks for.
        let tensor = |first: f32| {
            let mut numbers = Buffer::zeros(12_347);
            numbers[0] = first;
            NdArray::tensor(numbers, [12_347])
        };
        let address = |tensor: &NdArrayTensor| NdArray::numbers(tensor).as_ptr();
        let one = tensor(1.0);
        let two = tensor(2.0);
        assert_ne!(address(&one), address(&two));
        let of_one = address(&one);
        drop(one);
        let three = tensor(3.0);
        assert_eq!(address(&three), of_one);
        assert_eq!(NdArray::numbers(&two)[0], 2.0);
        assert_eq!(NdArray::numbers(&three)[0], 3.0);
    }

    #[test]
    fn the_host_is_the_processor() {
        let devices = [Device::flex(), Device::ndarray(), Device::flex().autodiff()];
        for device in devices {
            assert!(runs_on(&device), "{device:?}");
        }
    }
}
