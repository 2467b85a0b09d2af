//! Results that look like those of real runs, from a generator with a seed.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use study::record::{
    Environment, Epoch, EpochTimes, Histogram, ImageCounts, Score, Site, SiteEpoch, Status, Times,
};
use study::{Curve, Curves, Plan, Records, RunRecord, RunSpec, Stage, Study, id_of};

/// How the results of one contender are made up.
#[derive(Clone, Copy, Debug)]
pub struct Ability {
    /// Test accuracy that its runs come to on average.
    pub accuracy: f64,
    /// Every so many-th seed diverges; 0 for none.
    pub diverges_every: u64,
}

/// Abilities that differ a little from contender to contender.
pub fn ability(study: &Study, name: &str) -> Ability {
    let names = study.contenders.iter().map(study::Contender::name);
    let index = names.take_while(|other| *other != name).count();
    Ability {
        accuracy: 0.975 + 0.002 * ((index * 5) % 9) as f64,
        diverges_every: 0,
    }
}

/// Runs a whole study, as fast as made-up results can be had.
pub fn run(study: &Study, ability: impl Fn(&RunSpec) -> Ability) -> Records {
    let plan = Plan::new(study).unwrap();
    let mut records = Records::default();
    loop {
        let pending = plan.pending(&records);
        if pending.is_empty() {
            return records;
        }
        for spec in pending {
            records.push(result(&spec, ability(&spec)));
        }
    }
}

/// What a run of this ability leaves. The same spec has the same result.
pub fn result(spec: &RunSpec, ability: Ability) -> RunRecord {
    let id = id_of(&spec.overrides);
    let seed = u64::from_str_radix(id.as_str(), 16).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Shared by all contenders, as split and order are.
    let mut shared = ChaCha8Rng::seed_from_u64(spec.seed);
    let luck = 0.0008 * normal(&mut shared) + 0.0006 * normal(&mut random);
    let epochs = spec
        .overrides
        .get("epochs")
        .and_then(toml::Value::as_integer);
    let epochs = usize::try_from(epochs.unwrap_or(6)).unwrap();
    let diverges = ability.diverges_every > 0 && spec.seed.is_multiple_of(ability.diverges_every);
    let status = if diverges {
        Status::Diverged { epoch: 2 }
    } else {
        Status::Finished
    };
    let learning_rate = spec.learning_rate.unwrap_or(0.01);
    let penalty = 0.004 * (learning_rate / 0.01).log10().abs();
    let sites = sites(spec);
    let depth = sites.len() as i32;
    let rectifier = spec.activation.contains("relu");
    let mut record = RunRecord::new(id, spec.clone(), status);
    record.classes = Some(10);
    record.parameters = Some(421_642);
    record.images = Some(ImageCounts {
        training: 37_800,
        validation: 4_200,
        test: 28_000,
    });
    record.sites = (1..)
        .zip(sites)
        .map(|(depth, name)| Site {
            name,
            depth,
            units: Some(24),
            pre_activations: Some(histogram(depth.min(4), &mut random)),
        })
        .collect();
    for epoch in 1..=if diverges { 1 } else { epochs } {
        let left = 0.2 * (-1.4 * epoch as f64).exp() * (1.0 + 0.1 * uniform(&mut random));
        let end = ability.accuracy + luck - penalty;
        let validation = (end - left + 0.0005 * normal(&mut random)).clamp(0.0, 1.0);
        let test = (end - left + 0.0003 * normal(&mut random)).clamp(0.0, 1.0);
        let score = |accuracy: f64| Score {
            accuracy: Some(accuracy),
            loss: Some(3.2 * (1.0 - accuracy)),
            ece: Some(0.004),
            ..Score::default()
        };
        record.epochs.push(Epoch {
            epoch,
            learning_rate: Some(learning_rate),
            training: score((validation + 0.004).min(1.0)),
            training_at_end: Some(score((validation + 0.006).min(1.0))),
            validation: score(validation),
            test_accuracy: (spec.stage == Stage::Final).then_some(test),
            effective_rank: Some(60.0 + 4.0 * epoch as f64),
            sites: (1..=depth)
                .map(|site| SiteEpoch {
                    dead: Some(if rectifier {
                        0.06 * f64::from(site) / f64::from(depth)
                    } else {
                        0.0
                    }),
                    saturated: Some(if rectifier {
                        0.5
                    } else {
                        0.24 * f64::from(site) / f64::from(depth)
                    }),
                    sparsity: Some(if rectifier { 0.5 } else { 0.0 }),
                    pre_activation_mean: Some(-0.1),
                    pre_activation_sd: Some(1.0),
                    activation_mean: Some(0.3),
                    activation_sd: Some(0.5),
                    gradient_norm: Some(
                        0.1 * if rectifier { 0.9_f64 } else { 0.3 }.powi(depth - site)
                            / epoch as f64
                            * (1.0 + 0.2 * uniform(&mut random)),
                    ),
                    parameter: spec
                        .activation
                        .starts_with("prelu")
                        .then_some(0.25 - 0.02 * epoch as f64 * f64::from(site)),
                })
                .collect(),
        });
    }
    if !diverges {
        let accuracy = |epoch: &&Epoch| epoch.validation.accuracy.unwrap();
        let chosen = record.epochs.iter().reduce(|best, epoch| {
            if accuracy(&epoch) > accuracy(&best) {
                epoch
            } else {
                best
            }
        });
        let chosen = chosen.unwrap().clone();
        record.chosen_epoch = Some(chosen.epoch);
        record.test = chosen.test_accuracy.map(|accuracy| Score {
            accuracy: Some(accuracy),
            loss: Some(3.1 * (1.0 - accuracy)),
            ece: Some(0.005),
            ..Score::default()
        });
    }
    let step = if rectifier { 0.021 } else { 0.026 } * (1.0 + 0.03 * uniform(&mut random));
    record.environment = Some(Environment {
        program: String::from("0.1.0"),
        backend: String::from("flex"),
        device: String::from("AMD EPYC"),
        system: String::from("linux"),
        cores: Some(2),
        threads: Some(1),
        commit: None,
    });
    record.times = Some(Times {
        total_seconds: Some(step * 150.0 * epochs as f64 + 3.0),
        seconds_per_step: Some(step),
        forward_nanoseconds: Some(if rectifier { 0.35 } else { 2.1 }),
        backward_nanoseconds: Some(if rectifier { 0.4 } else { 1.4 }),
        epochs: record
            .epochs
            .iter()
            .map(|_| EpochTimes {
                training_seconds: step * 148.0,
                scoring_seconds: 0.3,
                measuring_seconds: 0.1,
            })
            .collect(),
    });
    record
}

