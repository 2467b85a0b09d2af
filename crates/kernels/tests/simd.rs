//! Every operation of vectors on every instruction set against the portable ones, which are Rust's
//! own arithmetic.

// Vectors are loaded and stored by pointers.
#![allow(unsafe_code)]

use kernels::simd::{Isa, Portable, Routine, Simd, TO_SCALE};

const SPECIAL: [f32; 16] = [
    0.0,
    -0.0,
    0.5,
    -1.5,
    2.5,
    1.0,
    -1.0,
    3.7,
    -1e9,
    1e-40,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    -f32::NAN,
];

/// All pairs of special numbers, as two rows; under Miri some of them.
fn pairs() -> (Vec<f32>, Vec<f32>) {
    SPECIAL
        .iter()
        .step_by(if cfg!(miri) { 6 } else { 1 })
        .flat_map(|&a| SPECIAL.map(|b| (a, b)))
        .unzip()
}

/// What each operation gives for two rows, as bits.
struct Operations<'a>(&'a [f32], &'a [f32]);

impl Routine for Operations<'_> {
    type Output = Vec<(&'static str, Vec<u32>)>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        let Self(a, b) = self;
        let mut results = Vec::new();
        macro_rules! add {
            ($name:literal, $to_bits:expr, $f:expr) => {{
                let mut values = a.to_vec();
                s.zip_map(&mut values, b, $f);
                results.push(($name, values.into_iter().map($to_bits).collect()));
            }};
        }
        // Which NaN comes out of arithmetic is left to the processor.
        let to_bits_or_nan = |x: f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
        macro_rules! arithmetic {
            ($($name:literal: |$a:ident, $b:ident| $result:expr;)*) => {
                $(add!($name, to_bits_or_nan, #[inline(always)] |$a, $b| $result);)*
            };
        }
        macro_rules! bits {
            ($($name:literal: |$a:ident, $b:ident| $result:expr;)*) => {
                $(add!($name, f32::to_bits, #[inline(always)] |$a, $b| $result);)*
            };
        }
        macro_rules! masks {
            ($($name:literal: |$a:ident, $b:ident| $result:expr;)*) => {
                $(add!($name, f32::to_bits, #[inline(always)] |$a, $b| {
                    s.select($result, s.splat(1.0), s.splat(-1.0))
                });)*
            };
        }
        macro_rules! ints {
            ($($name:literal: |$a:ident, $b:ident| $result:expr;)*) => {
                $(add!($name, f32::to_bits, #[inline(always)] |$a, $b| {
                    let ($a, $b) = (s.to_bits($a), s.to_bits($b));
                    s.with_bits($result)
                });)*
            };
        }
        arithmetic! {
            "add": |a, b| s.add(a, b);
            "sub": |a, b| s.sub(a, b);
            "mul": |a, b| s.mul(a, b);
            "div": |a, b| s.div(a, b);
            "sqrt": |a, _b| s.sqrt(a);
        }
        bits! {
            "splat": |_a, _b| s.splat(-0.3);
            "min": |a, b| s.min(a, b);
            "max": |a, b| s.max(a, b);
            "abs": |a, _b| s.abs(a);
            "neg": |a, _b| s.neg(a);
            "copy_sign": |a, b| s.copy_sign(a, b);
            "map_lanes": |a, _b| s.map_lanes(a, f32::abs);
        }
        masks! {
            "less": |a, b| s.less(a, b);
            "less_equal": |a, b| s.less_equal(a, b);
            "is_nan": |a, _b| s.is_nan(a);
            "unordered": |a, b| s.unordered(a, b);
            "and": |a, b| s.and(s.less(a, b), s.less(s.splat(0.0), b));
            "or": |a, b| s.or(s.less(a, b), s.less(s.splat(0.0), b));
            "equal_int": |a, b| s.equal_int(s.to_bits(a), s.to_bits(b));
        }
        ints! {
            "splat_int": |_a, _b| s.splat_int(-7);
            // Others are not in its domain.
            "to_int": |a, _b| {
                let a = s.with_bits(a);
                s.to_int(s.select(s.less(s.abs(a), s.splat(2e9)), a, s.splat(0.0)))
            };
            "to_float": |a, _b| s.to_bits(s.to_float(a));
            "add_int": |a, b| s.add_int(a, b);
            "sub_int": |a, b| s.sub_int(a, b);
            "mul_int": |a, b| s.mul_int(a, b);
            "and_int": |a, b| s.and_int(a, b);
            "xor_int": |a, b| s.xor_int(a, b);
            "shift_left": |a, _b| s.shift_left::<5>(a);
            "shift_right": |a, _b| s.shift_right::<5>(a);
        }
        results
    }
}

#[test]
fn operations_are_those_of_the_portable_vectors() {
    let (a, b) = pairs();
    let expected = Operations(&a, &b).run(Portable);
    for isa in Isa::available() {
        for ((name, got), (_, expected)) in isa.run(Operations(&a, &b)).iter().zip(&expected) {
            for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                let (a, b) = (a[i], b[i]);
                assert_eq!(got, expected, "{isa}: {name} of {a:?} and {b:?}, as bits");
            }
        }
    }
}

