//! Vectors of `f32` on whatever instruction set the machine has.
//!
//! A [`Routine`] is written once, over any [`Simd`]; [`Isa::run`] compiles it for each instruction
//! set and calls the one asked for. A value of a `Simd` type is the proof that its instructions are
//! there, so that arithmetic on vectors is safe; loads and stores through pointers are not.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[macro_use]
mod intrinsics;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;

#[cfg(target_arch = "aarch64")]
use neon::Neon;
pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
use x86::{Avx2, Avx512};

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// What the compiler takes for granted; correct everywhere.
    Portable,
    /// AVX2 and FMA: 8 lanes, 16 registers.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 lanes, 32 registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON: 4 lanes, 32 registers; every aarch64 processor has it.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// A computation over vectors of any width.
///
/// `run` and all that it calls with vectors must be `#[inline(always)]`: only what is inlined is
/// compiled for the instruction set.
pub trait Routine {
    /// What it gives back.
    type Output;

    /// Computes with the vectors of `simd`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

impl Isa {
    /// The instruction sets of this machine, the slowest first.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut available = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if Avx2::detect().is_some() {
                available.push(Self::Avx2);
            }
            if Avx512::detect().is_some() {
                available.push(Self::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        available.push(Self::Neon);
        available
    }

    /// The fastest instruction set of this machine.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if Avx512::detect().is_some() {
                return Self::Avx512;
            }
            if Avx2::detect().is_some() {
                return Self::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        let undetected = Self::Neon;
        #[cfg(not(target_arch = "aarch64"))]
        let undetected = Self::Portable;
        undetected
    }

    /// Runs `routine` with this instruction set, or with the portable one where the machine lacks
    /// it.
    #[inline]
    pub fn run<R: Routine>(self, routine: R) -> R::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                if let Some(simd) = Avx512::detect() {
                    return simd.run(routine);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                if let Some(simd) = Avx2::detect() {
                    return simd.run(routine);
                }
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => return routine.run(Neon),
            Self::Portable => {}
        }
        routine.run(Portable)
    }

    /// Number of `f32` in a vector of those that [`run`](Self::run) computes with.
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl Routine for Lanes {
            type Output = usize;
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                S::LANES
            }
        }
        self.run(Lanes)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        })
    }
}

/// A vector's place in a row of numbers: all lanes, or only the first few at the end of the row.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Where it begins.
    pub at: usize,
    /// How many lanes are in the row, if not all.
    part: Option<usize>,
}

impl Place {
    /// Panics unless the place, of a vector with `lanes`, lies in a row of `len` numbers.
    #[inline(always)]
    pub(crate) fn check(self, len: usize, lanes: usize) {
        assert!(self.at <= len && self.part.unwrap_or(lanes) <= len - self.at);
    }
}

/// Calls `f` for all vectors of a row of `len` numbers, in order.
#[inline(always)]
pub(crate) fn for_each_place<S: Simd>(_: S, len: usize, mut f: impl FnMut(Place)) {
    let whole = len - len % S::LANES;
    for at in (0..whole).step_by(S::LANES) {
        f(Place { at, part: None });
    }
    if whole < len {
        f(Place {
            at: whole,
            part: Some(len - whole),
        });
    }
}

/// What is done with each vector of a row of numbers, be it a whole one or a half; see
/// [`visit_places`].
pub(crate) trait PlaceVisitor {
    /// Does it at `place`, with the vectors of `simd`, and panics if a slice is too short for that:
    /// pointers rely on it here, whoever calls. To be `#[inline(always)]`, as a [`Routine`].
    fn visit<S: Simd>(&mut self, simd: S, place: Place);
}

