//! A moving average in one pass over the memory.

use burn::tensor::Tensor;

use crate::host::{change, is_in_reach, read};

/// `average` moved by a share of `weight`, in 0..=1, of the way to `current`: of the same shape, on
/// the same device. It is computed by Burn's operations where the kernels do not run.
///
/// # Panics
///
/// If the shapes differ.
pub fn move_towards<const D: usize>(
    average: Tensor<D>,
    current: Tensor<D>,
    weight: f32,
) -> Tensor<D> {
    assert_eq!(average.dims(), current.dims());
    if !is_in_reach(&average) || !is_in_reach(&current) {
        let way = (current - average.clone()) * weight;
        return average + way;
    }
    read(&current, |current| {
        change(&average, |average, moved| {
            for ((moved, average), current) in moved.iter_mut().zip(average).zip(current) {
                *moved = average + weight * (current - average);
            }
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(deprecated)]

    use burn::tensor::{DType, Device, Tensor};

    use super::*;

    #[test]
    fn it_goes_its_share_of_the_way() {
        for device in [Device::flex(), Device::ndarray()] {
            for dtype in [DType::F32, DType::F64] {
                let tensor =
                    |rows: [[f32; 3]; 2]| Tensor::<2>::from_data(rows, &device).cast(dtype);
                let average = tensor([[0.0, 1.0, -2.0], [8.0, 4.0, 0.5]]);
                let current = tensor([[4.0, 1.0, 2.0], [-8.0, 0.0, 0.5]]);
                let moved = move_towards(average.clone(), current.clone(), 0.25);
                let found: Vec<f32> = moved.into_data().iter().collect();
                assert_eq!(found, [1.0, 1.0, -1.0, 4.0, 3.0, 0.5]);
                // What it is made of stays.
                let found: Vec<f32> = average.into_data().iter().collect();
                assert_eq!(found, [0.0, 1.0, -2.0, 8.0, 4.0, 0.5]);
            }
        }
    }

    #[test]
    fn tensors_that_are_tracked_are_burns() {
        let device = Device::flex().autodiff();
        let [average, current] = [[1.0f32], [3.0]].map(|x| Tensor::<1>::from_data(x, &device));
        let found: Vec<f32> = move_towards(average, current, 0.5)
            .into_data()
            .iter()
            .collect();
        assert_eq!(found, [2.0]);
    }

    #[test]
    #[should_panic(expected = "left == right")]
    fn shapes_are_the_same() {
        let device = Device::flex();
        let average = Tensor::<1>::from_data([1.0f32, 2.0], &device);
        move_towards(average, Tensor::<1>::from_data([3.0f32], &device), 0.5);
    }
}
