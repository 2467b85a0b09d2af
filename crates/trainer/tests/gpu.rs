//! The program on a GPU, or on a software one.

mod common;

use std::fs;
use std::io::Write;

use common::Folder;
use serde_json::Value;

/// So small that its shaders are soon compiled, and without anything that draws from the backend's own
/// generator.
const SMALL: &str = r#"
epochs = 2
batch_size = 60
seed = 7

[augmentation]
rotation = 5

[network]
activation = "gelu"
hidden_units = 16

[[network.stages]]
channels = 4
kernel = 3
downsampling = "pool"
"#;

/// Trains on the GPU. Without any it is `None`, and a line says that the test is skipped; with
/// `REQUIRE_GPU_TESTS=1` the test fails instead.
fn train_on_gpu(folder: &Folder, arguments: &str) -> Option<()> {
    let output = folder.run(arguments);
    if output.status.success() {
        return Some(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let is_required = std::env::var_os("REQUIRE_GPU_TESTS").is_some_and(|value| value == "1");
    assert!(
        !is_required && error.contains("no device for"),
        "trainer {arguments}: {error}"
    );
    drop(writeln!(std::io::stderr(), "skipped: {error}"));
    None
}

fn validation_loss(summary: &Value) -> f64 {
    summary["validation"]["loss"].as_f64().unwrap()
}

#[test]
fn a_run_on_the_gpu_is_that_on_the_cpu_and_can_be_resumed() {
    let folder = Folder::with_digits(600);
    fs::write(folder.path("small.toml"), SMALL).unwrap();
    let train = "--config small.toml --data train.csv --plain";
    if train_on_gpu(&folder, &format!("{train} --backend wgpu --out gpu")).is_none() {
        return;
    }
    folder.succeed(&format!("{train} --backend flex --out cpu"));

    // A run that was stopped after its first epoch.
    let checkpoint = "checkpoints/epoch-0001";
    fs::create_dir_all(folder.path("resumed/checkpoints")).unwrap();
    for (from, to) in [
        ("gpu/config.toml", "resumed/config.toml"),
        (
            &*format!("gpu/{checkpoint}"),
            &*format!("resumed/{checkpoint}"),
        ),
    ] {
        fs::rename(folder.path(from), folder.path(to)).unwrap();
    }
    let said = folder.succeed("resume resumed --plain");
    assert!(
        said.contains(&format!(
            "continuing in epoch 2 of 2, from resumed/{checkpoint}"
        )),
        "{said}"
    );

    let [gpu, cpu, resumed] = ["gpu", "cpu", "resumed"].map(|run| folder.summary(run));
    assert_eq!(gpu["backend"], "wgpu");
    assert_eq!(resumed["backend"], "wgpu");
    // Other devices round otherwise; the same one, but for the kernels that it may choose anew.
    for (other, tolerance) in [(&cpu, 2e-3), (&resumed, 1e-5)] {
        let (loss, expected) = (validation_loss(&gpu), validation_loss(other));
        let error = (loss - expected).abs() / expected;
        assert!(error < tolerance, "{error}: {gpu} {other}");
    }
    // It has learnt something: chance is 0.1, and a loss of ln 10.
    assert!(
        gpu["validation"]["accuracy"].as_f64().unwrap() > 0.4,
        "{gpu}"
    );
    assert!(validation_loss(&gpu) < 2.0, "{gpu}");
}
