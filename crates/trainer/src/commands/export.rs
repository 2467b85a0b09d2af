//! `trainer export`: a network for other programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, SafetensorsStore};
use clap::Args;
use data::Thousands;
use model::Kernels;
use serde_json::Value;

use super::networks::note_if_unfinished;
use crate::backend::Backend;
use crate::cli::Run;
use crate::console::print;
use crate::output_files::{check_ending, check_folder_of, check_replaceable};
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

/// The most bytes of a header that the format allows.
const MOST_HEADER_BYTES: u64 = 100_000_000;

/// Whether a file begins like one of safetensors: the length of the header in 8 bytes, then the header, which
/// is a JSON object.
fn is_safetensors(start: &[u8]) -> bool {
    let Some((length, header)) = start.split_first_chunk() else {
        return false;
    };
    let is_object = header.starts_with(b"{\"") || header.starts_with(b"{}");
    is_object && u64::from_le_bytes(*length) <= MOST_HEADER_BYTES
}

/// Writes a run's network as safetensors: weights in PyTorch's layout and with its names (a learnable activation's
/// is called `parameter`), and in the metadata the network's configuration and the scaling of its images as JSON.
///
/// # Errors
///
/// A run that cannot be loaded, or a file that cannot be written.
pub fn run(options: &Options) -> Result<ExitCode> {
    check_folder_of(&options.out, "--out")?;
    check_ending(&options.out, "safetensors file", "safetensors")?;
    check_replaceable(&options.out, "--out", "a safetensors file", is_safetensors)?;
    let run = RunDirectory::open(&options.run.path)?;
    note_if_unfinished(&run)?;
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
    let bytes = with_sorted_header(&bytes).context("cannot convert the network")?;
    files::write_atomically(&options.out, &bytes)?;
    print(&format!(
        "wrote {} parameters to {}",
        Thousands(classifier.network.num_parameters()),
        options.out.display()
    ))?;
    let (task, scaling) = (card.task, card.scaling);
    print(&format!(
        "it takes images as [n, 1, {}, {}], (pixel / 255 − {}) / {}, and gives logits of {} classes; the network is described in the file's metadata, as `card`",
        task.height, task.width, scaling.mean, scaling.standard_deviation, task.classes
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The same file with the fields of its header, and of the metadata in it, in the order of their names: Burn writes the
/// metadata in another order each time, and the same network is to be the same file.
///
/// # Errors
///
/// If it is no safetensors file.
fn with_sorted_header(file: &[u8]) -> Result<Vec<u8>> {
    let (length, rest) = file.split_first_chunk().context("it has no header")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    let (header, tensors) = rest.split_at_checked(length).context("it is cut off")?;
    let header: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(header)?;
    let mut header = serde_json::to_vec(&header)?;
    // The tensors begin at a multiple of eight bytes, after spaces.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut sorted = u64::try_from(header.len())?.to_le_bytes().to_vec();
    sorted.extend(header);
    sorted.extend(tensors);
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_sorted() {
        let file = |header: &str| {
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend(header.bytes());
            file.extend([1, 2, 3]);
            file
        };
        let given = file(r#"{"w":{"dtype":"U8"},"__metadata__":{"b":"2","a":"{\"x\":1}"}}"#);
        let sorted = file(concat!(
            r#"{"__metadata__":{"a":"{\"x\":1}","b":"2"},"w":{"dtype":"U8"}}"#,
            "   "
        ));
        assert_eq!(with_sorted_header(&given).unwrap(), sorted);
        assert!(with_sorted_header(&given[..20]).is_err());
        assert!(with_sorted_header(b"{}").is_err());
    }

    #[test]
    fn other_files_are_told_from_safetensors() {
        assert!(is_safetensors(b"\x40\0\0\0\0\0\0\0{\"a\":1}"));
        assert!(is_safetensors(b"\x02\0\0\0\0\0\0\0{}"));
        for other in [&b"\\section{A}"[..], b"int f() {\"a\"", b"{\"a\": 1}", b""] {
            assert!(!is_safetensors(other), "{other:?}");
        }
    }
}