/// Three sites, or as many as a preset such as `deep:20` says.
fn sites(spec: &RunSpec) -> Vec<String> {
    let network = spec.overrides.get("network");
    let preset = network.and_then(|network| network.get("preset")?.as_str());
    let depth = preset.and_then(|preset| preset.strip_prefix("deep:")?.parse().ok());
    depth.map_or_else(
        || {
            ["stage 1, layer 1", "stage 2, layer 1", "hidden"]
                .map(str::to_owned)
                .into()
        },
        |depth: usize| (1..=depth).map(|layer| format!("layer {layer}")).collect(),
    )
}

/// f and f′ of every contender, made up but for the most common.
pub fn curves(study: &Study) -> Curves {
    let contenders = study.contenders.iter().map(|contender| {
        let f = |x: f64| match contender.activation.as_str() {
            "sigmoid" => 1.0 / (1.0 + (-x).exp()),
            "tanh" => x.tanh(),
            "relu" => x.max(0.0),
            "gelu" | "silu" => x / (1.0 + (-1.702 * x).exp()),
            _ => x.max(0.1 * x),
        };
        let x: Vec<f64> = (-60..=60).map(|i| f64::from(i) / 10.0).collect();
        Curve {
            contender: contender.name().to_owned(),
            formula: None,
            f: x.iter().map(|&x| f(x)).collect(),
            derivative: x
                .iter()
                .map(|&x| (f(x + 1e-4) - f(x - 1e-4)) / 2e-4)
                .collect(),
            x,
        }
    });
    Curves {
        contenders: contenders.collect(),
    }
}

fn histogram(depth: usize, random: &mut ChaCha8Rng) -> Histogram {
    let bins = 64;
    let count = |bin: usize| {
        let x = -8.0 + 16.0 * (bin as f64 + 0.5) / bins as f64;
        let z = (x + 0.3) / (0.7 + 0.4 * depth as f64);
        (1e5 * (-0.5 * z * z).exp() * (1.0 + 0.05 * uniform(random))) as u64
    };
    Histogram {
        low: -8.0,
        high: 8.0,
        counts: (0..bins).map(count).collect(),
        below: 3,
        above: 5,
    }
}

fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Nearly normal: the sum of twelve uniform numbers less its mean.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
}
