//! What holds between processes.

use std::env;
use std::path::Path;
use std::process::{self, Command};

use files::hidden_path;

/// Two processes with one number, as in containers, must not write into one file.
#[test]
fn hidden_names_are_those_of_one_process() {
    const ASKED: &str = "PRINT_A_HIDDEN_NAME";
    let number = || {
        let hidden = hidden_path(Path::new("a"), "x");
        let name = hidden.to_string_lossy().into_owned();
        let number = name.split(['.', '-']).nth(2).map(str::to_owned);
        number.unwrap()
    };
    if env::var_os(ASKED).is_some() {
        println!("number {}.", number());
        return;
    }
    let own = number();
    assert_eq!(own, number());
    assert!(own.parse::<u64>().is_ok(), "{own}");
    assert_ne!(own, process::id().to_string());
    let other = Command::new(env::current_exe().unwrap())
        .args(["hidden_names_are_those_of_one_process", "--nocapture"])
        .env(ASKED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8(other.stdout).unwrap();
    assert!(said.contains("number "), "{said}");
    assert!(!said.contains(&own), "{said}");
}
