//! The threads that compute.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use rayon::ThreadPoolBuilder;

/// On how many cores this program may compute: on all, or on as many as `RAYON_NUM_THREADS` says.
pub fn cores() -> usize {
    let named = std::env::var("RAYON_NUM_THREADS").ok();
    let named = named.and_then(|number| number.parse().ok());
    named
        .or_else(|| available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}

/// Makes this thread, which trains, one of those of rayon's pool, on which the kernels compute.
///
/// Else it hands every layer over to them and sleeps meanwhile, and they sleep while it does the rest:
/// being woken so often takes a twentieth of a training step.
pub fn join_pool() {
    // Other threads can wait for a pool, and this one for them: where it is the whole pool, for ever.
    if cores() > 1 {
        // Where there is a pool already, that one does.
        drop(ThreadPoolBuilder::new().use_current_thread().build_global());
    }
}
