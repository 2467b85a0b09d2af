//! Notes which commit the program is built from, for the summaries of its runs.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output();
    // Without git, or outside a checkout, the summaries say nothing about the commit.
    if let Ok(output) = output
        && output.status.success()
    {
        let commit = String::from_utf8_lossy(&output.stdout);
        println!("cargo::rustc-env=GIT_COMMIT={}", commit.trim());
    }
}
