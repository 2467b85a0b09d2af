//! The threads that compute.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use anyhow::{Result, anyhow};
use rayon::ThreadPoolBuilder;

/// On how many cores this program may compute: on all, or on as many as `RAYON_NUM_THREADS` says.
pub fn cores() -> usize {
    let named = std::env::var("RAYON_NUM_THREADS").ok();
    let named = named.and_then(|number| number.parse().ok());
    named
        .or_else(|| available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}

/// Makes this thread, which trains, one of those of rayon's global pool, on which the kernels compute. To be
/// called once, by the program's first thread, before anything uses rayon.
///
/// Else it hands every layer over to the pool and sleeps meanwhile, and the pool's threads sleep while it does the
/// rest: being woken so often takes a twentieth of a training step.
///
/// # Errors
///
/// If the system does not let the other threads start.
pub fn join_pool() -> Result<()> {
    let threads = cores();
    // Other threads could wait for a pool that is this thread alone, and it for them.
    if threads > 1 {
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .use_current_thread()
            .build_global()
            // Rayon's error says its cause itself.
            .map_err(|error| {
                anyhow!("cannot start {threads} threads to compute with; a smaller RAYON_NUM_THREADS needs fewer: {error}")
            })?;
    }
    Ok(())
}
