//! Random numbers that depend on a key and a place alone.
//!
//! The generator has no state: the number at a place is a hash of the key and the place, and so the
//! same on every instruction set, in whatever order and portions the places are visited.

use crate::simd::{Isa, Routine, Simd};

/// The two halves of a 64-bit key, mixed with the upper half of the places that it is for.
#[derive(Clone, Copy, Debug)]
struct Key([i32; 2]);

impl Key {
    /// The key for the places whose upper 32 bits are `upper`. Any two keys will do, also
    /// successive numbers.
    #[inline]
    fn new(key: u64, upper: u32) -> Self {
        let mixed = mix(key ^ mix(u64::from(upper)));
        Self([mixed as i32, (mixed >> 32) as i32])
    }
}

/// The step of SplitMix64 (Steele, Lea and Flood 2014, as in Vigna's public-domain
/// `splitmix64.c`), a bijection.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 32 random bits for each place, given by its lower 32 bits.
///
/// The hash is `triple32` (Wellons, "Prospecting for Hash Functions", 2018; public domain), which
/// by its author's measure of bias is as good as a random permutation. The key enters twice, before
/// the first round and in it, so that the sequences of two keys are not one sequence from two
/// starting points.
#[inline(always)]
fn bits<S: Simd>(s: S, key: Key, place: S::I32) -> S::I32 {
    let [first, second] = key.0;
    let x = s.xor_int(place, s.splat_int(first));
    let x = s.xor_int(x, s.shift_right::<17>(x));
    let x = s.mul_int(x, s.splat_int(0xed5a_d4bb_u32 as i32));
    let x = s.add_int(x, s.splat_int(second));
    let x = s.xor_int(x, s.shift_right::<11>(x));
    let x = s.mul_int(x, s.splat_int(0xac4c_1b51_u32 as i32));
    let x = s.xor_int(x, s.shift_right::<15>(x));
    let x = s.mul_int(x, s.splat_int(0x3184_8bab));
    s.xor_int(x, s.shift_right::<14>(x))
}

/// A random number in [0, 1) for each place, given by its lower 32 bits: a multiple of 2⁻²⁴.
#[inline(always)]
fn uniform<S: Simd>(s: S, key: Key, place: S::I32) -> S::F32 {
    let upper = s.shift_right::<8>(bits(s, key, place));
    s.mul(s.to_float(upper), s.splat(1.0 / (1 << 24) as f32))
}

/// The random numbers of successive places, vector by vector.
pub(crate) struct Uniforms<S: Simd> {
    simd: S,
    key: Key,
    place: S::I32,
}

impl<S: Simd> Uniforms<S> {
    /// From the place `first` on, as far as the upper 32 bits of the place stay the same.
    #[inline(always)]
    pub(crate) fn new(simd: S, key: u64, first: u64) -> Self {
        Self {
            simd,
            key: Key::new(key, (first >> 32) as u32),
            place: simd.add_int(simd.splat_int(first as i32), simd.lane_numbers()),
        }
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> S::F32 {
        let uniform = uniform(self.simd, self.key, self.place);
        let lanes = self.simd.splat_int(S::LANES as i32);
        self.place = self.simd.add_int(self.place, lanes);
        uniform
    }
}

/// How many of `len` places from `first` on have the same upper 32 bits.
pub(crate) fn same_upper(first: u64, len: usize) -> usize {
    let until_next = (1 << 32) - (first & 0xffff_ffff);
    len.min(usize::try_from(until_next).unwrap_or(usize::MAX))
}

/// Random numbers in [0, 1) for the places from `first` on.
pub fn fill_uniform(isa: Isa, key: u64, first: u64, values: &mut [f32]) {
    struct Fill<'a> {
        key: u64,
        first: u64,
        values: &'a mut [f32],
    }
    impl Routine for Fill<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let mut uniforms = Uniforms::new(s, self.key, self.first);
            s.map(
                self.values,
                #[inline(always)]
                |_| uniforms.next(),
            );
        }
    }
    let len = same_upper(first, values.len());
    let (values, rest) = values.split_at_mut(len);
    isa.run(Fill { key, first, values });
    if !rest.is_empty() {
        fill_uniform(isa, key, first.wrapping_add(len as u64), rest);
    }
}

/// Dropout: makes each of `values` zero with probability `rate` and multiplies the others by
/// 1 / (1 − `rate`). Which are made zero depends on `key` and on their places, from `first` on, so
/// that the same call on the gradients is the derivative.
///
/// # Panics
///
/// If `rate` is not between 0 and 1.
pub fn dropout(isa: Isa, key: u64, first: u64, rate: f32, values: &mut [f32]) {
    struct Dropout<'a> {
        key: u64,
        first: u64,
        rate: f32,
        values: &'a mut [f32],
    }
    impl Routine for Dropout<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let rate = s.splat(self.rate);
            let scale = s.splat((1.0 / (1.0 - f64::from(self.rate))) as f32);
            let mut uniforms = Uniforms::new(s, self.key, self.first);
            s.map(
                self.values,
                #[inline(always)]
                |x| {
                    let is_dropped = s.less(uniforms.next(), rate);
                    s.select(is_dropped, s.splat(0.0), s.mul(x, scale))
                },
            );
        }
    }
    assert!((0.0..=1.0).contains(&rate), "dropout rate {rate}");
    let (values, rest) = values.split_at_mut(same_upper(first, values.len()));
    isa.run(Dropout {
        key,
        first,
        rate,
        values,
    });
    if !rest.is_empty() {
        let first = first.wrapping_add(values.len() as u64);
        dropout(isa, key, first, rate, rest);
    }
}
