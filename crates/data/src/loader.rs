//! The loader that feeds Burn's training loop.

use std::any::Any;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use augmentation::Augmenter;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use seed::{Purpose, shuffle};

use crate::batch::ImageSet;
use crate::scaling::Scaling;

/// Batches that are gathered ahead of the training.
const AHEAD: usize = 4;

/// The order of `count` images in one epoch of training: a permutation of `0..count` that depends
/// on the run's seed and the epoch alone.
pub fn epoch_order(run_seed: u64, epoch: u64, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    shuffle(
        &mut order,
        &mut seed::stream(run_seed, Purpose::Shuffle, epoch, 0),
    );
    order
}

/// A loader of image batches that knows the epoch it is in.
///
/// Every call of [`iter`](DataLoader::iter) is one epoch. In training, its order and the seeds of
/// its batches depend on the run's seed and the number of the epoch alone: a run that is resumed at
/// epoch `e` sees what an uninterrupted run sees in epoch `e`. Where the batch size does not divide
/// the number of images, some batches have one image less than others.
///
/// A thread per epoch gathers the bytes of a few batches ahead of the training; it ends with the
/// iterator, and if it panics, so does the iterator.
pub struct EpochLoader<S> {
    images: S,
    scaling: Scaling,
    batch_size: NonZeroUsize,
    order: Order,
    augmenter: Option<Augmenter>,
    device: Device,
}

/// The order in which an epoch goes through the images.
enum Order {
    /// That of the set, in every epoch.
    Fixed {
        /// The epoch that augmentation is drawn for.
        view: u64,
    },
    /// A new one in every epoch.
    Shuffled {
        run_seed: u64,
        next_epoch: AtomicU64,
        /// The batch that the next epoch begins with; later epochs are whole.
        first_batch: AtomicUsize,
    },
}

impl Clone for Order {
    fn clone(&self) -> Self {
        match self {
            Self::Fixed { view } => Self::Fixed { view: *view },
            Self::Shuffled {
                run_seed,
                next_epoch,
                first_batch,
            } => Self::Shuffled {
                run_seed: *run_seed,
                next_epoch: AtomicU64::new(next_epoch.load(Ordering::Relaxed)),
                first_batch: AtomicUsize::new(first_batch.load(Ordering::Relaxed)),
            },
        }
    }
}

impl Order {
    /// What the next epoch of `count` images does. In training, the one after it is another.
    fn next_epoch(&self, count: usize) -> EpochPlan {
        match self {
            Self::Fixed { view } => EpochPlan {
                indices: (0..count as u32).collect(),
                epoch: *view,
                first_batch: 0,
                run_seed: None,
            },
            Self::Shuffled {
                run_seed,
                next_epoch,
                first_batch,
            } => {
                let epoch = next_epoch.fetch_add(1, Ordering::Relaxed);
                EpochPlan {
                    indices: epoch_order(*run_seed, epoch, count),
                    epoch,
                    first_batch: first_batch.swap(0, Ordering::Relaxed),
                    run_seed: Some(*run_seed),
                }
            }
        }
    }
}

/// What one epoch does.
struct EpochPlan {
    /// The images in their order.
    indices: Vec<u32>,
    /// The epoch that augmentation and seeds are drawn for.
    epoch: u64,
    first_batch: usize,
    /// In training, what the seeds of batches derive from.
    run_seed: Option<u64>,
}

impl<S: ImageSet> EpochLoader<S> {
    /// A loader for validation and prediction: every epoch is the images in the order of the set.
    pub fn in_order(
        images: S,
        scaling: Scaling,
        batch_size: NonZeroUsize,
        device: &Device,
    ) -> Self {
        Self {
            images,
            scaling,
            batch_size,
            order: Order::Fixed { view: 0 },
            augmenter: None,
            device: device.clone(),
        }
    }

    /// The same loader for training, in a new order each epoch.
    ///
    /// The first epoch that is asked for has number `epoch`, and begins with its batch number `batch`,
    /// counted from 0. A new run starts at 1 (Burn counts epochs from 1) and 0; one that is resumed,
    /// where it stopped: the batches before are left out, and the others come as they would have.
    pub fn shuffled(self, run_seed: u64, epoch: u64, batch: usize) -> Self {
        Self {
            order: Order::Shuffled {
                run_seed,
                next_epoch: AtomicU64::new(epoch),
                first_batch: AtomicUsize::new(batch),
            },
            ..self
        }
    }

    /// The same loader with its images changed by `augmenter`, in training anew in every epoch.
    pub fn augmented(self, augmenter: Augmenter) -> Self {
        Self {
            augmenter: Some(augmenter),
            ..self
        }
    }

    /// View number `view` of the images for test-time augmentation: in the order of the set, changed
    /// by `augmenter` as in the training's epoch of that number.
    pub fn view(self, augmenter: Augmenter, view: u64) -> Self {
        Self {
            order: Order::Fixed { view },
            ..self.augmented(augmenter)
        }
    }
}

