//! AVX2 and AVX-512.
//!
//! Values of [`Avx2`] and [`Avx512`] are made only where the processor has what they stand for;
//! that is what makes the intrinsics in their methods safe to execute.

use std::arch::x86_64::*;

use super::sealed::Sealed;
use super::{Routine, Simd, TO_SCALE};

/// AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

impl Avx2 {
    /// The proof that the processor has AVX2 and FMA, if it does.
    #[inline(always)]
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    #[inline(always)]
    pub(super) fn run<R: Routine>(self, routine: R) -> R::Output {
        #[target_feature(enable = "avx2,fma")]
        fn compiled_for_avx2<R: Routine>(simd: Avx2, routine: R) -> R::Output {
            routine.run(simd)
        }
        // SAFETY: `self` proves that the processor has both features.
        unsafe { compiled_for_avx2(self, routine) }
    }
}

impl Avx512 {
    /// The proof that the processor has AVX-512 F, BW, DQ and VL, and AVX2 and FMA, if it does.
    #[inline(always)]
    pub(super) fn detect() -> Option<Self> {
        (Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl"))
        .then_some(Self(()))
    }

    #[inline(always)]
    pub(super) fn run<R: Routine>(self, routine: R) -> R::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn compiled_for_avx512<R: Routine>(simd: Avx512, routine: R) -> R::Output {
            routine.run(simd)
        }
        // SAFETY: `self` proves that the processor has the features.
        unsafe { compiled_for_avx512(self, routine) }
    }
}

