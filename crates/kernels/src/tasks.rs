//! Work on the threads of rayon's pool.
//!
//! A thread that is not the pool's hands work to it and sleeps until it is done. With many short
//! tasks that takes a noticeable share of the time, so that it is done as seldom as possible. A program's own thread
//! had better be one of the pool's (`use_current_thread`), as the trainer's is.

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;

/// Calls `task` with every item, on all threads of the pool. A pool of one thread is left alone: the
/// caller does it all.
pub(crate) fn for_each<I: IndexedParallelIterator>(items: I, task: impl Fn(I::Item) + Send + Sync) {
    if rayon::current_num_threads() == 1 {
        items.with_producer(OneByOne(task));
    } else {
        // A thread that has nothing left to do can take any item that is not begun.
        items.with_max_len(1).for_each(task);
    }
}

/// What `task` makes of every item, in their order, as [`for_each`].
pub(crate) fn map<I: IndexedParallelIterator, R: Send>(
    items: I,
    task: impl Fn(I::Item) -> R + Send + Sync,
) -> Vec<R> {
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(items.len(), || None);
    for_each(items.zip(&mut results), |(item, result)| {
        *result = Some(task(item))
    });
    results.into_iter().flatten().collect()
}

/// `work`, which calls [`for_each`] more than once, with one visit to the pool.
pub(crate) fn together<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_num_threads() == 1 {
        work()
    } else {
        rayon::scope(|_| work())
    }
}

struct OneByOne<F>(F);

impl<T, F: Fn(T)> ProducerCallback<T> for OneByOne<F> {
    type Output = ();

    fn callback<P: Producer<Item = T>>(self, producer: P) {
        producer.into_iter().for_each(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_items() {
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let squares =
                pool.install(|| together(|| map((0..100_usize).into_par_iter(), |i| i * i)));
            assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
        }
    }
}