impl<S: ImageSet> DataLoader<S::Batch> for EpochLoader<S> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<S::Batch> + 'a> {
        let count = self.images.count();
        let EpochPlan {
            indices,
            epoch,
            first_batch,
            run_seed,
        } = self.order.next_epoch(count);
        let cuts = Cuts::new(count, self.batch_size);
        let images = self.images.clone();
        let mut augmenter = self.augmenter.clone();
        let gather = move |batch: usize| {
            let indices = &indices[cuts.batch(batch)];
            let mut gathered = images.gather(indices);
            if let Some(augmenter) = &mut augmenter {
                let rows = indices.iter().map(|&index| images.row(index));
                augment(augmenter, epoch, rows, S::pixels(&mut gathered));
            }
            (indices.len(), gathered)
        };
        Box::new(Epoch {
            loader: self,
            gathered: Ahead::start(first_batch..cuts.batches, gather),
            run_seed,
            epoch,
            batches: first_batch as u64,
            images: cuts.batch(first_batch).start,
        })
    }

    fn num_items(&self) -> usize {
        self.images.count()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(Self {
            images: self.images.clone(),
            order: self.order.clone(),
            augmenter: self.augmenter.clone(),
            device: device.clone(),
            ..*self
        })
    }

    /// A loader of a part of the images. In training, the part is put into an order of its own.
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(Self {
            images: self.images.part(start..end),
            order: self.order.clone(),
            augmenter: self.augmenter.clone(),
            device: self.device.clone(),
            ..*self
        })
    }
}

/// Where an epoch is cut into batches.
#[derive(Clone, Copy)]
struct Cuts {
    images: usize,
    batches: usize,
}

impl Cuts {
    /// As few batches as a size of at most `batch_size` allows, of sizes that differ by one at most.
    ///
    /// Full batches and a rest would end some epochs with a batch of one image or two. Their gradient
    /// is many times as large as that of others and says little, most of all where batch
    /// normalisation takes its statistics from them.
    fn new(images: usize, batch_size: NonZeroUsize) -> Self {
        Self {
            images,
            batches: images.div_ceil(batch_size.get()),
        }
    }

    /// The places of a batch in the order of the epoch; empty after the last one.
    fn batch(&self, number: usize) -> Range<usize> {
        let cut = |number: usize| self.images * number.min(self.batches) / self.batches.max(1);
        cut(number)..cut(number + 1)
    }
}

/// Changes images, those of `rows` of the file, one after the other in `pixels`.
fn augment(
    augmenter: &mut Augmenter,
    epoch: u64,
    rows: impl ExactSizeIterator<Item = u32>,
    pixels: &mut Vec<u8>,
) {
    let original = std::mem::take(pixels);
    if rows.len() == 0 {
        return;
    }
    pixels.resize(original.len(), 0);
    let area = original.len() / rows.len();
    let images = original
        .chunks_exact(area)
        .zip(pixels.chunks_exact_mut(area));
    for (row, (original, changed)) in rows.zip(images) {
        augmenter.augment_bytes(epoch, row.into(), original, changed);
    }
}

/// One epoch of a loader.
struct Epoch<'a, S: ImageSet> {
    loader: &'a EpochLoader<S>,
    gathered: Ahead<(usize, S::Gathered)>,
    /// In training, what the seeds of batches derive from.
    run_seed: Option<u64>,
    epoch: u64,
    /// Batches and images handed out or left out.
    batches: u64,
    images: usize,
}

impl<S: ImageSet> Iterator for Epoch<'_, S> {
    type Item = Result<S::Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (count, gathered) = match self.gathered.next()? {
            Ok(gathered) => gathered,
            Err(error) => return Some(Err(DatasetError::new(error))),
        };
        let EpochLoader {
            images,
            scaling,
            device,
            ..
        } = self.loader;
        let seed = self.run_seed.map_or(0, |run_seed| {
            seed::number(run_seed, Purpose::Network, self.epoch, self.batches)
        });
        self.batches += 1;
        self.images += count;
        Some(Ok(images.upload(gathered, *scaling, seed, device)))
    }
}

impl<S: ImageSet> DataLoaderIterator<S::Batch> for Epoch<'_, S> {
    fn progress(&self) -> Progress {
        Progress::new(self.images, self.loader.num_items(), Some("items".into()))
    }
}

/// Values made in order on a thread of their own, a few ahead of their use.
struct Ahead<T> {
    /// Taken when the iterator is dropped, which ends the thread.
    values: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
    /// The thread could not be started.
    failure: Option<std::io::Error>,
}

impl<T: Send + 'static> Ahead<T> {
    /// `make(number)` for each of `numbers`.
    fn start(numbers: Range<usize>, mut make: impl FnMut(usize) -> T + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        let started = Builder::new().name("loader".into()).spawn(move || {
            for number in numbers {
                if sender.send(make(number)).is_err() {
                    // The rest of the epoch is not wanted.
                    break;
                }
            }
        });
        let (thread, failure) = match started {
            Ok(thread) => (Some(thread), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            values: Some(receiver),
            thread,
            failure,
        }
    }

    /// Waits for the thread to end, and gives what it panicked with.
    fn join(&mut self) -> Result<(), Box<dyn Any + Send>> {
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl<T: Send + 'static> Iterator for Ahead<T> {
    type Item = Result<T, std::io::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        if let Ok(value) = self.values.as_ref()?.recv() {
            return Some(Ok(value));
        }
        // All values are made, or the thread died; in that case the epoch must not look complete.
        if let Err(panic) = self.join() {
            std::panic::resume_unwind(panic);
        }
        None
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        drop(self.values.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread does not matter any more: its values are not wanted.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
