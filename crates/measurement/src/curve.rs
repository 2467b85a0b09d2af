//! Activation functions as curves, for figures.

use kernels::function::Context;
use kernels::simd::Isa;
use model::Activation;
use study::Curve;

/// The grid: from −6 to 6 in steps of 0.05.
const STEPS: i32 = 120;
const STEP: f64 = 0.05;

/// f and f′ of a contender's activation; `None` if it is no function of a single number. Learnable
/// parameters have their initial values, drawn ones their means.
pub fn curve(contender: &str, activation: &Activation) -> Option<Curve> {
    let function = activation.kernel()?;
    let context = context(activation);
    let x: Vec<f64> = (-STEPS..=STEPS)
        .map(|step| STEP * f64::from(step))
        .collect();
    let inputs: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let mut values = inputs.clone();
    function.apply(Isa::best(), context, &mut values);
    let mut slopes = vec![1.0; inputs.len()];
    function.backward(Isa::best(), context, &inputs, &mut slopes);
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
    Some(Curve {
        contender: contender.to_owned(),
        formula: Some(activation.facts().formula.to_owned()),
        x,
        f: wide(values),
        derivative: wide(slopes),
    })
}

/// What the function needs beside its input, before any training.
pub(crate) fn context(activation: &Activation) -> Context {
    Context {
        parameter: activation.initial_parameter().unwrap_or_default(),
        draws: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_of_prelu_has_its_initial_slope() {
        let curve = curve("prelu", &Activation::Prelu { slope: 0.25 }).unwrap();
        assert_eq!((curve.x[0], curve.x[240]), (-6.0, 6.0));
        assert_eq!((curve.f[0], curve.f[240]), (-1.5, 6.0));
        assert_eq!((curve.derivative[0], curve.derivative[240]), (0.25, 1.0));
        assert!(super::curve("softmax", &Activation::Softmax).is_none());
    }
}
