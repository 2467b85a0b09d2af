//! Adam's step against its definition in `f64`.

use kernels::adam::Adam;
use kernels::simd::Isa;

#[test]
fn steps_are_those_of_the_definition() {
    let adam = Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-5,
        weight_decay: 0.1,
    };
    let [beta1, beta2, epsilon, decay] =
        [adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay].map(f64::from);
    let rate = 0.01;
    // The longest is updated in two tasks.
    let longest = if cfg!(miri) { 67 } else { (1 << 15) + 3 };
    for isa in Isa::available() {
        for len in [0, 1, 7, 16, 31, longest] {
            let start: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut parameter = start.clone();
            let mut moments = [vec![0.0; len], vec![0.0; len]];
            let mut expected: Vec<[f64; 3]> = start.iter().map(|&p| [p.into(), 0.0, 0.0]).collect();
            for time in 1..4 {
                let gradient: Vec<f32> = (0..len).map(|i| ((i + time) as f32).cos()).collect();
                let mut updated = vec![f32::NAN; len];
                let [first, second] = &mut moments;
                adam.step(
                    isa,
                    rate,
                    time,
                    &parameter,
                    &mut updated,
                    &gradient,
                    [first, second],
                );
                parameter = updated;
                for ([p, m, v], &g) in expected.iter_mut().zip(&gradient) {
                    let g = f64::from(g);
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    let mean = *m / (1.0 - beta1.powi(time as i32));
                    let square = *v / (1.0 - beta2.powi(time as i32));
                    *p = *p * (1.0 - rate * decay) - rate * mean / (square.sqrt() + epsilon);
                }
            }
            for (i, (&ours, [expected, ..])) in parameter.iter().zip(&expected).enumerate() {
                let error = (f64::from(ours) - expected).abs();
                assert!(error < 1e-6, "{isa}: {i} of {len}: {ours}, not {expected}");
            }
        }
    }
}