/// Calls `visitor` for all vectors of a row of `len` numbers, in order; for the last one with half a
/// vector where that is enough, and takes half the time.
#[inline(always)]
pub(crate) fn visit_places<S: Simd>(simd: S, len: usize, visitor: &mut impl PlaceVisitor) {
    let rest = len % S::LANES;
    let whole = len - rest;
    for at in (0..whole).step_by(S::LANES) {
        visitor.visit(simd, Place { at, part: None });
    }
    if rest > 0 {
        let half = <S::Half as Simd>::LANES;
        let place = |lanes| Place {
            at: whole,
            part: (rest < lanes).then_some(rest),
        };
        if S::HAS_HALF && rest <= half {
            visitor.visit(simd.half(), place(half));
        } else {
            visitor.visit(simd, place(S::LANES));
        }
    }
}

/// 1.5 · 2²³. Numbers between 2²³ and 2²⁴ have a spacing of 1, so that adding this rounds to an
/// integer, which the low bits of the sum then hold.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// What is added to an exponent for [`Simd::scale`]: the low bits of the sum are not negative.
pub const TO_SCALE: f32 = ROUNDER + 254.0;

/// No vector has more lanes.
const MAX_LANES: usize = 16;

mod sealed {
    /// Keeps vectors of others out: `unsafe` code relies on what [`Simd`](super::Simd) says of its
    /// vectors.
    pub trait Sealed {}
}

