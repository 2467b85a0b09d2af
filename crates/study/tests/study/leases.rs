//! Leases between processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use study::Leases;

const RUN: &str = "0123456789abcdef";
const FOLDER: &str = "STUDY_TEST_LEASES";
/// Long enough that no lease is taken over for its age within the test.
const STALE: Duration = Duration::from_secs(3600);

/// Not a test of its own: what the child process of the next one does.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        let leases = Leases::new(folder, STALE).unwrap();
        let _lease = leases.acquire(RUN).unwrap().unwrap();
        std::fs::write(folder.join("held"), "").unwrap();
        std::thread::sleep(STALE);
    }
}

struct KilledAtEnd(Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn of_a_killed_process_the_lease_can_be_had_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let leases = Leases::new(folder.path(), STALE).unwrap();
    for _ in 0..3 {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "leases::child"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let child = KilledAtEnd(child);
        let begun = Instant::now();
        while !folder.path().join("held").exists() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the child never began"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(leases.acquire(RUN).unwrap().is_none());
        drop(child);
        std::fs::remove_file(folder.path().join("held")).unwrap();
        let lease = leases.acquire(RUN).unwrap();
        assert!(lease.is_some());
    }
}
