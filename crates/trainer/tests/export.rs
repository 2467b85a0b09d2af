//! What is exported computes the same in PyTorch.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use burn::data::dataloader::DataLoader;
use burn::tensor::{Device, Tensor};
use common::Folder;
use data::EpochLoader;
use model::Kernels;
use serde_json::json;
use trainer::evaluation::BATCH_SIZE;
use trainer::run_directory::RunDirectory;
use trainer::saved_model::{self, SavedNetwork};

/// A Python with PyTorch, made ready by a script; `None` where there is no Python or PyTorch cannot
/// be installed.
fn python() -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch/python.sh");
    let output = Command::new("sh").arg(script).output().ok()?;
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        std::env::var_os("REQUIRE_TORCH_TESTS").is_none_or(|value| value != "1"),
        "REQUIRE_TORCH_TESTS is set, but there is no PyTorch: {reason}"
    );
    drop(writeln!(
        std::io::stderr(),
        "skipped: there is no PyTorch ({reason})"
    ));
    None
}

fn rows<const D: usize>(tensor: Tensor<D>, columns: usize) -> Vec<Vec<f32>> {
    let values: Vec<f32> = tensor.into_data().try_into_vec().unwrap();
    values.chunks(columns).map(<[f32]>::to_vec).collect()
}

#[test]
fn pytorch_computes_the_same_logits() {
    let Some(python) = python() else { return };
    let folder = Folder::with_digits(300);
    for activation in ["gelu", "prelu"] {
        let train = "--config tiny.toml --data train.csv --epochs 1 --quiet";
        folder.succeed(&format!(
            "{train} --activation {activation} --out {activation}"
        ));
        folder.succeed(&format!(
            "export {activation} --out {activation}.safetensors"
        ));

        let device = Device::flex();
        let run = RunDirectory::open(&folder.path(activation)).unwrap();
        let (classifier, card) =
            saved_model::load(&run, SavedNetwork::Best, &device, Kernels::default()).unwrap();
        let images = data::test_images(Some(&folder.path("test.csv"))).unwrap();
        let loader = EpochLoader::in_order(images, card.scaling, BATCH_SIZE, &device);
        let batch = loader.iter().next().unwrap().unwrap();
        let logits = classifier.network.forward(batch.images.clone());
        let case = json!({ "images": rows(batch.images, 28 * 28), "logits": rows(logits, 10) });
        fs::write(folder.path("case.json"), case.to_string()).unwrap();

        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch/check_export.py");
        let output = Command::new(&python)
            .arg(script)
            .arg(folder.path(format!("{activation}.safetensors")))
            .arg(folder.path("case.json"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{activation}: {printed}{error}");
    }
}
