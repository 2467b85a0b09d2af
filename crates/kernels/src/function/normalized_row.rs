//! The way back through the function and the normalisation before it, a row at a time: what comes
//! before and after the derivative happens while the numbers are in registers.

use super::{Context, Elementwise, ElementwiseRoutine, Function};
use crate::simd::{Isa, Simd, for_each_place};

impl Function {
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

/// A row of normalised pixels on the way back: gradients, and what they are needed for. All have
/// one number for every place of the row, or more.
pub(crate) struct RowGradient<'a> {
    /// The gradient of the function's outputs.
    pub output_gradient: &'a [f32],
    /// What was normalised: the function's inputs are slope · (linear − mean) + offset.
    pub linear: &'a [f32],
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
