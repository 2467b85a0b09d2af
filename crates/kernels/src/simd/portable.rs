//! Vectors as arrays, for any machine.

use std::array::from_fn;

use super::Simd;
use super::sealed::Sealed;

const LANES: usize = 8;

/// What the compiler takes for granted.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

type F32 = [f32; LANES];
type I32 = [i32; LANES];
type Mask = [bool; LANES];

#[inline(always)]
fn map<A: Copy, B>(a: [A; LANES], f: impl Fn(A) -> B) -> [B; LANES] {
    from_fn(|lane| f(a[lane]))
}

#[inline(always)]
fn zip<A: Copy, B: Copy, C>(a: [A; LANES], b: [B; LANES], f: impl Fn(A, B) -> C) -> [C; LANES] {
    from_fn(|lane| f(a[lane], b[lane]))
}

impl Sealed for Portable {}

impl Simd for Portable {
    const LANES: usize = LANES;
    // Two registers of four numbers for each vector.
    const REGISTERS: usize = 8;
    type F32 = F32;
    type I32 = I32;
    type Mask = Mask;
    type Half = Self;
    const FUSED: bool = false;

    #[inline(always)]
    fn half(self) -> Self {
        self
    }
    #[inline(always)]
    fn first_half(self, a: F32) -> F32 {
        a
    }
    #[inline(always)]
    fn splat(self, x: f32) -> F32 {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> F32 {
        // SAFETY: the caller's; an array of `f32` needs no more alignment than one, and
        // `read_unaligned` none at all.
        unsafe { from.cast::<F32>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: F32) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<F32>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> F32 {
        from_fn(|lane| {
            if lane < count {
                // SAFETY: within the caller's `count`.
                unsafe { *from.add(lane) }
            } else {
                0.0
            }
        })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize, x: F32) {
        for (lane, &x) in x.iter().take(count).enumerate() {
            // SAFETY: within the caller's `count`.
            unsafe { *to.add(lane) = x };
        }
    }

    #[inline(always)]
    fn add(self, a: F32, b: F32) -> F32 {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: F32, b: F32) -> F32 {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: F32, b: F32) -> F32 {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: F32, b: F32) -> F32 {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: F32, b: F32, c: F32) -> F32 {
        // `f32::mul_add` is a function call where the processor lacks the instruction.
        from_fn(|lane| a[lane] * b[lane] + c[lane])
    }
    #[inline(always)]
    fn min(self, a: F32, b: F32) -> F32 {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: F32, b: F32) -> F32 {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self, a: F32) -> F32 {
        map(a, f32::sqrt)
    }
    #[inline(always)]
    fn abs(self, a: F32) -> F32 {
        map(a, f32::abs)
    }
    #[inline(always)]
    fn neg(self, a: F32) -> F32 {
        map(a, |a| -a)
    }
    #[inline(always)]
    fn copy_sign(self, a: F32, b: F32) -> F32 {
        zip(a, b, f32::copysign)
    }

    #[inline(always)]
    fn less(self, a: F32, b: F32) -> Mask {
        zip(a, b, |a, b| a < b)
    }
    #[inline(always)]
    fn less_equal(self, a: F32, b: F32) -> Mask {
        zip(a, b, |a, b| a <= b)
    }
    #[inline(always)]
    fn is_nan(self, a: F32) -> Mask {
        map(a, f32::is_nan)
    }
    #[inline(always)]
    fn unordered(self, a: F32, b: F32) -> Mask {
        zip(a, b, |a, b| a.is_nan() || b.is_nan())
    }
    #[inline(always)]
    fn and(self, a: Mask, b: Mask) -> Mask {
        zip(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: Mask, b: Mask) -> Mask {
        zip(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn any(self, a: Mask) -> bool {
        a.contains(&true)
    }
    #[inline(always)]
    fn select(self, mask: Mask, a: F32, b: F32) -> F32 {
        from_fn(|lane| if mask[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn splat_int(self, x: i32) -> I32 {
        [x; LANES]
    }
    #[inline(always)]
    fn to_bits(self, a: F32) -> I32 {
        map(a, |a| a.to_bits() as i32)
    }
    #[inline(always)]
    fn with_bits(self, a: I32) -> F32 {
        map(a, |a| f32::from_bits(a as u32))
    }
    #[inline(always)]
    fn to_int(self, a: F32) -> I32 {
        map(a, |a| a.round_ties_even() as i32)
    }
    #[inline(always)]
    fn to_float(self, a: I32) -> F32 {
        map(a, |a| a as f32)
    }
    #[inline(always)]
    fn add_int(self, a: I32, b: I32) -> I32 {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    fn sub_int(self, a: I32, b: I32) -> I32 {
        zip(a, b, i32::wrapping_sub)
    }
    #[inline(always)]
    fn mul_int(self, a: I32, b: I32) -> I32 {
        zip(a, b, i32::wrapping_mul)
    }
    #[inline(always)]
    fn and_int(self, a: I32, b: I32) -> I32 {
        zip(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn xor_int(self, a: I32, b: I32) -> I32 {
        zip(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn shift_left<const N: i32>(self, a: I32) -> I32 {
        map(a, |a| a << N)
    }
    #[inline(always)]
    fn shift_right<const N: i32>(self, a: I32) -> I32 {
        map(a, |a| ((a as u32) >> N) as i32)
    }
    #[inline(always)]
    fn equal_int(self, a: I32, b: I32) -> Mask {
        zip(a, b, |a, b| a == b)
    }
    #[inline(always)]
    fn lane_numbers(self) -> I32 {
        from_fn(|lane| lane as i32)
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, count: usize, a: I32) {
        for (lane, &a) in a.iter().take(count).enumerate() {
            // SAFETY: within the caller's `count`.
            unsafe { *to.add(lane) = a as u8 };
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8, count: usize) -> I32 {
        from_fn(|lane| {
            if lane < count {
                // SAFETY: within the caller's `count`.
                unsafe { *from.add(lane) }.into()
            } else {
                0
            }
        })
    }

    #[inline(always)]
    fn sum(self, a: F32) -> f32 {
        let [a, b, c, d, e, f, g, h] = a;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}
