//! NEON.

use std::arch::aarch64::*;

use super::Simd;
use super::sealed::Sealed;

/// NEON, which all processors that this is compiled for have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neon;

// A target that goes without it could not run the methods below.
const _: () = assert!(cfg!(target_feature = "neon"));

impl Sealed for Neon {}

impl Simd for Neon {
    const LANES: usize = 4;
    const REGISTERS: usize = 32;
    type F32 = float32x4_t;
    type I32 = int32x4_t;
    type Mask = uint32x4_t;
    type Half = Self;

    #[inline(always)]
    fn half(self) -> Self {
        self
    }
    #[inline(always)]
    fn first_half(self, a: float32x4_t) -> float32x4_t {
        a
    }

    memory! {
        fn load(from: *const f32) -> float32x4_t = vld1q_f32(from);
        fn store(to: *mut f32, x: float32x4_t) = vst1q_f32(to, x);
        fn load_first(from: *const f32, count: usize) -> float32x4_t = {
            let zeros = vdup_n_f32(0.0);
            match count {
                0 => vcombine_f32(zeros, zeros),
                1 => vcombine_f32(vld1_lane_f32::<0>(from, zeros), zeros),
                2 => vcombine_f32(vld1_f32(from), zeros),
                3 => vcombine_f32(vld1_f32(from), vld1_lane_f32::<0>(from.add(2), zeros)),
                _ => vld1q_f32(from),
            }
        };
        fn store_first(to: *mut f32, count: usize, x: float32x4_t) = match count {
            0 => {}
            1 => vst1q_lane_f32::<0>(to, x),
            2 => vst1_f32(to, vget_low_f32(x)),
            3 => {
                vst1_f32(to, vget_low_f32(x));
                vst1q_lane_f32::<2>(to.add(2), x);
            }
            _ => vst1q_f32(to, x),
        };
        fn store_bytes(to: *mut u8, count: usize, a: int32x4_t) = {
            let halves = vmovn_u32(vreinterpretq_u32_s32(a));
            let mut bytes = [0u8; 8];
            vst1_u8(bytes.as_mut_ptr(), vmovn_u16(vcombine_u16(halves, halves)));
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count);
        };
        fn load_bytes(from: *const u8, count: usize) -> int32x4_t = {
            let mut bytes = [0u8; 8];
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count);
            let halves = vget_low_u16(vmovl_u8(vld1_u8(bytes.as_ptr())));
            vreinterpretq_s32_u32(vmovl_u16(halves))
        };
    }

    intrinsics! {
        fn splat(x: f32) -> float32x4_t = vdupq_n_f32(x);
        fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t = vaddq_f32(a, b);
        fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t = vsubq_f32(a, b);
        fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmulq_f32(a, b);
        fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t = vdivq_f32(a, b);
        fn mul_add(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t =
            vfmaq_f32(c, a, b);
        // NEON's own give NaN, whichever of the two it is.
        fn min(a: float32x4_t, b: float32x4_t) -> float32x4_t = vbslq_f32(vcltq_f32(a, b), a, b);
        fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t = vbslq_f32(vcgtq_f32(a, b), a, b);
        fn sqrt(a: float32x4_t) -> float32x4_t = vsqrtq_f32(a);
        fn abs(a: float32x4_t) -> float32x4_t = vabsq_f32(a);
        fn neg(a: float32x4_t) -> float32x4_t = vnegq_f32(a);
        fn copy_sign(a: float32x4_t, b: float32x4_t) -> float32x4_t =
            vbslq_f32(vdupq_n_u32(1 << 31), b, a);
        fn less(a: float32x4_t, b: float32x4_t) -> uint32x4_t = vcltq_f32(a, b);
        fn less_equal(a: float32x4_t, b: float32x4_t) -> uint32x4_t = vcleq_f32(a, b);
        fn is_nan(a: float32x4_t) -> uint32x4_t = vmvnq_u32(vceqq_f32(a, a));
        fn unordered(a: float32x4_t, b: float32x4_t) -> uint32x4_t =
            vmvnq_u32(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b)));
        fn and(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t = vandq_u32(a, b);
        fn or(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t = vorrq_u32(a, b);
        fn any(a: uint32x4_t) -> bool = vmaxvq_u32(a) != 0;
        fn select(mask: uint32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t =
            vbslq_f32(mask, a, b);
        fn splat_int(x: i32) -> int32x4_t = vdupq_n_s32(x);
        fn to_bits(a: float32x4_t) -> int32x4_t = vreinterpretq_s32_f32(a);
        fn with_bits(a: int32x4_t) -> float32x4_t = vreinterpretq_f32_s32(a);
        fn to_int(a: float32x4_t) -> int32x4_t = vcvtnq_s32_f32(a);
        fn to_float(a: int32x4_t) -> float32x4_t = vcvtq_f32_s32(a);
        fn add_int(a: int32x4_t, b: int32x4_t) -> int32x4_t = vaddq_s32(a, b);
        fn sub_int(a: int32x4_t, b: int32x4_t) -> int32x4_t = vsubq_s32(a, b);
        fn mul_int(a: int32x4_t, b: int32x4_t) -> int32x4_t = vmulq_s32(a, b);
        fn and_int(a: int32x4_t, b: int32x4_t) -> int32x4_t = vandq_s32(a, b);
        fn xor_int(a: int32x4_t, b: int32x4_t) -> int32x4_t = veorq_s32(a, b);
        fn shift_left<const N: i32>(a: int32x4_t) -> int32x4_t = vshlq_n_s32::<N>(a);
        fn shift_right<const N: i32>(a: int32x4_t) -> int32x4_t =
            vreinterpretq_s32_u32(vshrq_n_u32::<N>(vreinterpretq_u32_s32(a)));
        fn equal_int(a: int32x4_t, b: int32x4_t) -> uint32x4_t = vceqq_s32(a, b);
        fn lane_numbers() -> int32x4_t = vld1q_s32([0, 1, 2, 3].as_ptr());
        // `vaddvq_f32` leaves the order open.
        fn sum(a: float32x4_t) -> f32 = vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)));
    }
}
