//! Writes reports on studies that never took place, to look at:
//! `cargo run -p study --example made_up_reports -- FOLDER`.

#[path = "../tests/study/made_up.rs"]
mod made_up;

use std::error::Error;
use std::path::{Path, PathBuf};

use made_up::Ability;
use study::{Plan, Records, RunSpec, Study, report};

/// Two tracks, a claim, and a contender that diverges now and then.
const CLAIM: &str = r#"
title = "Does tanh still lose to ReLU once each has its own learning rate?"
question = "Textbooks say that ReLU replaced tanh because it trains to a higher accuracy. Most comparisons gave both the learning rate that suits ReLU."
contenders = ["relu", "tanh", "sigmoid", "gelu", "prelu"]
seeds = 10
[claim]
text = "Rectifiers read digits better than tanh and the sigmoid."
source = "Made up"
[common]
optimizer.learning_rate = 0.01
[tuned]
learning_rates = [0.001, 0.003, 0.01, 0.03]
seeds_per_rate = 2
[verdict.expect]
tanh = "worse"
sigmoid = "worse"
"#;

/// As many contenders as there are built in.
const MANY: &str = r#"
title = "22 activation functions, one recipe"
question = "Which of the built-in activation functions reads digits best with the default recipe?"
contenders = [
    "relu", "identity", "sigmoid", "tanh", "softsign", "softplus", "elu", "selu", "celu:0.5", "leaky-relu",
    "leaky-relu:0.2", "prelu", "gelu", "gelu:tanh", "silu", "swish", "mish", "hard-sigmoid", "hard-swish",
    "hard-tanh", "snake", "softmax",
]
seeds = 10
"#;

/// A factor, and a metric that no accuracy is.
const DEPTH: &str = r#"
title = "How much of the gradient arrives at the first layer?"
contenders = ["sigmoid", "tanh", "relu"]
seeds = 10
[claim]
text = "Gradients vanish in deep networks of sigmoids, and do not with ReLU."
source = "Made up"
[[vary]]
name = "depth"
field = "network.preset"
values = ["deep:2", "deep:4", "deep:8", "deep:16", "deep:32"]
labels = ["2", "4", "8", "16", "32"]
[verdict]
metric = "gradient-decades"
margin = 0.1
[verdict.expect]
relu = "higher"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("name a folder")?.into();
    let by_name = |study: &Study, spec: &RunSpec| Ability {
        diverges_every: if spec.contender == "snake" { 3 } else { 0 },
        ..made_up::ability(study, &spec.contender)
    };
    for (name, text) in [("claim", CLAIM), ("many", MANY), ("depth", DEPTH)] {
        let study = Study::parse(text, Path::new(name))?;
        let records = made_up::run(&study, |spec| by_name(&study, spec));
        write(&folder.join(name), &study, &records)?;
        if name == "claim" {
            let part = records.iter().take(records.len() / 2).cloned().collect();
            write(&folder.join("under-way"), &study, &Records::new(part))?;
        }
    }
    Ok(())
}

fn write(folder: &Path, study: &Study, records: &Records) -> Result<(), Box<dyn Error>> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let command = format!("trainer study report experiments/{name}.toml");
    let curves = made_up::curves(study);
    let plan = Plan::new(study)?;
    let start = std::time::Instant::now();
    let written = report::write(&plan, records, &curves, &command, folder)?;
    println!(
        "{}\n{name}: {:.1} s\n",
        written.text,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
