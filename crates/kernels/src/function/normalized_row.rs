//! A row through normalisation and the function, and back: one pass each way, so that what the function
//! takes to compute hides behind the reading of memory, and what comes before and after the derivative
//! happens while the numbers are in registers.

use super::{Context, Elementwise, ElementwiseRoutine, Function};
use crate::simd::{Isa, Simd, for_each_place};

impl Function {
    /// Normalises a row and computes the function of it.
    ///
    /// # Panics
    ///
    /// If a slice of `row` is shorter than its `output`.
    pub(crate) fn forward_row(self, isa: Isa, context: Context, row: NormalizedRow) {
        let here = self.drawn_together(context, row.output.len());
        let (row, rest) = row.split_at(here);
        isa.run(ElementwiseRoutine {
            function: self,
            context,
            elements: row,
        });
        if !rest.output.is_empty() {
            self.forward_row(isa, context.after(here), rest);
        }
    }

    /// Takes a row back through the function and what normalised its inputs.
    ///
    /// # Panics
    ///
    /// If a slice of `row` is shorter than its `output_gradient`, or the function is to draw.
    pub(crate) fn backward_row(self, isa: Isa, context: Context, row: RowGradient) {
        assert!(context.draws.is_none());
        isa.run(ElementwiseRoutine {
            function: self,
            context,
            elements: row,
        });
    }
}

/// A row of the linear output on its way through normalisation and the function.
pub(crate) struct NormalizedRow<'a> {
    /// What is normalised.
    pub linear: &'a [f32],
    /// Mean, slope and offset: the function is given slope · (linear − mean) + offset.
    pub normalization: [&'a [f32]; 3],
    /// Becomes the function's values.
    pub output: &'a mut [f32],
}

impl NormalizedRow<'_> {
    /// The first `count` places, and the others.
    fn split_at(self, count: usize) -> (Self, Self) {
        let (linear, linear_rest) = self.linear.split_at(count);
        let (output, output_rest) = self.output.split_at_mut(count);
        let first = NormalizedRow {
            linear,
            normalization: self.normalization.map(|row| &row[..count]),
            output,
        };
        let rest = NormalizedRow {
            linear: linear_rest,
            normalization: self.normalization.map(|row| &row[count..]),
            output: output_rest,
        };
        (first, rest)
    }
}

impl Elementwise for NormalizedRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        let len = self.output.len();
        assert!(self.linear.len() >= len);
        assert!(self.normalization.iter().all(|row| row.len() >= len));
        let linear = self.linear.as_ptr();
        let [mean, slope, offset] = self.normalization.map(<[f32]>::as_ptr);
        let output = self.output.as_mut_ptr();
        for_each_place(
            s,
            len,
            #[inline(always)]
            // SAFETY: no slice is shorter than `len`.
            |place| unsafe {
                let centred = s.sub(s.load_at(linear, place), s.load_at(mean, place));
                let slope = s.load_at(slope, place);
                let offset = s.load_at(offset, place);
                let (value, _) = f(s.mul_add(slope, centred, offset));
                s.store_at(output, place, value);
            },
        );
    }
}

/// A row of normalised pixels on the way back: gradients, and what they are needed for. All have
/// one number for every place of the row, or more.
pub(crate) struct RowGradient<'a> {
    /// The gradient of the function's outputs.
    pub output_gradient: &'a [f32],
    /// What was normalised: the function's inputs are slope · (linear − mean) + offset.
    pub linear: &'a [f32],
    // Not in an array as above: a step of `classic` takes 0.8 % longer with one.
    pub mean: &'a [f32],
    pub slope: &'a [f32],
    pub offset: &'a [f32],
    /// Becomes the gradient of the function's inputs.
    pub pre_activation_gradient: &'a mut [f32],
    /// Gets the gradient of the function's inputs added.
    pub sums: &'a mut [f32],
    /// Gets that gradient · (linear − mean) added.
    pub products: &'a mut [f32],
}

impl Elementwise for RowGradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        let len = self.output_gradient.len();
        for slice in [self.linear, self.mean, self.slope, self.offset] {
            assert!(slice.len() >= len);
        }
        for slice in [&self.pre_activation_gradient, &self.sums, &self.products] {
            assert!(slice.len() >= len);
        }
        let (pre_activation_gradient, sums, products) = (
            self.pre_activation_gradient.as_mut_ptr(),
            self.sums.as_mut_ptr(),
            self.products.as_mut_ptr(),
        );
        for_each_place(
            s,
            len,
            #[inline(always)]
            // SAFETY: no slice is shorter than `len`.
            |place| unsafe {
                let linear = s.load_at(self.linear.as_ptr(), place);
                let centred = s.sub(linear, s.load_at(self.mean.as_ptr(), place));
                let slope = s.load_at(self.slope.as_ptr(), place);
                let offset = s.load_at(self.offset.as_ptr(), place);
                let (_, derivative) = f(s.mul_add(slope, centred, offset));
                let gradient = s.mul(s.load_at(self.output_gradient.as_ptr(), place), derivative);
                s.store_at(pre_activation_gradient, place, gradient);
                s.store_at(sums, place, s.add(s.load_at(sums, place), gradient));
                let product = s.load_at(products, place);
                s.store_at(products, place, s.mul_add(gradient, centred, product));
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::Draws;
    use super::*;

    /// What two passes would give, normalisation and then the function, also where a random function's
    /// places do not fit into 32 bits.
    #[test]
    fn a_row_is_normalized_and_given_to_the_function() {
        const LEN: usize = 37;
        let linear: Vec<f32> = (0..LEN).map(|i| (i as f32 * 0.7).sin() * 5.0).collect();
        let number = |factor: f32| -> Vec<f32> {
            let number = |i| (i as f32 * factor).cos() + 1.5;
            (0..LEN).map(number).collect()
        };
        let [mean, slope, offset] = [0.3, 0.5, 0.8].map(number);
        let context = Context {
            parameter: 0.3,
            draws: Some(Draws {
                key: 5,
                first: (1 << 32) - 20,
            }),
        };
        let (lower, upper) = (0.1, 0.4);
        for isa in Isa::available() {
            for function in [
                Function::Identity,
                Function::Sigmoid,
                Function::Prelu,
                Function::Rrelu { lower, upper },
            ] {
                let mut expected = vec![0.0; LEN];
                crate::rows::normalize(isa, &linear, &mean, &slope, &offset, &mut expected);
                function.apply(isa, context, &mut expected);
                let mut output = vec![0.0; LEN];
                let row = NormalizedRow {
                    linear: &linear,
                    normalization: [&mean, &slope, &offset],
                    output: &mut output,
                };
                function.forward_row(isa, context, row);
                assert_eq!(output, expected, "{function:?} on {isa}");
            }
        }
    }
}
