use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::batch::LabelledBatch;
use crate::images::LabelledImages;

use super::*;

const SCALING: Scaling = Scaling {
    mean: 0.0,
    standard_deviation: 1.0,
};

/// One-pixel images whose pixel is their number.
fn images(count: u8) -> LabelledImages {
    LabelledImages::new((0..count).collect(), vec![0; count.into()], 1).unwrap()
}

fn size(batch: usize) -> NonZeroUsize {
    NonZeroUsize::new(batch).unwrap()
}

fn in_order(count: u8, batch: usize) -> EpochLoader<LabelledImages> {
    EpochLoader::in_order(images(count), SCALING, size(batch), &Device::flex())
}

fn training(count: u8, batch: usize, first_epoch: u64) -> EpochLoader<LabelledImages> {
    in_order(count, batch).shuffled(5, first_epoch, 0)
}

/// Resumed in epoch 4.
fn resumed(first_batch: usize) -> EpochLoader<LabelledImages> {
    in_order(23, 5).shuffled(5, 4, first_batch)
}

fn numbers(batch: LabelledBatch) -> Vec<u8> {
    let pixels: Vec<f32> = batch.images.into_data().try_to_vec().unwrap();
    pixels
        .into_iter()
        .map(|pixel| (255.0 * pixel).round() as u8)
        .collect()
}

/// Image numbers and seeds of one epoch's batches.
fn epoch(loader: &dyn DataLoader<LabelledBatch>) -> Vec<(Vec<u8>, u64)> {
    loader
        .iter()
        .map(|batch| batch.unwrap())
        .map(|batch| (batch.seed, batch))
        .map(|(seed, batch)| (numbers(batch), seed))
        .collect()
}

#[test]
fn an_epoch_is_a_function_of_seed_and_epoch() {
    let whole = training(23, 5, 1);
    let epochs: Vec<_> = (0..4).map(|_| epoch(&whole)).collect();

    let resumed = training(23, 5, 3).to_device(&Device::flex());
    assert_eq!(epoch(&*resumed), epochs[2]);
    assert_eq!(epoch(&*resumed), epochs[3]);

    // Moving a loader between epochs loses no epoch.
    let moved = training(23, 5, 1);
    epoch(&moved);
    assert_eq!(epoch(&*moved.to_device(&Device::flex())), epochs[1]);

    for (number, batches) in (1..).zip(&epochs) {
        let sizes: Vec<usize> = batches.iter().map(|(images, _)| images.len()).collect();
        assert_eq!(sizes, [4, 5, 4, 5, 5]);
        let order: Vec<u32> = batches
            .iter()
            .flat_map(|(images, _)| images)
            .map(|&i| i.into())
            .collect();
        assert_eq!(order, epoch_order(5, number, 23));
        for (index, (_, seed)) in (0..).zip(batches) {
            assert_eq!(*seed, seed::number(5, Purpose::Network, number, index));
        }
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..23));
    }
    assert_ne!(epochs[0], epochs[1]);
}

/// Ten items by a program written from the definitions (ChaCha8 after RFC 8439 with four double
/// rounds, Durstenfeld's shuffle, multiplication for the bound). A change here changes the results
/// of every recorded run.
#[test]
fn the_order_is_stable() {
    assert_eq!(epoch_order(0, 1, 10), [1, 0, 3, 4, 5, 6, 2, 9, 8, 7]);
    assert_eq!(epoch_order(7, 3, 10), [2, 5, 7, 8, 1, 0, 4, 9, 3, 6]);
}

/// No epoch ends with a batch of an image or two, whose gradient would outweigh all others.
#[test]
fn batches_are_of_one_size() {
    for (images, batch_size, smallest) in [(32_002, 128, 127), (129, 128, 64), (7, 8, 7), (8, 8, 8)]
    {
        let cuts = Cuts::new(images, size(batch_size));
        let sizes: Vec<usize> = (0..cuts.batches).map(|b| cuts.batch(b).len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), images);
        assert_eq!(sizes.iter().min(), Some(&smallest));
        assert!(
            sizes
                .iter()
                .all(|&size| size <= batch_size && size <= smallest + 1)
        );
        assert_eq!(cuts.batch(cuts.batches + 3), images..images);
    }
}

#[test]
fn validation_keeps_the_order_of_the_set() {
    let loader = EpochLoader::in_order(images(5), SCALING, size(2), &Device::flex());
    let expected = [(vec![0], 0), (vec![1, 2], 0), (vec![3, 4], 0)];
    assert_eq!(epoch(&loader), expected);
    assert_eq!(epoch(&loader), expected);
    assert_eq!(epoch(&*loader.slice(1, 4)), [(vec![1], 0), (vec![2, 3], 0)]);
    assert_eq!(loader.slice(1, 4).num_items(), 3);
    assert_eq!(epoch(&*loader.slice(2, 2)), []);
}

