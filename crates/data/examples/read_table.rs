//! Reads a table of labelled images once and prints, as JSON, the time that takes and the memory it
//! needs at its peak; or writes the built-in digits as such a table.
//!
//! ```text
//! read_table FILE
//! read_table --write FILE
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use burn::data::dataset::Dataset;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [option, file] if option == "--write" => write(Path::new(file)),
        [file] => read(Path::new(file)),
        _ => Err("expected FILE, or --write FILE".into()),
    }
}

fn read(file: &Path) -> Result<(), Box<dyn Error>> {
    let before = peak_memory();
    let start = Instant::now();
    let images = data::training_images(Some(file))?;
    let seconds = start.elapsed().as_secs_f64();
    let pixels = images.len() * images.side() * images.side();
    let memory = match (before, peak_memory()) {
        (Some(before), Some(after)) => (after - before).to_string(),
        _ => "null".into(),
    };
    println!(
        "{{\"seconds\": {seconds}, \"images\": {}, \"pixel_bytes\": {pixels}, \
         \"peak_bytes_above_start\": {memory}}}",
        images.len()
    );
    Ok(())
}

/// The largest size in memory that this process has had, in bytes (Linux only).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}

fn write(file: &Path) -> Result<(), Box<dyn Error>> {
    let images = data::built_in_images(0..data::BUILT_IN_COUNT);
    let mut writer = BufWriter::new(File::create(file)?);
    write!(writer, "label")?;
    for pixel in 0..images.side() * images.side() {
        write!(writer, ",pixel{pixel}")?;
    }
    for index in 0..images.len() {
        let item = images.get(index)?;
        write!(writer, "\n{}", item.label)?;
        for pixel in item.image.pixels() {
            write!(writer, ",{pixel}")?;
        }
    }
    writeln!(writer)?;
    writer.flush()?;
    Ok(())
}
