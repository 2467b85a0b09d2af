//! Claims between processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use study::Claims;

const RUN: &str = "0123456789abcdef";
const FOLDER: &str = "STUDY_TEST_CLAIMS";
/// Long enough that no claim is taken over for its age within the test.
const STALE: Duration = Duration::from_secs(3600);

/// Not a test of its own: what the child process of the next one does.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        let claims = Claims::new(folder, STALE).unwrap();
        let _claim = claims.claim(RUN).unwrap().unwrap();
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
fn of_a_killed_process_the_claim_can_be_had_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let claims = Claims::new(folder.path(), STALE).unwrap();
    for _ in 0..3 {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "claims::child"])
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
        assert!(claims.claim(RUN).unwrap().is_none());
        drop(child);
        std::fs::remove_file(folder.path().join("held")).unwrap();
        let claim = claims.claim(RUN).unwrap();
        assert!(claim.is_some());
    }
}
