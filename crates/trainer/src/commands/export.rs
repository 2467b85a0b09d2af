//! `trainer export`: a network for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, SafetensorsStore};
use clap::Args;
use model::Kernels;

use crate::backend::Backend;
use crate::cli::Run;
use crate::console::print;
use crate::output_files::check_replaceable;
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, SavedNetwork};

/// Options of `trainer export`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    run: Run,
    /// The file to write; a network that is there is replaced
    #[arg(long, short, value_name = "FILE", default_value = "model.safetensors")]
    out: PathBuf,
    /// Which of the run's networks
    #[arg(long, value_enum, default_value_t)]
    model: SavedNetwork,
}

/// Writes a run's network as safetensors: weights in PyTorch's layout and with its names, and in
/// the metadata the network's configuration and the scaling of its images as JSON.
///
/// # Errors
///
/// A run that cannot be loaded, or a file that cannot be written.
pub fn run(options: &Options) -> Result<ExitCode> {
    // The length of the header in 8 bytes, then the header, which is JSON.
    check_replaceable(&options.out, "a safetensors file", |start| {
        start.get(8) == Some(&b'{')
    })?;
    let run = RunDirectory::open(&options.run.path)?;
    let device = Backend::Flex.open()?.device;
    let (classifier, card) = saved_model::load(&run, options.model, &device, Kernels::default())?;
    let mut store = SafetensorsStore::from_bytes(None)
        .with_to_adapter(BurnToPyTorchAdapter)
        .skip_enum_variants(true)
        .metadata("card", serde_json::to_string(&card)?);
    classifier
        .network
        .save_into(&mut store)
        .map_err(|error| anyhow!("cannot convert the network: {error}"))?;
    let bytes = store.get_bytes().context("cannot convert the network")?;
    files::write_atomically(&options.out, &bytes)?;
    print(&format!(
        "wrote {} parameters to {}",
        classifier.network.num_parameters(),
        options.out.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
