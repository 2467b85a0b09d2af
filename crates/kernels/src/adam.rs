//! Adam's step in one pass over a parameter.

use rayon::prelude::*;

use crate::simd::{Isa, Routine, Simd, for_each_place};
use crate::tasks;

/// Adam (Kingma and Ba 2015), with decoupled weight decay (Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the mean of gradients, in 0..1.
    pub beta1: f32,
    /// Decay of the mean of squared gradients, in 0..1.
    pub beta2: f32,
    /// Added to the root of the mean of squared gradients.
    pub epsilon: f32,
    /// Share of the parameter taken away in a step, before it is multiplied by the learning rate.
    pub weight_decay: f32,
}

/// Numbers that one task updates, at most.
const MAX_TASK_LEN: usize = 1 << 15;

impl Adam {
    /// Step number `time`, counted from 1: fills `updated` with what `parameter` becomes, and
    /// updates the `moments`, the means of gradients and of squared gradients.
    ///
    /// # Panics
    ///
    /// If the slices differ in length, or `time` is 0.
    #[allow(clippy::too_many_arguments)]
    pub fn step(
        &self,
        isa: Isa,
        learning_rate: f64,
        time: usize,
        parameter: &[f32],
        updated: &mut [f32],
        gradient: &[f32],
        moments: [&mut [f32]; 2],
    ) {
        let [first, second] = moments;
        assert!(time > 0, "steps are counted from 1");
        assert_eq!(parameter.len(), updated.len());
        assert_eq!(parameter.len(), gradient.len());
        assert_eq!(parameter.len(), first.len());
        assert_eq!(parameter.len(), second.len());
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(time.min(i32::MAX as usize) as i32);
        let step = Step {
            beta: [self.beta1, self.beta2],
            rate: (learning_rate / correction(self.beta1)) as f32,
            second_correction: (1.0 / correction(self.beta2)) as f32,
            epsilon: self.epsilon,
            keep: (1.0 - learning_rate * f64::from(self.weight_decay)) as f32,
        };
        if parameter.len() <= MAX_TASK_LEN {
            isa.run(Update {
                step,
                parameter,
                updated,
                gradient,
                moments: [first, second],
            });
            return;
        }
        tasks::for_each(
            parameter
                .par_chunks(MAX_TASK_LEN)
                .zip(updated.par_chunks_mut(MAX_TASK_LEN))
                .zip(gradient.par_chunks(MAX_TASK_LEN))
                .zip(first.par_chunks_mut(MAX_TASK_LEN))
                .zip(second.par_chunks_mut(MAX_TASK_LEN)),
            |((((parameter, updated), gradient), first), second)| {
                isa.run(Update {
                    step,
                    parameter,
                    updated,
                    gradient,
                    moments: [first, second],
                });
            },
        );
    }
}

/// The numbers that a step has in common for all parameters.
#[derive(Clone, Copy)]
struct Step {
    beta: [f32; 2],
    rate: f32,
    second_correction: f32,
    epsilon: f32,
    keep: f32,
}

/// A step of some parameters.
struct Update<'a> {
    step: Step,
    parameter: &'a [f32],
    /// Becomes the parameters after the step.
    updated: &'a mut [f32],
    gradient: &'a [f32],
    /// The means of gradients and of squared gradients.
    moments: [&'a mut [f32]; 2],
}

impl Routine for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            step,
            parameter,
            updated,
            gradient,
            moments: [first, second],
        } = self;
        let [beta1, beta2] = step.beta.map(
            #[inline(always)]
            |beta| (simd.splat(beta), simd.splat(1.0 - beta)),
        );
        let rate = simd.splat(-step.rate);
        let second_correction = simd.splat(step.second_correction);
        let epsilon = simd.splat(step.epsilon);
        let keep = simd.splat(step.keep);
        let len = parameter.len();
        let updated = updated.as_mut_ptr();
        let (first, second) = (first.as_mut_ptr(), second.as_mut_ptr());
        for_each_place(
            simd,
            len,
            #[inline(always)]
            // SAFETY: `Adam::step` has made sure that all slices are of this length.
            |place| unsafe {
                let g = simd.load_at(gradient.as_ptr(), place);
                let m = simd.load_at(first, place);
                let m = simd.mul_add(beta1.0, m, simd.mul(beta1.1, g));
                let v = simd.load_at(second, place);
                let v = simd.mul_add(beta2.0, v, simd.mul(beta2.1, simd.mul(g, g)));
                let root = simd.sqrt(simd.mul(v, second_correction));
                let direction = simd.div(m, simd.add(root, epsilon));
                let p = simd.mul(simd.load_at(parameter.as_ptr(), place), keep);
                simd.store_at(updated, place, simd.mul_add(rate, direction, p));
                simd.store_at(first, place, m);
                simd.store_at(second, place, v);
            },
        );
    }
}
