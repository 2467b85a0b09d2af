//! The time of a kernel beside that in which the machine could do as much, on one thread.
//!
//! Both are taken in turn, and medians of times and of their ratios count: a shared machine slows
//! both down alike, and an interruption hits few of many samples.

#![allow(dead_code, reason = "no bench uses all of it")]

use std::hint::black_box;
use std::time::Instant;

use kernels::buffer::Buffer;
use kernels::simd::{Isa, Routine, Simd};

/// Samples of a kernel: at least the fewest, then until there are the most or these seconds are over.
const MIN_SAMPLES: usize = 21;
const MAX_SAMPLES: usize = 401;
const SECONDS: f64 = 0.5;

/// Seconds that short work is repeated for in a sample.
const SAMPLE_SECONDS: f64 = 0.000_5;

/// Numbers that are copied within the second-level cache, and beyond all caches (32 MB).
pub const CACHED: usize = 1 << 14;
pub const LARGE: usize = 16 << 20;

/// What bounds a kernel's speed.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Multiplications and additions, at their rate in registers.
    Operations(f64),
    /// Bytes read and written, at the rate of a copy in the second-level cache.
    CachedBytes(f64),
    /// Bytes read and written, at the rate of a copy beyond the caches.
    Bytes(f64),
}

/// Medians of a kernel's samples.
pub struct Measured {
    /// Seconds that it takes.
    pub seconds: f64,
    /// The time in which the machine could do as much, over that.
    pub share: f64,
}

/// What kernels are compared with.
pub struct Machine {
    /// The instruction set in use.
    pub isa: Isa,
    /// Operations a second in registers.
    pub peak: f64,
    /// Bytes a second, read and written, of a copy in the second-level cache.
    pub cached_bandwidth: f64,
    /// Of a copy beyond the caches.
    pub bandwidth: f64,
    cached: Copy,
    large: Copy,
}

impl Machine {
    /// This machine, on `isa`.
    pub fn new(isa: Isa) -> Self {
        let mut machine = Self {
            isa,
            peak: 0.0,
            cached_bandwidth: 0.0,
            bandwidth: 0.0,
            cached: Copy::new(CACHED),
            large: Copy::new(LARGE),
        };
        let mut rate = |bound: fn(f64) -> Bound| {
            let of_one = (0..MAX_SAMPLES / 4).map(|_| machine.seconds_for(bound(1.0)));
            1.0 / median(of_one.collect())
        };
        let rates = [Bound::Operations, Bound::CachedBytes, Bound::Bytes].map(&mut rate);
        [machine.peak, machine.cached_bandwidth, machine.bandwidth] = rates;
        machine
    }

    /// The first line of a bench.
    pub fn describe(&self) -> String {
        format!(
            "{}, one thread: {:.0} GFLOP/s in registers; a copy reads and writes {:.0} GB/s in the \
             second-level cache and {:.1} GB/s beyond the caches.",
            self.isa,
            self.peak / 1e9,
            self.cached_bandwidth / 1e9,
            self.bandwidth / 1e9
        )
    }

    /// Operations or bytes, whichever takes the machine longer.
    pub fn slower(&self, operations: f64, bytes: f64) -> Bound {
        if operations / self.peak > bytes / self.bandwidth {
            Bound::Operations(operations)
        } else {
            Bound::Bytes(bytes)
        }
    }

    /// Measures what `sample` returns the seconds of.
    pub fn measure(&mut self, bound: Bound, mut sample: impl FnMut() -> f64) -> Measured {
        sample();
        let (mut times, mut shares) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while times.len() < MIN_SAMPLES
            || times.len() < MAX_SAMPLES && start.elapsed().as_secs_f64() < SECONDS
        {
            let ideal = self.seconds_for(bound);
            let seconds = sample();
            times.push(seconds);
            shares.push(ideal / seconds);
        }
        Measured {
            seconds: median(times),
            share: median(shares),
        }
    }

    /// Measures `work`, which can be repeated as it is.
    pub fn measure_repeated(&mut self, bound: Bound, mut work: impl FnMut()) -> Measured {
        work();
        let once = seconds(&mut work);
        let times = (SAMPLE_SECONDS / once).ceil().clamp(1.0, 1e6);
        self.measure(bound, || {
            seconds(|| (0..times as usize).for_each(|_| work())) / times
        })
    }

    /// Seconds that the machine takes for it now.
    fn seconds_for(&mut self, bound: Bound) -> f64 {
        const ROUNDS: usize = 10_000;
        match bound {
            Bound::Operations(operations) => {
                let in_rounds = (2 * SUMS * ROUNDS * self.isa.lanes()) as f64;
                let seconds = seconds(|| {
                    black_box(self.isa.run(MultiplyAdd(ROUNDS)));
                });
                seconds * operations / in_rounds
            }
            Bound::CachedBytes(bytes) => {
                self.cached.seconds();
                self.cached.seconds() * bytes / (8 * CACHED) as f64
            }
            Bound::Bytes(bytes) => self.large.seconds() * bytes / (8 * LARGE) as f64,
        }
    }
}

impl Measured {
    /// Time for each of `parts`, in units of `unit` seconds, and the share, as two cells of a table.
    pub fn cells(&self, parts: usize, unit: f64, digits: usize) -> String {
        format!(
            "{:.digits$} | {:.0} %",
            self.seconds / parts as f64 / unit,
            100.0 * self.share
        )
    }
}

/// Prints the head of a table: a first column of names and other columns of numbers.
pub fn print_head(columns: &[&str]) {
    println!("\n| {} |", columns.join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len() - 1));
}

/// Seconds that `work` takes once.
pub fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs `work` where the kernels have one thread.
pub fn on_one_thread(work: impl FnOnce() + Send) {
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(work),
        Err(error) => panic!("no thread to measure on: {error}"),
    }
}

/// Prints a table for each instruction set that the arguments name, or for the fastest, on one thread.
pub fn print_tables(print_table: fn(&mut Machine)) {
    let mut isas = Isa::available();
    isas.retain(|isa| std::env::args().any(|argument| argument == isa.to_string()));
    if isas.is_empty() {
        isas.push(Isa::best());
    }
    on_one_thread(|| {
        for isa in isas {
            let mut machine = Machine::new(isa);
            println!("{}", machine.describe());
            print_table(&mut machine);
        }
    });
}

/// Both in memory of the kernels' kind, with large pages where there are any.
struct Copy {
    from: Buffer,
    to: Buffer,
}

impl Copy {
    fn new(len: usize) -> Self {
        Self {
            from: Buffer::zeros(len),
            to: Buffer::zeros(len),
        }
    }

    fn seconds(&mut self) -> f64 {
        seconds(|| {
            self.to.copy_from_slice(black_box(&self.from[..]));
            black_box(&mut self.to[..]);
        })
    }
}

/// Independent sums, more than are in flight at once.
const SUMS: usize = 12;

/// Multiplies and adds in registers, so many times for each sum.
struct MultiplyAdd(usize);

impl Routine for MultiplyAdd {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat(0.0); SUMS];
        let factor = simd.splat(black_box(0.999));
        let other = simd.splat(black_box(0.5));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add(*sum, factor, other);
            }
        }
        sums.into_iter().map(|sum| simd.sum(sum)).sum()
    }
}