struct MulAdd<'a>(&'a [f32], &'a mut [f32]);

impl Routine for MulAdd<'_> {
    /// Whether it rounds once.
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> bool {
        let third = s.splat(1.0 / 3.0);
        s.zip_map(
            self.1,
            self.0,
            #[inline(always)]
            |a, b| s.mul_add(a, b, third),
        );
        S::FUSED
    }
}

#[test]
fn products_are_added_with_one_rounding_or_two() {
    let (a, b) = pairs();
    for isa in Isa::available() {
        let mut got = a.clone();
        let fused = isa.run(MulAdd(&b, &mut got));
        for ((&a, &b), got) in a.iter().zip(&b).zip(got) {
            let expected = if fused {
                a.mul_add(b, 1.0 / 3.0)
            } else {
                a * b + 1.0 / 3.0
            };
            assert!(
                got == expected || got.is_nan() && expected.is_nan(),
                "{isa}: {a} · {b} + 1/3 = {got}"
            );
        }
    }
}

struct Scale<'a>(&'a [f32], &'a mut [f32]);

impl Routine for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        s.zip_map(
            self.1,
            self.0,
            #[inline(always)]
            |p, n| s.scale(p, s.add(n, s.splat(TO_SCALE))),
        );
    }
}

#[test]
fn numbers_are_scaled_down_to_the_smallest_and_beyond_the_largest() {
    let step = if cfg!(miri) { 23 } else { 1 };
    let (p, n): (Vec<f32>, Vec<f32>) = (-250..=250)
        .step_by(step)
        .flat_map(|n| [0.0, 0.5, -0.5, 0.3, -0.3, 1e-7, f32::NAN].map(|p| (p, n as f32)))
        .unzip();
    for isa in Isa::available() {
        let mut got = p.clone();
        isa.run(Scale(&n, &mut got));
        for ((&p, &n), got) in p.iter().zip(&n).zip(got) {
            let expected = (f64::from(1.0 + p) * f64::from(n).exp2()) as f32;
            assert!(
                got == expected || got.is_nan() && expected.is_nan(),
                "{isa}: (1 + {p}) · 2^{n} = {got}, not {expected}"
            );
        }
    }
}

/// What depends on the number of lanes.
struct Lanes;

impl Routine for Lanes {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let from: [f32; 17] = std::array::from_fn(|i| 1.5 + i as f32);
        let bytes: [u8; 17] = std::array::from_fn(|i| 250 - i as u8);
        let lanes = S::LANES;
        for count in 0..=lanes {
            // Slices of this length, so that Miri sees what goes beyond.
            let (from, bytes) = (from[..count].to_vec(), bytes[..count].to_vec());
            let mut all = [f32::NAN; 16];
            let mut some = vec![f32::NAN; count];
            let mut some_bytes = vec![0; count];
            let mut all_bytes = [f32::NAN; 16];
            // SAFETY: `from`, `some` and the bytes have `count` numbers, `all` as many as the
            // widest vector.
            unsafe {
                let x = s.load_first(from.as_ptr(), count);
                s.store(all.as_mut_ptr(), x);
                s.store_first(some.as_mut_ptr(), count, x);
                let x = s.load_bytes(bytes.as_ptr(), count);
                s.store(all_bytes.as_mut_ptr(), s.to_float(x));
                // Only the lowest byte counts.
                let x = s.add_int(x, s.splat_int(0x1234_5600));
                s.store_bytes(some_bytes.as_mut_ptr(), count, x);
            }
            assert_eq!(all[..count], from);
            assert!(all[count..lanes].iter().all(|&x| x == 0.0));
            assert_eq!(some, from);
            assert_eq!(some_bytes, bytes);
            let floats: Vec<f32> = bytes.iter().map(|&x| x.into()).collect();
            assert_eq!(all_bytes[..count], floats);
            assert!(all_bytes[count..lanes].iter().all(|&x| x == 0.0));
        }

        let mut numbers = [f32::NAN; 16];
        let mut first = [f32::NAN; 16];
        // SAFETY: `from` has as many numbers as the widest vector, and so has what is stored to.
        unsafe {
            let x = s.load(from.as_ptr());
            assert_eq!(s.sum(x), from[..lanes].iter().sum::<f32>());
            s.half().store(first.as_mut_ptr(), s.first_half(x));
            s.store(numbers.as_mut_ptr(), s.to_float(s.lane_numbers()));
        }
        let half = if S::HAS_HALF { lanes / 2 } else { lanes };
        assert_eq!(first[..half], from[..half]);
        for (i, &number) in numbers[..lanes].iter().enumerate() {
            assert_eq!(number, i as f32);
            let here = s.equal_int(s.lane_numbers(), s.splat_int(i as i32));
            assert!(s.any(here));
        }
        assert!(!s.any(s.equal_int(s.lane_numbers(), s.splat_int(16))));
    }
}

#[test]
fn parts_of_vectors_are_read_and_written_alone() {
    for isa in Isa::available() {
        isa.run(Lanes);
    }
}