/// All ones in the first `count` lanes.
#[inline(always)]
fn first_lanes_avx512(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

impl Sealed for Avx512 {}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type F32 = __m512;
    type I32 = __m512i;
    type Mask = __mmask16;
    type Half = Avx2;
    const HAS_HALF: bool = true;

    #[inline(always)]
    fn half(self) -> Avx2 {
        Avx2(())
    }

    memory! {
        fn load(from: *const f32) -> __m512 = _mm512_loadu_ps(from);
        fn store(to: *mut f32, x: __m512) = _mm512_storeu_ps(to, x);
        fn load_first(from: *const f32, count: usize) -> __m512 =
            _mm512_maskz_loadu_ps(first_lanes_avx512(count), from);
        fn store_first(to: *mut f32, count: usize, x: __m512) =
            _mm512_mask_storeu_ps(to, first_lanes_avx512(count), x);
        // A conversion that stores as well takes many times as long on some processors.
        fn store_bytes(to: *mut u8, count: usize, a: __m512i) =
            _mm_mask_storeu_epi8(to.cast(), first_lanes_avx512(count), _mm512_cvtepi32_epi8(a));
        fn load_bytes(from: *const u8, count: usize) -> __m512i =
            _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes_avx512(count), from.cast()));
    }

    #[inline(always)]
    fn and(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }
    #[inline(always)]
    fn or(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a | b
    }
    #[inline(always)]
    fn any(self, a: __mmask16) -> bool {
        a != 0
    }

    intrinsics! {
        fn first_half(a: __m512) -> __m256 = _mm512_castps512_ps256(a);
        fn splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        fn add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        fn sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        fn mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        fn div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        fn min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        fn max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        fn sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
        fn abs(a: __m512) -> __m512 = _mm512_abs_ps(a);
        fn neg(a: __m512) -> __m512 = _mm512_xor_ps(a, _mm512_set1_ps(-0.0));
        fn copy_sign(a: __m512, b: __m512) -> __m512 = {
            let sign = _mm512_set1_ps(-0.0);
            _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b))
        };
        fn scale(p: __m512, shifted: __m512) -> __m512 = {
            let sum = _mm512_add_ps(p, _mm512_set1_ps(1.0));
            _mm512_scalef_ps(sum, _mm512_sub_ps(shifted, _mm512_set1_ps(TO_SCALE)))
        };
        fn less(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        fn less_equal(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b);
        fn is_nan(a: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
        fn unordered(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, b);
        fn select(mask: __mmask16, a: __m512, b: __m512) -> __m512 =
            _mm512_mask_blend_ps(mask, b, a);
        fn splat_int(x: i32) -> __m512i = _mm512_set1_epi32(x);
        fn to_bits(a: __m512) -> __m512i = _mm512_castps_si512(a);
        fn with_bits(a: __m512i) -> __m512 = _mm512_castsi512_ps(a);
        fn to_int(a: __m512) -> __m512i = _mm512_cvtps_epi32(a);
        fn to_float(a: __m512i) -> __m512 = _mm512_cvtepi32_ps(a);
        fn add_int(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi32(a, b);
        fn sub_int(a: __m512i, b: __m512i) -> __m512i = _mm512_sub_epi32(a, b);
        fn mul_int(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi32(a, b);
        fn and_int(a: __m512i, b: __m512i) -> __m512i = _mm512_and_si512(a, b);
        fn xor_int(a: __m512i, b: __m512i) -> __m512i = _mm512_xor_si512(a, b);
        fn shift_left<const N: i32>(a: __m512i) -> __m512i =
            _mm512_sll_epi32(a, _mm_cvtsi32_si128(N));
        fn shift_right<const N: i32>(a: __m512i) -> __m512i =
            _mm512_srl_epi32(a, _mm_cvtsi32_si128(N));
        fn equal_int(a: __m512i, b: __m512i) -> __mmask16 = _mm512_cmpeq_epi32_mask(a, b);
        fn lane_numbers() -> __m512i =
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        fn sum(a: __m512) -> f32 = _mm512_reduce_add_ps(a);
    }
}

/// All ones in the first `count` lanes.
///
/// # Safety
///
/// The processor must have AVX2.
#[inline(always)]
unsafe fn first_lanes_avx2(count: usize) -> __m256i {
    // SAFETY: the caller's.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
    }
}

impl Sealed for Avx2 {}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type F32 = __m256;
    type I32 = __m256i;
    type Mask = __m256;
    type Half = Self;

    #[inline(always)]
    fn half(self) -> Self {
        self
    }
    #[inline(always)]
    fn first_half(self, a: __m256) -> __m256 {
        a
    }

    memory! {
        fn load(from: *const f32) -> __m256 = _mm256_loadu_ps(from);
        fn store(to: *mut f32, x: __m256) = _mm256_storeu_ps(to, x);
        fn load_first(from: *const f32, count: usize) -> __m256 =
            _mm256_maskload_ps(from, first_lanes_avx2(count));
        fn store_first(to: *mut f32, count: usize, x: __m256) =
            _mm256_maskstore_ps(to, first_lanes_avx2(count), x);
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, count: usize, a: __m256i) {
        let mut lanes = [0i32; 8];
        // SAFETY: `lanes` has room for the vector; the bytes are within the caller's `count`.
        unsafe {
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), a);
            for (lane, &a) in lanes.iter().take(count).enumerate() {
                *to.add(lane) = a as u8;
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8, count: usize) -> __m256i {
        let mut bytes = [0u8; 8];
        // SAFETY: within the caller's `count`, which is at most 8; `self` proves AVX2.
        unsafe {
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count);
            _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(bytes)))
        }
    }

    intrinsics! {
        fn splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        fn add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        fn sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        fn mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        fn div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        fn min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        fn max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        fn sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        fn abs(a: __m256) -> __m256 = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        fn neg(a: __m256) -> __m256 = _mm256_xor_ps(a, _mm256_set1_ps(-0.0));
        fn copy_sign(a: __m256, b: __m256) -> __m256 = {
            let sign = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b))
        };
        fn less(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        fn less_equal(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LE_OQ>(a, b);
        fn is_nan(a: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a);
        fn unordered(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, b);
        fn and(a: __m256, b: __m256) -> __m256 = _mm256_and_ps(a, b);
        fn or(a: __m256, b: __m256) -> __m256 = _mm256_or_ps(a, b);
        fn any(a: __m256) -> bool = _mm256_movemask_ps(a) != 0;
        fn select(mask: __m256, a: __m256, b: __m256) -> __m256 = _mm256_blendv_ps(b, a, mask);
        fn splat_int(x: i32) -> __m256i = _mm256_set1_epi32(x);
        fn to_bits(a: __m256) -> __m256i = _mm256_castps_si256(a);
        fn with_bits(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        fn to_int(a: __m256) -> __m256i = _mm256_cvtps_epi32(a);
        fn to_float(a: __m256i) -> __m256 = _mm256_cvtepi32_ps(a);
        fn add_int(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32(a, b);
        fn sub_int(a: __m256i, b: __m256i) -> __m256i = _mm256_sub_epi32(a, b);
        fn mul_int(a: __m256i, b: __m256i) -> __m256i = _mm256_mullo_epi32(a, b);
        fn and_int(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        fn xor_int(a: __m256i, b: __m256i) -> __m256i = _mm256_xor_si256(a, b);
        fn shift_left<const N: i32>(a: __m256i) -> __m256i =
            _mm256_sll_epi32(a, _mm_cvtsi32_si128(N));
        fn shift_right<const N: i32>(a: __m256i) -> __m256i =
            _mm256_srl_epi32(a, _mm_cvtsi32_si128(N));
        fn equal_int(a: __m256i, b: __m256i) -> __m256 =
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
        fn lane_numbers() -> __m256i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        fn sum(a: __m256) -> f32 = {
            let halves = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let quarters = _mm_add_ps(halves, _mm_movehl_ps(halves, halves));
            let eighths = _mm_add_ss(quarters, _mm_shuffle_ps::<1>(quarters, quarters));
            _mm_cvtss_f32(eighths)
        };
    }
}