/// A run that is resumed in the middle of an epoch sees the rest of it, then whole epochs.
#[test]
fn skipped_batches_are_left_out_once() {
    let whole = training(23, 5, 4);
    let epochs: Vec<_> = (0..2).map(|_| epoch(&whole)).collect();
    let loader = resumed(2).to_device(&Device::flex());
    assert_eq!(loader.iter().progress().items_processed, 9);

    let loader = resumed(2).to_device(&Device::flex());
    assert_eq!(epoch(&*loader), epochs[0][2..]);
    assert_eq!(epoch(&*loader), epochs[1]);

    assert_eq!(epoch(&resumed(5)), []);
    assert_eq!(epoch(&resumed(9)), []);
}

#[test]
fn progress_counts_images() {
    let loader = training(5, 2, 1);
    let mut batches = loader.iter();
    let mut processed = vec![batches.progress().items_processed];
    while batches.next().is_some() {
        assert_eq!(batches.progress().items_total, 5);
        processed.push(batches.progress().items_processed);
    }
    assert_eq!(processed, [0, 1, 3, 5]);
    assert!(batches.progress().is_completed());
    assert!(batches.next().is_none());
}

#[test]
fn batches_are_on_the_device_that_is_asked_for() {
    let device = Device::flex().autodiff();
    let loader = training(3, 2, 1).to_device(&device);
    let batch = loader.iter().next().unwrap().unwrap();
    assert!(batch.images.device().is_autodiff());
    assert!(batch.labels.device().is_autodiff());
}

#[test]
fn values_are_made_ahead_but_not_without_bound() {
    let (made, seen) = channel();
    let mut ahead = Ahead::start(0..100, move |number| {
        made.send(number).unwrap();
        number
    });
    // Those in the channel, and one that waits to get in.
    for number in 0..=AHEAD {
        assert_eq!(seen.recv_timeout(Duration::from_secs(60)), Ok(number));
    }
    assert!(seen.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!(ahead.next().unwrap().unwrap(), 0);
    assert_eq!(seen.recv_timeout(Duration::from_secs(60)), Ok(AHEAD + 1));

    // The thread ends with the iterator, although most values are not made yet.
    drop(ahead);
    assert!(seen.iter().count() < 10);
}

#[test]
fn a_panic_on_the_thread_is_not_the_end_of_the_epoch() {
    let mut ahead = Ahead::start(0..10, |number| {
        assert!(number < 3, "number {number}");
        number
    });
    let values: Vec<_> = ahead.by_ref().take(3).map(Result::unwrap).collect();
    assert_eq!(values, [0, 1, 2]);
    let panic = catch_unwind(AssertUnwindSafe(|| ahead.next())).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "number 3");
}

/// Whole rows of pixels: an image of 3 by 3 with one bright pixel in the middle, moved by whole pixels.
#[test]
fn augmentation_is_drawn_for_epoch_and_row() {
    let mut pixels = Vec::new();
    for _ in 0..20 {
        pixels.extend([0, 0, 0, 0, 255, 0, 0, 0, 0]);
    }
    let images = LabelledImages::new(pixels, vec![0; 20], 3).unwrap();
    let config = augmentation::AugmentationConfig {
        shift: 1.0,
        ..Default::default()
    };
    let augmenter = augmentation::Augmenter::new(&config, 3, 9).unwrap();
    let all = |loader: &dyn DataLoader<LabelledBatch>| -> Vec<u8> {
        loader
            .iter()
            .flat_map(|batch| numbers(batch.unwrap()))
            .collect()
    };
    let device = Device::flex();
    let view = |number, batch| {
        let loader = EpochLoader::in_order(images.clone(), SCALING, size(batch), &device);
        all(&loader.view(augmenter.clone(), number))
    };
    // The same for any size of batch, another one in another epoch, and not the image itself.
    assert_eq!(view(1, 7), view(1, 20));
    assert_ne!(view(1, 7), view(2, 7));
    // What the augmenter gives by itself.
    let mut alone = augmenter.clone();
    let mut expected = [0; 9];
    alone.augment_bytes(2, 5, &[0, 0, 0, 0, 255, 0, 0, 0, 0], &mut expected);
    assert_eq!(view(2, 7)[45..54], expected);
    // In training, by the row in the file, whatever the order of the epoch.
    let loader = EpochLoader::in_order(images.clone(), SCALING, size(7), &device);
    let loader = loader.shuffled(5, 2, 0);
    let mut trained: Vec<Vec<u8>> = all(&loader.augmented(augmenter.clone()))
        .chunks(9)
        .map(<[u8]>::to_vec)
        .collect();
    let mut viewed: Vec<Vec<u8>> = view(2, 7).chunks(9).map(<[u8]>::to_vec).collect();
    trained.sort();
    viewed.sort();
    assert_eq!(trained, viewed);
}