/// The vectors of an instruction set: `LANES` numbers of 32 bits each. Only this crate has some.
pub trait Simd: sealed::Sealed + Copy + Send + Sync + 'static {
    /// Numbers in a vector.
    const LANES: usize;
    /// Vector registers, which the size of a register tile follows from.
    const REGISTERS: usize;
    /// A vector of `f32`.
    type F32: Copy;
    /// A vector of `i32`.
    type I32: Copy;
    /// A truth value for every lane.
    type Mask: Copy;
    /// Vectors of half as many numbers, where they take half the time.
    type Half: Simd;
    /// Whether there are such.
    const HAS_HALF: bool = false;
    /// Whether [`mul_add`](Self::mul_add) rounds once.
    const FUSED: bool = true;

    /// The vectors of half as many numbers.
    fn half(self) -> Self::Half;
    /// The first half of a vector; all of it where there are no halves.
    fn first_half(self, a: Self::F32) -> <Self::Half as Simd>::F32;

    /// `x` in all lanes.
    fn splat(self, x: f32) -> Self::F32;
    /// `LANES` numbers at `from`.
    ///
    /// # Safety
    ///
    /// They must be readable.
    unsafe fn load(self, from: *const f32) -> Self::F32;
    /// Stores `LANES` numbers at `to`.
    ///
    /// # Safety
    ///
    /// They must be writable.
    unsafe fn store(self, to: *mut f32, x: Self::F32);
    /// The first `count` ≤ `LANES` numbers at `from`, then zeros.
    ///
    /// # Safety
    ///
    /// Those `count` must be readable.
    unsafe fn load_first(self, from: *const f32, count: usize) -> Self::F32;
    /// Stores the first `count` ≤ `LANES` numbers at `to`.
    ///
    /// # Safety
    ///
    /// Those `count` must be writable.
    unsafe fn store_first(self, to: *mut f32, count: usize, x: Self::F32);

    /// The numbers at a place of the row `from`, then zeros.
    ///
    /// # Safety
    ///
    /// They must be readable.
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32, place: Place) -> Self::F32 {
        // SAFETY: the caller's.
        unsafe {
            match place.part {
                None => self.load(from.add(place.at)),
                Some(count) => self.load_first(from.add(place.at), count),
            }
        }
    }
    /// Stores the numbers at a place of the row `to`.
    ///
    /// # Safety
    ///
    /// They must be writable.
    #[inline(always)]
    unsafe fn store_at(self, to: *mut f32, place: Place, x: Self::F32) {
        // SAFETY: the caller's.
        unsafe {
            match place.part {
                None => self.store(to.add(place.at), x),
                Some(count) => self.store_first(to.add(place.at), count, x),
            }
        }
    }

    /// a + b.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a − b.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a · b.
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a / b.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a · b + c; rounded once if [`FUSED`](Self::FUSED), else twice.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// The smaller; b where one of them is NaN.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The larger; b where they are equal or one of them is NaN.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// √a.
    fn sqrt(self, a: Self::F32) -> Self::F32;
    /// |a|.
    fn abs(self, a: Self::F32) -> Self::F32;
    /// −a.
    fn neg(self, a: Self::F32) -> Self::F32;
    /// |a| with the sign of b.
    fn copy_sign(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// (1 + p) · 2ⁿ, for |p| ≤ ½ and an integer n of −250 to 250 that is given as n + [`TO_SCALE`].
    #[inline(always)]
    fn scale(self, p: Self::F32, shifted: Self::F32) -> Self::F32 {
        // The product of two powers, because 2ⁿ may be no normal number. Bits above those of
        // n + 254 are shifted out.
        let bits = self.to_bits(shifted);
        let half = self.shift_right::<1>(bits);
        let other_half = self.sub_int(bits, half);
        let half = self.with_bits(self.shift_left::<23>(half));
        let other_half = self.with_bits(self.shift_left::<23>(other_half));
        self.mul(self.mul_add(half, p, half), other_half)
    }

    /// a < b; false where one of them is NaN.
    fn less(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// a ≤ b; false where one of them is NaN.
    fn less_equal(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// a is NaN.
    fn is_nan(self, a: Self::F32) -> Self::Mask;
    /// a or b is NaN.
    fn unordered(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// a and b.
    fn and(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// a or b.
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// True in some lane.
    fn any(self, a: Self::Mask) -> bool;
    /// a where `mask`, else b.
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `x` in all lanes.
    fn splat_int(self, x: i32) -> Self::I32;
    /// The bits of a float.
    fn to_bits(self, a: Self::F32) -> Self::I32;
    /// The float with these bits.
    fn with_bits(self, a: Self::I32) -> Self::F32;
    /// The nearest integer, the even one of two; for |a| < 2³¹.
    fn to_int(self, a: Self::F32) -> Self::I32;
    /// The nearest float.
    fn to_float(self, a: Self::I32) -> Self::F32;
    /// a + b, modulo 2³².
    fn add_int(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// a − b, modulo 2³².
    fn sub_int(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// a · b, modulo 2³².
    fn mul_int(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// a and b, bit by bit.
    fn and_int(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Either a or b, bit by bit.
    fn xor_int(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// a · 2ᴺ, modulo 2³².
    fn shift_left<const N: i32>(self, a: Self::I32) -> Self::I32;
    /// The bits of a moved down by N, zeros above.
    fn shift_right<const N: i32>(self, a: Self::I32) -> Self::I32;
    /// a = b.
    fn equal_int(self, a: Self::I32, b: Self::I32) -> Self::Mask;
    /// 0, 1, 2, …
    fn lane_numbers(self) -> Self::I32;
    /// Stores the lowest byte of the first `count` ≤ `LANES` lanes at `to`.
    ///
    /// # Safety
    ///
    /// Those `count` bytes must be writable.
    unsafe fn store_bytes(self, to: *mut u8, count: usize, a: Self::I32);
    /// `count` ≤ `LANES` bytes at `from`, one to a lane, then zeros.
    ///
    /// # Safety
    ///
    /// Those `count` bytes must be readable.
    unsafe fn load_bytes(self, from: *const u8, count: usize) -> Self::I32;

    /// Stores the lowest bytes of the lanes at a place of the row `to`.
    ///
    /// # Safety
    ///
    /// Those bytes must be writable.
    #[inline(always)]
    unsafe fn store_bytes_at(self, to: *mut u8, place: Place, a: Self::I32) {
        // SAFETY: the caller's.
        unsafe { self.store_bytes(to.add(place.at), place.part.unwrap_or(Self::LANES), a) }
    }
    /// The bytes at a place of the row `from`, one to a lane, then zeros.
    ///
    /// # Safety
    ///
    /// Those bytes must be readable.
    #[inline(always)]
    unsafe fn load_bytes_at(self, from: *const u8, place: Place) -> Self::I32 {
        // SAFETY: the caller's.
        unsafe { self.load_bytes(from.add(place.at), place.part.unwrap_or(Self::LANES)) }
    }

    /// The sum of all lanes, in a fixed order.
    fn sum(self, a: Self::F32) -> f32;

    /// Replaces every number of `values` by `f` of it, from the first vector to the last. What `f`
    /// gives for the zeros that fill up the last vector is dropped.
    #[inline(always)]
    fn map(self, values: &mut [f32], mut f: impl FnMut(Self::F32) -> Self::F32) {
        let mut vectors = values.chunks_exact_mut(Self::LANES);
        for vector in &mut vectors {
            // SAFETY: `vector` has `LANES` numbers.
            unsafe { self.store(vector.as_mut_ptr(), f(self.load(vector.as_ptr()))) };
        }
        let rest = vectors.into_remainder();
        if !rest.is_empty() {
            // SAFETY: as many as `rest` has.
            unsafe {
                let x = f(self.load_first(rest.as_ptr(), rest.len()));
                self.store_first(rest.as_mut_ptr(), rest.len(), x);
            }
        }
    }

    /// Replaces every number of `values` by `f` of it and the number of `others` in its place, from
    /// the first vector to the last.
    ///
    /// # Panics
    ///
    /// If `others` has another length.
    #[inline(always)]
    fn zip_map(
        self,
        values: &mut [f32],
        others: &[f32],
        mut f: impl FnMut(Self::F32, Self::F32) -> Self::F32,
    ) {
        assert_eq!(values.len(), others.len());
        let mut vectors = values.chunks_exact_mut(Self::LANES);
        let mut other_vectors = others.chunks_exact(Self::LANES);
        for (vector, other) in (&mut vectors).zip(&mut other_vectors) {
            // SAFETY: both have `LANES` numbers.
            unsafe {
                let x = f(self.load(vector.as_ptr()), self.load(other.as_ptr()));
                self.store(vector.as_mut_ptr(), x);
            }
        }
        let rest = vectors.into_remainder();
        if !rest.is_empty() {
            // SAFETY: the rest of `others` is as long as that of `values`.
            unsafe {
                let x = self.load_first(rest.as_ptr(), rest.len());
                let other = self.load_first(other_vectors.remainder().as_ptr(), rest.len());
                self.store_first(rest.as_mut_ptr(), rest.len(), f(x, other));
            }
        }
    }

    /// Calls `f` with every number of `a` and the number of `b` in its place, from the first vector
    /// to the last, which zeros fill up.
    ///
    /// # Panics
    ///
    /// If `b` has another length.
    #[inline(always)]
    fn zip_for_each(self, a: &[f32], b: &[f32], mut f: impl FnMut(Self::F32, Self::F32)) {
        assert_eq!(a.len(), b.len());
        let mut a_vectors = a.chunks_exact(Self::LANES);
        let mut b_vectors = b.chunks_exact(Self::LANES);
        for (a, b) in (&mut a_vectors).zip(&mut b_vectors) {
            // SAFETY: both have `LANES` numbers.
            unsafe { f(self.load(a.as_ptr()), self.load(b.as_ptr())) };
        }
        let (a, b) = (a_vectors.remainder(), b_vectors.remainder());
        if !a.is_empty() {
            // SAFETY: the rest of `b` is as long as that of `a`.
            unsafe {
                let x = self.load_first(a.as_ptr(), a.len());
                f(x, self.load_first(b.as_ptr(), a.len()));
            }
        }
    }

    /// `f` of every lane, one after the other: for the few numbers that vectors are no good for.
    #[inline(always)]
    fn map_lanes(self, a: Self::F32, f: impl Fn(f32) -> f32) -> Self::F32 {
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: no vector has more lanes than `lanes` numbers.
        unsafe { self.store(lanes.as_mut_ptr(), a) };
        for lane in &mut lanes[..Self::LANES] {
            *lane = f(*lane);
        }
        // SAFETY: as above.
        unsafe { self.load(lanes.as_ptr()) }
    }
}
