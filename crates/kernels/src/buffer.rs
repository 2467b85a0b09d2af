//! Memory that is used again.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::{Pod, Zeroable};
#[cfg(all(target_os = "linux", not(miri)))]
use memmap2::{Advice, MmapMut};

use crate::lengths::checked_product;

/// Numbers in memory that the next buffer of about its size takes over when it is dropped.
///
/// A training step needs the same large buffers as the step before. From the system they would
/// come anew each time, page by page, which costs as much as a pass over them. As an owner of
/// bytes ([`AsRef<[u8]>`](AsRef)) a buffer can be the memory of a tensor.
pub struct Buffer<T = f32> {
    memory: Memory,
    len: usize,
    numbers: PhantomData<T>,
}

enum Memory {
    Lines(Vec<Line>),
    /// From the system itself, which is asked for large pages.
    #[cfg(all(target_os = "linux", not(miri)))]
    Pages(MmapMut),
}

/// A cache line, at the start of one.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A free buffer is used for one that is smaller by this factor at most.
const MAX_SIZE_RATIO: usize = 2;

/// The most free buffers that are kept.
const MAX_FREE: usize = 128;

static FREE: Mutex<Free> = Mutex::new(Free(Vec::new()));

/// Free buffers, the one that was freed last at the end.
struct Free(Vec<Memory>);

impl Free {
    /// The smallest that `bytes` fit in, of several the one that was freed last, as it is still in the
    /// cache; if there is none, the one whose place new memory takes, if any, to be dropped.
    fn take(&mut self, bytes: usize) -> Result<Memory, Option<Memory>> {
        let free = self.0.iter().enumerate().rev();
        let best = free
            .clone()
            .filter(|(_, memory)| memory.len() >= bytes && memory.len() / MAX_SIZE_RATIO <= bytes)
            .min_by_key(|(_, memory)| memory.len())
            .map(|(index, _)| index);
        if let Some(index) = best {
            return Ok(self.0.remove(index));
        }
        // In the place of one that is a little too small: where sizes vary, as those of batches
        // do by one image, the largest remain, and not some of every size.
        let too_small = free
            .filter(|(_, memory)| memory.len() < bytes && bytes / MAX_SIZE_RATIO <= memory.len())
            .max_by_key(|(_, memory)| memory.len())
            .map(|(index, _)| index);
        Err(too_small.map(|index| self.0.remove(index)))
    }

    /// Keeps one more, and gives back the oldest, to be dropped, if there are too many.
    fn keep(&mut self, memory: Memory) -> Option<Memory> {
        let oldest = (self.0.len() == MAX_FREE).then(|| self.0.remove(0));
        self.0.push(memory);
        oldest
    }
}

/// The free buffers, for a moment: not while memory goes back to the system, which takes longer.
fn free() -> MutexGuard<'static, Free> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a large page on x86-64, and on aarch64 where others have 4 KB. Miri knows of none.
#[cfg(all(target_os = "linux", not(miri)))]
const LARGE_PAGE: usize = 1 << 21;

impl Memory {
    /// At least `bytes` zeros, in whole lines.
    fn zeroed(bytes: usize) -> Self {
        let lines = bytes.div_ceil(size_of::<Line>());
        // With pages of 4 KB, a pass over many megabytes waits for their addresses.
        #[cfg(all(target_os = "linux", not(miri)))]
        if bytes >= LARGE_PAGE
            && let Ok(pages) = MmapMut::map_anon(lines * size_of::<Line>())
        {
            // Where the system has no large pages, small ones do.
            drop(pages.advise(Advice::HugePage));
            return Self::Pages(pages);
        }
        Self::Lines(vec![Line::zeroed(); lines])
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Lines(lines) => bytemuck::cast_slice(lines),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Pages(pages) => pages,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Lines(lines) => bytemuck::cast_slice_mut(lines),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Pages(pages) => pages,
        }
    }

    fn len(&self) -> usize {
        self.bytes().len()
    }
}

impl<T: Pod> Buffer<T> {
    /// `len` numbers, which may be any.
    ///
    /// # Panics
    ///
    /// If they have more bytes than can be counted.
    pub fn new(len: usize) -> Self {
        let lines = checked_product([len, size_of::<T>()]).div_ceil(size_of::<Line>());
        let bytes = checked_product([lines, size_of::<Line>()]);
        let found = free().take(bytes);
        Self {
            memory: found.unwrap_or_else(|too_small| {
                drop(too_small);
                Memory::zeroed(bytes)
            }),
            len,
            numbers: PhantomData,
        }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::new(len);
        buffer.fill(T::zeroed());
        buffer
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::Lines(Vec::new()));
        if memory.len() == 0 {
            return;
        }
        let oldest = free().keep(memory);
        drop(oldest);
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &bytemuck::cast_slice(self.memory.bytes())[..self.len]
    }
}

impl<T: Pod> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(self.memory.bytes_mut())[..self.len]
    }
}

impl<T: Pod> AsRef<[u8]> for Buffer<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_but_not_for_much_smaller_buffers() {
        // Sizes that no other test asks for, nor makes room for.
        let first = Buffer::<f32>::new(12_345);
        let address = first.as_ptr();
        drop(first);
        assert_ne!(Buffer::<f32>::new(123).as_ptr(), address);
        let again = Buffer::<u8>::zeros(4 * 12_300);
        assert_eq!(again.as_ptr().cast(), address);
        assert_eq!(again.len(), 4 * 12_300);
        assert!(again.iter().all(|&byte| byte == 0));
        assert!(address.addr().is_multiple_of(64));
    }

    #[test]
    fn sizes_that_vary_a_little_share_memory() {
        // So large that the buffers of the other test, which may run meanwhile, are of no use here.
        let len = 30_000_000;
        drop(Buffer::<u8>::new(len - 20_000));
        drop(Buffer::<u8>::new(len));
        let of_these = |memory: &&Memory| (len - 20_000..len + 64).contains(&memory.len());
        assert_eq!(free().0.iter().filter(of_these).count(), 1);
    }

    #[test]
    fn of_equal_ones_that_freed_last_is_taken() {
        let line = size_of::<Line>();
        let mut free = Free(Vec::new());
        let places = [1, 2, 3].map(|_| {
            let memory = Memory::zeroed(line);
            let place = memory.bytes().as_ptr();
            free.keep(memory);
            place
        });
        for place in places.into_iter().rev() {
            assert!(matches!(free.take(line), Ok(memory) if memory.bytes().as_ptr() == place));
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let line = size_of::<Line>();
        let mut free = Free(Vec::new());
        for lines in [1, 10, 100, 1000] {
            assert!(free.keep(Memory::zeroed(lines * line)).is_none());
        }
        assert!(matches!(free.take(line), Ok(memory) if memory.len() == line));
        let evicted: Vec<_> = (0..MAX_FREE)
            .filter_map(|_| free.keep(Memory::zeroed(line)))
            .map(|memory| memory.len() / line)
            .collect();
        assert_eq!(evicted, [10, 100, 1000]);
    }
}
